"""Weight sources by their local energy."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from MedFusionLib.methods.rules.windows import smooth_121


@dataclass(frozen=True)
class LocalEnergy:
    """Weight every source by its share of the local energy.

    The energy of a sample is the mean of the squared band under a ``[1 2 1] / 4`` window along each
    axis. Where no source has energy the shares are equal.
    """

    @property
    def reach(self) -> int:
        """One window of three."""
        return 1

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Weights in 0..1, shape (N, S, *spatial)."""
        energy = smooth_121(bands * bands, ndim).add_(1e-12)
        return energy.div_(energy.sum(dim=1, keepdim=True))
