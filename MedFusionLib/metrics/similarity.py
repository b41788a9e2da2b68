"""Structural similarity."""

from __future__ import annotations

import functools
import math

from torch import Tensor

WINDOW = 11
SIGMA = 1.5
RANGE = 255.0
MIDDLE = 127.5
C1, C2 = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2


def structural_similarity(first: Tensor, second: Tensor) -> Tensor:
    """SSIM of each slice (K, H, W) -> (K,), Gaussian window, valid region; NaN below 11 samples."""
    if min(first.shape[1:]) < WINDOW:
        return first.new_full((first.shape[0],), float("nan"))
    # variances do not change with the zero point, and lose the fewest digits in float32 around the middle
    first, second = first - MIDDLE, second - MIDDLE
    mean_a, mean_b = _smooth(first), _smooth(second)
    variances = _smooth(first.square().add_(second.square())).sub_(mean_a.square()).sub_(mean_b.square())
    covariance = _smooth(first * second).sub_(mean_a * mean_b)
    mean_a, mean_b = mean_a.add_(MIDDLE), mean_b.add_(MIDDLE)
    product = mean_a * mean_b
    squares = mean_a.square_().add_(mean_b.square_())
    top = product.mul_(2).add_(C1).mul_(covariance.mul_(2).add_(C2))
    return top.div_(squares.add_(C1).mul_(variances.add_(C2))).mean(dim=(1, 2))


def _smooth(image: Tensor) -> Tensor:
    """Gaussian mean in the valid region by shifted adds, which beat a one-channel convolution."""
    weights = _weights()
    for axis in (1, 2):
        length = image.shape[axis] - WINDOW + 1
        half = WINDOW // 2
        out = image.narrow(axis, half, length) * weights[half]
        for tap in range(half):
            pair = image.narrow(axis, tap, length) + image.narrow(axis, WINDOW - 1 - tap, length)
            out.add_(pair, alpha=weights[tap])
        image = out
    return image


@functools.cache
def _weights() -> tuple[float, ...]:
    """The Gaussian window along one axis, with sum 1."""
    taps = [math.exp(-((tap - WINDOW // 2) ** 2) / (2 * SIGMA**2)) for tap in range(WINDOW)]
    return tuple(tap / sum(taps) for tap in taps)
