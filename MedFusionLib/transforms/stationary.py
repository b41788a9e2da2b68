"""Undecimated (stationary) wavelet transform in two and three dimensions."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.transforms.pyramid import Pyramid
from MedFusionLib.transforms.sampling import Plan
from MedFusionLib.transforms.wavelet import Filters, accumulate, extend_symmetric, wavelet_filters


@dataclass(frozen=True)
class StationaryWavelet(Pyramid):
    """Wavelet transform without decimation: the filters of level j have ``2^j - 1`` zeros between taps.

    Bands keep the full resolution and do not change under shifts. Coefficients are those of
    ``pywt.swt2(..., norm=True)`` away from the borders; here borders are mirrored and bands a few
    samples longer than the image, so that the inverse is exact for any size and any filter.

    Parameters
    ----------
    plan : tuple of tuple of int
        Axes filtered per level.
    ndim : int
        Number of trailing spatial axes, 2 or 3.
    wavelet : str
        Name of a discrete wavelet of PyWavelets.

    Notes
    -----
    G. P. Nason, B. W. Silverman, "The stationary wavelet transform and some statistical
    applications", in Wavelets and Statistics (1995) 281-299; in fusion: O. Rockinger, "Image
    sequence fusion using a shift-invariant wavelet transform", Proc. ICIP (1997) 288-291.
    """

    plan: Plan
    ndim: int
    wavelet: str = "db2"

    def split(self, image: Tensor, level: int) -> tuple[list[Tensor], Tensor]:
        """Detail bands of one level in the order of their binary code, and the approximation."""
        parts, bank = [image], wavelet_filters(self.wavelet)
        for axis in self.plan[level]:
            checkpoint()
            gap = self._gap(axis, level)
            parts = [band for part in parts for band in _split(part, axis - self.ndim, bank, gap)]
        return parts[1:], parts[0]

    def merge(self, details: list[Tensor], coarse: Tensor, level: int, shape: tuple[int, ...]) -> Tensor:
        """The image whose approximation and details these are: the mean of its redundant reconstructions."""
        parts, bank = [coarse, *details], wavelet_filters(self.wavelet)
        for axis in reversed(self.plan[level]):
            checkpoint()
            gap, pairs = self._gap(axis, level), zip(parts[0::2], parts[1::2])
            parts = [_merge(low, high, axis - self.ndim, shape[axis], bank, gap) for low, high in pairs]
        return parts[0]

    def coarser(self, shape: tuple[int, ...], level: int) -> tuple[int, ...]:
        """Longer by the overhang of the filter."""
        taps = len(wavelet_filters(self.wavelet)[0])
        return tuple(
            length + (taps - 1) * self._gap(axis, level) if axis in self.plan[level] else length
            for axis, length in enumerate(shape)
        )

    def count(self, level: int) -> int:
        """All combinations of low and high pass but the lowest."""
        return 2 ** len(self.plan[level]) - 1

    def reach(self, rule_reach: int) -> tuple[int, ...]:
        """Per spatial axis, how far in samples an input influences the fused output."""
        taps = len(wavelet_filters(self.wavelet)[0])
        levels = range(len(self.plan))
        return tuple(
            rule_reach + sum((taps - 1) * self._gap(axis, level) for level in levels if axis in self.plan[level])
            for axis in range(self.ndim)
        )

    @property
    def alignment(self) -> tuple[int, ...]:
        """Tiles may start anywhere."""
        return (1,) * self.ndim

    def _gap(self, axis: int, level: int) -> int:
        """Distance of the taps: doubled by every earlier level that filtered the axis."""
        return 2 ** sum(axis in axes for axes in self.plan[:level])


def _split(image: Tensor, axis: int, bank: Filters, gap: int) -> tuple[Tensor, Tensor]:
    low_pass, high_pass, _, _ = bank
    taps = len(low_pass)
    overhang = (taps - 1) * gap
    padded = extend_symmetric(image, axis, overhang, overhang)
    size = image.shape[axis] + overhang
    low, high = None, None
    for tap in range(taps):
        samples = padded.narrow(axis, overhang - tap * gap, size)
        low = accumulate(low, samples, low_pass[tap] * 0.5**0.5)
        high = accumulate(high, samples, high_pass[tap] * 0.5**0.5)
    return low, high


def _merge(low: Tensor, high: Tensor, axis: int, length: int, bank: Filters, gap: int) -> Tensor:
    _, _, low_pass, high_pass = bank
    taps, total = len(low_pass), None
    for tap in range(taps):
        start = (taps - 1 - tap) * gap
        total = accumulate(total, low.narrow(axis, start, length), low_pass[tap] * 0.5**0.5)
        total = accumulate(total, high.narrow(axis, start, length), high_pass[tap] * 0.5**0.5)
    return total
