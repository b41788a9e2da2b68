"""A rule for bases, tempered by the energy of the sources."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from MedFusionLib.methods.rules.base import Rule
from MedFusionLib.methods.rules.local_energy import LocalEnergy


@dataclass(frozen=True, eq=False)
class Tempered:
    """The mean of another rule's weights and of the shares of local energy.

    A rule that looks for what is sharp or lively would alone hide a flat bright region behind
    whatever is livelier.

    Parameters
    ----------
    rule : Rule
        The other one.
    """

    rule: Rule

    @property
    def reach(self) -> int | None:
        """The farther look of both."""
        own = LocalEnergy().reach
        return None if self.rule.reach is None else max(own, self.rule.reach)

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Weights (N, S, *spatial)."""
        return (self.rule(bands, ndim) + LocalEnergy()(bands, ndim)) / 2
