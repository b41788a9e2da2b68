"""The scalar behind a pseudo-coloured picture.

Functional pictures are often saved in a colour palette whose hottest colours are darker than those
below them: fused by luminance, the hottest cortex lies in shade. A palette is a curve through the
colour cube that begins at black; its colours are found in the pictures themselves, put in order
along the curve, and checked, so that a photograph is not mistaken for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST_COLOURS, MOST_COLOURS = 16, 1024
LONGEST_STEP = 72.0
"""Largest distance of neighbours on the curve, in grey levels."""
GAP = 1.6
"""A step this many times longer than those around it jumps over unused colours."""
NEIGHBOURHOOD = 4
LEAST_SMOOTHNESS = 3.0
"""How much closer neighbouring samples must be on the curve than samples chosen at random."""
SHARED = 0.5
"""Pictures that share this part of their colours have one palette."""
OFF_CURVE = 12.0
"""Distance in grey levels beyond which a colour does not belong to the palette."""
_CHANNELS = np.array([1 << 16, 1 << 8, 1])


@dataclass(frozen=True, eq=False)
class Palette:
    """Colours in order, and the scalar of each.

    Parameters
    ----------
    colours : (N, 3) float64 ndarray
        In 0..255, from black upward.
    scalars : (N,) float64 ndarray
        Rising from 0 to 1.
    """

    colours: np.ndarray
    scalars: np.ndarray

    def to_scalar(self, picture: np.ndarray) -> np.ndarray:
        """Scalar (H, W) float32 in 0..1 of a picture (H, W, 3) uint8: that of the nearest colour."""
        codes, where = _codes(picture)
        nearest, _ = self._nearest(codes)
        return self.scalars[nearest][where].reshape(picture.shape[:2]).astype(np.float32)

    def distance(self, picture: np.ndarray) -> float:
        """Largest distance of a colour of a picture (H, W, 3) uint8 from those of the palette, in grey levels."""
        codes, _ = _codes(picture)
        return float(self._nearest(codes)[1].max())

    def to_colour(self, scalar: np.ndarray) -> np.ndarray:
        """Colours (H, W, 3) float32 in 0..1 of a scalar (H, W) in 0..1, between those of the palette."""
        channels = [np.interp(scalar, self.scalars, self.colours[:, channel]) for channel in range(3)]
        return (np.stack(channels, axis=-1) / 255).astype(np.float32)

    def _nearest(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        apart = np.linalg.norm(_unpacked(codes)[:, None] - self.colours, axis=-1)
        return apart.argmin(axis=1), apart.min(axis=1)


def find_palettes(pictures: Sequence[np.ndarray]) -> list[Palette | None]:
    """The palette of every picture (H, W, 3) uint8; None where none fits.

    Pictures that share colours have one palette, found from all of them together, so that one scalar
    means the same in all.
    """
    groups = _grouped([set(_codes(picture)[0].tolist()) for picture in pictures])
    found: list[Palette | None] = [None] * len(pictures)
    for members in groups:
        palette = find_palette([pictures[number] for number in members])
        for number in members:
            found[number] = palette
    return found


def matching(palettes: Sequence[Palette], picture: np.ndarray) -> Palette | None:
    """The palette that has all colours of a picture (H, W, 3) uint8, or None."""
    best = min(palettes, key=lambda palette: palette.distance(picture), default=None)
    return best if best is not None and best.distance(picture) <= OFF_CURVE else None


def find_palette(pictures: Sequence[np.ndarray]) -> Palette | None:
    """The one palette of pictures (H, W, 3) uint8, or None when their colours are not a curve from black.

    None also for grey pictures, which need none.
    """
    codes = np.unique(np.concatenate([_codes(picture)[0] for picture in pictures]))
    colours = _unpacked(codes)
    is_grey = np.ptp(colours, axis=1).max() <= 2
    if is_grey or not LEAST_COLOURS <= len(codes) <= MOST_COLOURS or colours.sum(axis=1).min() > OFF_CURVE:
        return None
    order = _walk(colours)
    steps = np.linalg.norm(np.diff(colours[order], axis=0), axis=1)
    if steps.max() > LONGEST_STEP or _smoothness(pictures, codes, order) < LEAST_SMOOTHNESS:
        return None
    positions = np.concatenate([[0.0], np.cumsum(_indices_between(steps))])
    return Palette(colours[order], positions / positions[-1])


def _walk(colours: np.ndarray) -> np.ndarray:
    """Order of the colours: from the darkest always to the nearest one that is left."""
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
    current = int(colours.sum(axis=1).argmin())
    order, left = [current], np.ones(len(colours), bool)
    left[current] = False
    while left.any():
        current = int(np.where(left, apart[current], np.inf).argmin())
        order.append(current)
        left[current] = False
    return _reinserted(order, apart)


def _reinserted(order: list[int], apart: np.ndarray) -> np.ndarray:
    """The order with the colours that the walk passed by, and jumped back to at its end, put where they belong."""
    steps = apart[order[:-1], order[1:]]
    jumps = np.flatnonzero(steps > LONGEST_STEP)
    kept = order if len(jumps) == 0 else order[: jumps[0] + 1]
    for colour in order[len(kept) :]:
        path = np.array(kept)
        longer = apart[path, colour].copy()
        longer[:-1] += apart[path[1:], colour] - apart[path[:-1], path[1:]]
        kept.insert(int(longer.argmin()) + 1, colour)
    return np.array(kept)


def _indices_between(steps: np.ndarray) -> np.ndarray:
    """How many places of the palette every step goes on: more than one where colours between are not used."""
    padded = np.pad(steps, NEIGHBOURHOOD, mode="reflect")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURHOOD + 1)
    ratio = steps / np.median(around, axis=1)
    return np.where(ratio > GAP, np.rint(ratio), 1.0)


def _smoothness(pictures: Sequence[np.ndarray], codes: np.ndarray, order: np.ndarray) -> float:
    """Mean distance on the curve of samples chosen at random, over that of neighbouring samples; the black left out."""
    place = np.empty(len(order))
    place[order] = np.arange(len(order))
    near, far, chance = [], [], np.random.default_rng(0)
    for picture in pictures:
        rank = place[np.searchsorted(codes, picture.astype(np.int64) @ _CHANNELS)]
        shown = (rank[:, 1:] > 0) & (rank[:, :-1] > 0)
        values = rank[:, 1:][shown]
        near.append(np.abs(rank[:, 1:] - rank[:, :-1])[shown])
        far.append(np.abs(values - chance.permutation(values)))
    near, far = np.concatenate(near), np.concatenate(far)
    return float(far.mean() / max(near.mean(), 1e-6)) if len(near) else 0.0


def _grouped(colours: list[set[int]]) -> list[list[int]]:
    """Numbers of pictures that share most colours of the smaller one."""
    groups: list[tuple[set[int], list[int]]] = []
    for number in sorted(range(len(colours)), key=lambda n: -len(colours[n])):
        own = colours[number] - {0}
        best = max(groups, key=lambda group: len(own & group[0]), default=None)
        if best is not None and len(own & best[0]) >= SHARED * len(own):
            best[0].update(own)
            best[1].append(number)
        else:
            groups.append((set(own), [number]))
    return [members for _, members in groups]


def _codes(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct colours of a picture as 24-bit numbers, and which of them every sample has."""
    codes, where = np.unique((picture.astype(np.int64) @ _CHANNELS).ravel(), return_inverse=True)
    return codes, where.ravel()


def _unpacked(codes: np.ndarray) -> np.ndarray:
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1).astype(np.float64)
