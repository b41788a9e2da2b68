"""Phase congruency as an activity."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from MedFusionLib.transforms.phase_congruency import phase_congruency


@dataclass(frozen=True)
class PhaseCongruency:
    """Edges and lines whatever their contrast: finds faint structure next to bright one.

    G. Bhatnagar, Q. M. J. Wu, Z. Liu, "Directive contrast based multimodal medical image fusion in
    NSCT domain", IEEE Trans. Multimedia 15 (2013) 1014-1024, for bases.

    Parameters
    ----------
    scales : int
        Number of scales that must agree.
    """

    scales: int = 4

    @property
    def reach(self) -> None:
        """Log-Gabor windows see the whole band."""
        return

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Phase congruency 0..1 of bands (N, S, *spatial)."""
        return phase_congruency(bands, ndim, scales=self.scales)
