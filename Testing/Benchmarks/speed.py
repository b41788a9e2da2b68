"""The speed contests: fusion and metrics against what SciPy, scikit-image and NumPy offer."""

from __future__ import annotations

import numpy as np
import torch
from baselines import measures, pyramid
from scipy import ndimage
from timing import Contest

from MedFusionLib.methods.laplacian import LaplacianFusion
from MedFusionLib.methods.rules import Weighted
from MedFusionLib.metrics.gradient import edge_preservation
from MedFusionLib.metrics.histogram import grey_levels, mutual_information
from MedFusionLib.metrics.similarity import structural_similarity

SHAPE, QUICK_SHAPE = (128, 256, 256), (32, 128, 128)
LEVELS = 3
CHUNK_SAMPLES = 1 << 19


def contests(shape: tuple[int, int, int]) -> list[Contest]:
    """All contests on two phantoms and their mean, (K, J, I)."""
    first, second = _phantom(shape, 1), _phantom(shape, 2)
    return [_laplacian(first, second), *_metrics([first * 255, second * 255], (first + second) * 127.5)]


def _laplacian(first: np.ndarray, second: np.ndarray) -> Contest:
    stack = torch.from_numpy(np.stack([first, second])[None])
    method = LaplacianFusion(levels=LEVELS, base_rule=Weighted())

    def ours() -> np.ndarray:
        with torch.inference_mode():
            return method.fit(stack, (1.0, 1.0, 1.0)).fuse(stack).image[0].numpy()

    return Contest(
        f"Laplacian pyramid fusion, 3-D, {LEVELS} levels", "scipy.ndimage", ours,
        lambda: pyramid.fuse(first, second, LEVELS), _share_apart, gate=3.0, tolerance=1e-3,
    )  # fmt: skip


def _metrics(sources: list[np.ndarray], fused: np.ndarray) -> list[Contest]:
    images = [torch.from_numpy(image) for image in sources]
    target = torch.from_numpy(fused)
    return [
        Contest(
            "Mutual information", "numpy.histogram2d",
            lambda: mutual_information([grey_levels(i) for i in images], grey_levels(target))[0],
            lambda: measures.mutual_information(sources, fused), _largest, gate=5.0, tolerance=1e-6,
        ),
        Contest(
            "SSIM", "skimage.metrics",
            lambda: np.mean([_by_chunks(lambda a, f: structural_similarity(a[0], f), [i], target) for i in images]),
            lambda: measures.similarity(sources, fused), _largest, gate=2.0, tolerance=1e-4,
        ),
        Contest(
            "Edge preservation Q_AB/F", "scipy.ndimage and numpy",
            lambda: _by_chunks(edge_preservation, images, target),
            lambda: measures.edge_preservation(sources, fused), _largest, gate=2.0, tolerance=1e-4,
        ),
    ]  # fmt: skip


def _by_chunks(measure, images: list, target) -> float:
    """A slice-wise metric in chunks of the size that `evaluate` takes."""
    step = max(1, CHUNK_SAMPLES // target[0].numel())
    with torch.inference_mode():
        parts = [
            measure([image[start : start + step] for image in images], target[start : start + step])
            for start in range(0, len(target), step)
        ]
        return float(torch.cat(parts).mean())


def _share_apart(one: np.ndarray, other: np.ndarray) -> float:
    """Share of voxels that differ: where both sources are equally strong, rounding decides."""
    return float(np.mean(np.abs(one - other) > 1e-5))


def _largest(one, other) -> float:
    return float(np.max(np.abs(np.asarray(one) - np.asarray(other))))


def _phantom(shape: tuple[int, int, int], seed: int) -> np.ndarray:
    """Smooth blobs with some noise in 0..1, float32."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(shape, dtype=np.float32)
    image = ndimage.gaussian_filter(noise, 4)
    image = image / image.std() + 0.1 * noise
    low, high = np.percentile(image[::4, ::4, ::4], (0.5, 99.5))
    return np.clip((image - low) / (high - low), 0, 1).astype(np.float32)
