"""Outline a marked lesion with the small network that comes with MedFusion. Experimental."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from MedFusionLib.errors import UsageError
from MedFusionLib.region import Region
from MedFusionLib.segment.cosegment import Cosegmentation
from MedFusionLib.segment.driver import island_of
from MedFusionLib.segment.morphology import fill_holes
from MedFusionLib.segment.stack import Stack

WEIGHTS = "lesion-net"
LEARNED_VOXELS = 32**3
"""The network was trained on lesions of 2.5 to 11 samples' radius: a finer grid would show it larger ones."""
MARGIN = 0.15
"""The network sees this share of the region's size beyond it, as it did in training."""
CLICK_SAMPLES = 2.0
_LEAST_RANGE = 1e-6


def by_network(stack: Stack, *, region: Region | None = None, seed=None) -> Cosegmentation:
    """The lesion as the network sees it: all sources, the region and the click at once.

    Raises
    ------
    UsageError
        When the network sees no lesion at the marked place, or there is nothing to see.
    """
    import torch

    from MedFusionLib.networks.lesion_net import LesionNet
    from MedFusionLib.networks.loading import load_network

    if not np.ptp(stack.values[:, stack.inside], axis=1).any():  # it would outline what it expects, not what it sees
        raise UsageError("All voxels of the region are equal", "a region with lesion and surroundings")
    network = load_network(WEIGHTS, LesionNet)
    sources = torch.from_numpy(prepared(stack.values, stack.inside))
    marks = torch.from_numpy(marks_of(stack))
    with torch.inference_mode():
        logits = network(sources[None], marks[None])[0].numpy()
    probability = 1 / (1 + np.exp(-logits.astype(np.float64)))
    mask = island_of((probability >= 0.5) & stack.inside, _likely(stack, probability))
    if not mask.any():
        raise UsageError("The network sees no lesion at the marked place", "a lesion that stands out in a source")
    mask = fill_holes(mask) & stack.inside
    kept = np.where(mask, np.maximum(probability, 0.5), np.minimum(probability, np.nextafter(0.5, 0)))
    return Cosegmentation(kept, {"weights": WEIGHTS}, ("experimental: a network trained on synthetic lesions only",))


def prepared(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Sources as the network knows them, (S, K, J, I) float32 in 0..1.

    Each is put in units of its 10th to 90th percentile around its median in the region, and then
    squeezed by x / (1 + |x|), so that a very hot lesion is neither clipped nor dims all the rest.
    """
    squeezed = np.empty(values.shape, np.float32)
    for out, one in zip(squeezed, values):
        low, middle, high = np.percentile(one[inside], (10, 50, 90))
        scaled = (one - middle) / max(float(high - low), _LEAST_RANGE * max(1.0, abs(float(middle))))
        out[:] = 0.5 + 0.5 * scaled / (1 + np.abs(scaled))
    return squeezed


def marks_of(stack: Stack) -> np.ndarray:
    """(S, 3, K, J, I) float32: the region, a bump at the click (or zeros), and 1 for a functional source."""
    click = np.zeros(stack.geometry.shape, np.float32)
    if stack.seed_kji is not None:
        click = click_map(click.shape, stack.seed_kji)
    region = stack.inside.astype(np.float32)
    return np.stack([[region, click, np.full_like(region, float(one.is_functional))] for one in stack.sources])


def click_map(shape: tuple[int, ...], place: tuple[int, ...]) -> np.ndarray:
    """(K, J, I) float32, a bump of two samples' width at a click."""
    grids = np.ogrid[tuple(slice(0, n) for n in shape)]
    away = sum((grid - at) ** 2 for grid, at in zip(grids, place))
    return np.exp(-away / (2 * CLICK_SAMPLES**2)).astype(np.float32)


def _likely(stack: Stack, probability: np.ndarray) -> np.ndarray:
    """Voxels that decide which island is the lesion: at the click, or the largest island itself."""
    if stack.seed_kji is None:
        return (probability >= 0.5) & stack.inside
    near = stack.ball(2 * stack.spacing_mm)
    return ndimage.binary_dilation(near, iterations=1) & stack.inside
