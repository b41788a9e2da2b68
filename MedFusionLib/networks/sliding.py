"""A network moved over a volume that it cannot take as a whole."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from MedFusionLib.errors import UsageError
from MedFusionLib.interrupt import checkpoint

OVERLAP = 0.5
_SIGMA = 0.125


def slide(
    predict: Callable[[np.ndarray], np.ndarray], image: np.ndarray, window: Sequence[int], overlap: float = OVERLAP
) -> np.ndarray:
    """What a network predicts window by window, joined by weights that fall from the middle of every window.

    Windows lie evenly, the first and the last at the image's ends. An image smaller than the window is
    repeated at its border until it fills it.

    Parameters
    ----------
    predict : callable
        ``predict(part)``: (C, D, H, W) of the window's size to (classes, D, H, W).
    image : (C, D, H, W) array
        The whole.
    window : (3,) sequence of int
        What the network takes.
    overlap : float
        Share of a window that its neighbour sees too, 0 to 0.9.

    Returns
    -------
    (classes, D, H, W) float32 array

    Raises
    ------
    UsageError
        For a window or an overlap that is none, or a prediction of another size.
    Cancelled
        Between two windows.
    """
    window = tuple(int(n) for n in window)
    if len(window) != image.ndim - 1 or min(window, default=0) < 1 or not 0 <= overlap <= 0.9:
        raise UsageError(f"A window of {window} with overlap {overlap}", "a size per axis, overlap 0 to 0.9")
    missing = [max(0, n - length) for n, length in zip(window, image.shape[1:])]
    padded = np.pad(image, [(0, 0), *((extra // 2, extra - extra // 2) for extra in missing)], mode="edge")
    weight = _weights(window)
    total, mass = None, np.zeros(padded.shape[1:], np.float32)
    for start in itertools.product(*(_starts(a, n, overlap) for a, n in zip(padded.shape[1:], window))):
        checkpoint()
        box = tuple(slice(s, s + n) for s, n in zip(start, window))
        found = np.asarray(predict(np.ascontiguousarray(padded[(slice(None), *box)])), np.float32)
        if found.shape[1:] != window:
            raise UsageError(f"The network answers with {found.shape[1:]} samples", f"{window}, those of its input")
        if total is None:
            total = np.zeros((len(found), *padded.shape[1:]), np.float32)
        total[(slice(None), *box)] += weight * found
        mass[box] += weight
    total /= mass
    inner = tuple(slice(extra // 2, extra // 2 + length) for extra, length in zip(missing, image.shape[1:]))
    return total[(slice(None), *inner)]


def _starts(length: int, window: int, overlap: float) -> list[int]:
    """Evenly spaced starts that cover the axis."""
    free = length - window
    if free == 0:
        return [0]
    count = 1 + int(np.ceil(free / max(1, window * (1 - overlap))))
    return sorted({round(n) for n in np.linspace(0, free, count)})


def _weights(window: tuple[int, ...]) -> np.ndarray:
    """A Gaussian around the middle; at a corner it is 4e-11, so nowhere 0."""
    weight = np.ones(window, np.float32)
    for axis, length in enumerate(window):
        place = np.arange(length, dtype=np.float32) - (length - 1) / 2
        profile = np.exp(-0.5 * (place / (_SIGMA * length)) ** 2)
        weight *= profile.reshape([-1 if a == axis else 1 for a in range(len(window))])
    return weight
