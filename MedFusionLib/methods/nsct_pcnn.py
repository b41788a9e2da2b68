"""Non-subsampled contourlet fusion steered by a pulse-coupled neural network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.additive import SliceBankFusion
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.rules import Gradient, LocalEnergy, PulseCoupled, Rule
from MedFusionLib.methods.rules.pulse_coupled import FixedNeuron
from MedFusionLib.transforms.directional import Tiling, bank_for


@dataclass(frozen=True)
class ContourletPulseCoupledFusion:
    """In every directional band the source whose neurons fire more often.

    Parameters
    ----------
    directions : tuple of int
        Number of directions per scale, fine to coarse.
    steps : int
        Steps of the network.
    base_rule : Rule
        How the base is weighted.
    """

    directions: tuple[int, ...] = (8, 8, 4)
    steps: int = 60
    base_rule: Rule = field(default_factory=LocalEnergy)

    info: ClassVar[MethodInfo] = MethodInfo(
        name="nsct-pcnn",
        title="NSCT with spatial-frequency-motivated PCNN",
        family="multiscale transforms",
        citation="X.-B. Qu, J.-W. Yan, H.-Z. Xiao, Z.-Q. Zhu, Image fusion algorithm based on spatial "
        "frequency-motivated "
        "pulse coupled neural networks in nonsubsampled contourlet transform domain, Acta Autom. Sin. 34 (2008) "
        "1508-1514",
        sentence="Neurons that fire together choose whole features instead of single coefficients; slow.",
        reproduces="Spatial frequency of the coefficients as stimulus, firing counts as decision; constants are "
        "our choice.",
        survey_reference="36",
        dims=(2,),
        is_fast=False,
        memory_factor=8.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> SliceBankFusion:
        """Windows for the size and spacing of the slices."""
        bank = bank_for(sources, spacing, Tiling(self.directions, angles="angle"))
        return SliceBankFusion(bank, PulseCoupled(FixedNeuron(), self.steps, Gradient()), self.base_rule)
