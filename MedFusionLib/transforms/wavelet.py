"""Decimated discrete wavelet transform in two and three dimensions (Mallat 1989)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from MedFusionLib.errors import UsageError
from MedFusionLib.interrupt import checkpoint
from MedFusionLib.transforms.pyramid import Pyramid
from MedFusionLib.transforms.sampling import Plan

Filters = tuple[tuple[float, ...], ...]
"""Taps of decomposition low and high pass, reconstruction low and high pass."""


@dataclass(frozen=True)
class WaveletTransform(Pyramid):
    """Separable discrete wavelet transform with half-sample symmetric borders.

    Coefficients equal those of PyWavelets with ``mode="symmetric"`` axis by axis; written on tensors
    so that it is batched and runs on any device. Any size of axis, odd ones included.

    Parameters
    ----------
    plan : tuple of tuple of int
        Axes to halve per level, see `sampling.plan_decimation`.
    ndim : int
        Number of trailing spatial axes, 2 or 3.
    wavelet : str
        Name of a discrete wavelet of PyWavelets.

    Notes
    -----
    S. G. Mallat, "A theory for multiresolution signal decomposition", IEEE Trans. Pattern Anal.
    Mach. Intell. 11 (1989) 674-693.
    """

    plan: Plan
    ndim: int
    wavelet: str = "bior4.4"

    def split(self, image: Tensor, level: int) -> tuple[list[Tensor], Tensor]:
        """Detail bands of one level, and the approximation.

        The bands with at least one high-pass axis come in the order of their binary code (low 0,
        high 1; the first axis of the level is the most significant bit).
        """
        parts = [image]
        for axis in self.plan[level]:
            checkpoint()
            bank = wavelet_filters(self.wavelet)
            parts = [band for part in parts for band in split_axis(part, axis - self.ndim, bank)]
        return parts[1:], parts[0]

    def merge(self, details: list[Tensor], coarse: Tensor, level: int, shape: tuple[int, ...]) -> Tensor:
        """The image whose approximation and details these are."""
        parts = [coarse, *details]
        for axis in reversed(self.plan[level]):
            checkpoint()
            bank, pairs = wavelet_filters(self.wavelet), zip(parts[0::2], parts[1::2])
            parts = [merge_axis(low, high, axis - self.ndim, shape[axis], bank) for low, high in pairs]
        return parts[0]

    def coarser(self, shape: tuple[int, ...], level: int) -> tuple[int, ...]:
        """Half of each halved axis, longer by the filter's overhang."""
        taps = len(wavelet_filters(self.wavelet)[0])
        axes = self.plan[level]
        return tuple((length + taps - 1) // 2 if axis in axes else length for axis, length in enumerate(shape))

    def count(self, level: int) -> int:
        """All combinations of low and high pass but the lowest."""
        return 2 ** len(self.plan[level]) - 1

    def reach(self, rule_reach: int) -> tuple[int, ...]:
        """Per spatial axis, how far in samples an input influences the fused output."""
        taps = len(wavelet_filters(self.wavelet)[0])
        reaches = []
        for axis in range(self.ndim):
            reach = rule_reach
            for axes in reversed(self.plan):
                # a sample and the inputs of its coefficients lie at most taps - 1 apart, a level
                # further down in steps of two
                reach = taps - 1 + 2 * reach if axis in axes else reach
            reaches.append(reach)
        return tuple(reaches)


def split_axis(image: Tensor, axis: int, bank: Filters) -> tuple[Tensor, Tensor]:
    """Low-pass and high-pass half of one axis."""
    low_pass, high_pass, _, _ = bank
    taps, length = len(low_pass), image.shape[axis]
    padded = extend_symmetric(image, axis, taps - 1, taps - 1)
    size = (length + taps - 1) // 2
    low, high = None, None
    for tap in range(taps):
        index = [slice(None)] * image.ndim
        index[axis] = slice(taps - tap, taps - tap + 2 * size - 1, 2)
        samples = padded[tuple(index)]
        low = accumulate(low, samples, low_pass[tap])
        high = accumulate(high, samples, high_pass[tap])
    return low, high


def merge_axis(low: Tensor, high: Tensor, axis: int, length: int, bank: Filters) -> Tensor:
    """One axis of `length` samples from its low-pass and high-pass half."""
    _, _, low_pass, high_pass = bank
    taps = len(low_pass)
    shape = list(low.shape)
    shape[axis] = length
    out = low.new_empty(shape)
    for parity in (0, 1):
        index = [slice(None)] * out.ndim
        index[axis] = slice(parity, None, 2)
        target = out[tuple(index)]
        count, total = target.shape[axis], None
        for tap in range(parity, taps, 2):
            # out[n] = sum_k c[k] g[n - 2k + taps - 2]: tap = n - 2k + taps - 2, n = 2m + parity
            start = (parity + taps - 2 - tap) // 2
            total = accumulate(total, low.narrow(axis, start, count), low_pass[tap])
            total = accumulate(total, high.narrow(axis, start, count), high_pass[tap])
        target.copy_(total)
    return out


@lru_cache(maxsize=32)
def wavelet_filters(name: str) -> Filters:
    """Filters of a discrete wavelet of PyWavelets.

    Raises
    ------
    UsageError
        For a name that PyWavelets does not know.
    """
    import pywt

    if name not in pywt.wavelist(kind="discrete"):
        raise UsageError(f"Unknown wavelet {name!r}", "a discrete wavelet of PyWavelets, for example db2 or bior4.4")
    wavelet = pywt.Wavelet(name)
    return tuple(tuple(bank) for bank in (wavelet.dec_lo, wavelet.dec_hi, wavelet.rec_lo, wavelet.rec_hi))


def accumulate(total: Tensor | None, samples: Tensor, factor: float) -> Tensor:
    """Running sum of samples times factors."""
    return samples * factor if total is None else total.add_(samples, alpha=factor)


def extend_symmetric(image: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Half-sample symmetric extension (d c b a | a b c d | d c b a) along one axis."""
    length = image.shape[axis]
    shape = list(image.shape)
    shape[axis] = before + length + after
    out = image.new_empty(shape)
    out.narrow(axis, before, length).copy_(image)
    for position in range(before):
        out.narrow(axis, before - 1 - position, 1).copy_(image.narrow(axis, _mirror(-1 - position, length), 1))
    for position in range(after):
        out.narrow(axis, before + length + position, 1).copy_(image.narrow(axis, _mirror(length + position, length), 1))
    return out


def _mirror(index: int, length: int) -> int:
    folded = index % (2 * length)
    return folded if folded < length else 2 * length - 1 - folded
