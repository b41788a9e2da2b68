"""Decimated discrete wavelet transform in two and three dimensions (Mallat 1989)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from MedFusionLib.errors import UsageError
from MedFusionLib.interrupt import checkpoint
from MedFusionLib.transforms.sampling import Plan


@dataclass(frozen=True)
class WaveletTransform:
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

    def analyse(self, image: Tensor) -> list[Tensor]:
        """Detail bands from fine to coarse, then the approximation, of an image (..., *spatial).

        Per level the bands with at least one high-pass axis, in the order of their binary code
        (low 0, high 1; the first axis of the level is the most significant bit).
        """
        bands, current = [], image
        for axes in self.plan:
            parts = [current]
            for axis in axes:
                checkpoint()
                parts = [band for part in parts for band in self._split(part, axis - self.ndim)]
            current = parts[0]
            bands.extend(parts[1:])
        return [*bands, current]

    def synthesise(self, bands: list[Tensor], shape: tuple[int, ...]) -> Tensor:
        """The image (..., *shape) whose bands these are."""
        lengths = self._lengths(shape)
        details, current = list(bands[:-1]), bands[-1]
        for axes, sizes in zip(reversed(self.plan), reversed(lengths)):
            count = 2 ** len(axes) - 1
            parts = [current, *details[-count:]]
            del details[-count:]
            for axis in reversed(axes):
                checkpoint()
                pairs = zip(parts[0::2], parts[1::2])
                parts = [self._merge(low, high, axis - self.ndim, sizes[axis]) for low, high in pairs]
            current = parts[0]
        return current

    def reach(self, rule_reach: int) -> tuple[int, ...]:
        """Per spatial axis, how far in samples an input influences the fused output."""
        taps = len(_filters(self.wavelet)[0])
        reaches = []
        for axis in range(self.ndim):
            reach = rule_reach
            for axes in reversed(self.plan):
                # a sample and the inputs of its coefficients lie at most taps - 1 apart, a level
                # further down in steps of two
                reach = taps - 1 + 2 * reach if axis in axes else reach
            reaches.append(reach)
        return tuple(reaches)

    def _lengths(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Lengths of the spatial axes before each level."""
        taps, current, lengths = len(_filters(self.wavelet)[0]), list(shape), []
        for axes in self.plan:
            lengths.append(tuple(current))
            for axis in axes:
                current[axis] = (current[axis] + taps - 1) // 2
        return lengths

    def _split(self, image: Tensor, axis: int) -> tuple[Tensor, Tensor]:
        """Low-pass and high-pass half of one axis."""
        low_pass, high_pass, _, _ = _filters(self.wavelet)
        taps, length = len(low_pass), image.shape[axis]
        padded = _extend(image, axis, taps - 1, taps - 1)
        size = (length + taps - 1) // 2
        low, high = None, None
        for tap in range(taps):
            index = [slice(None)] * image.ndim
            index[axis] = slice(taps - tap, taps - tap + 2 * size - 1, 2)
            samples = padded[tuple(index)]
            low = _accumulate(low, samples, low_pass[tap])
            high = _accumulate(high, samples, high_pass[tap])
        return low, high

    def _merge(self, low: Tensor, high: Tensor, axis: int, length: int) -> Tensor:
        """One axis of `length` samples from its low-pass and high-pass half."""
        _, _, low_pass, high_pass = _filters(self.wavelet)
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
                total = _accumulate(total, low.narrow(axis, start, count), low_pass[tap])
                total = _accumulate(total, high.narrow(axis, start, count), high_pass[tap])
            target.copy_(total)
        return out


@lru_cache(maxsize=32)
def _filters(name: str) -> tuple[tuple[float, ...], ...]:
    """Decomposition low/high and reconstruction low/high filters of a wavelet."""
    import pywt

    if name not in pywt.wavelist(kind="discrete"):
        raise UsageError(f"Unknown wavelet {name!r}", "a discrete wavelet of PyWavelets, for example db2 or bior4.4")
    wavelet = pywt.Wavelet(name)
    return tuple(tuple(bank) for bank in (wavelet.dec_lo, wavelet.dec_hi, wavelet.rec_lo, wavelet.rec_hi))


def _accumulate(total: Tensor | None, samples: Tensor, factor: float) -> Tensor:
    return samples * factor if total is None else total.add_(samples, alpha=factor)


def _extend(image: Tensor, axis: int, before: int, after: int) -> Tensor:
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
