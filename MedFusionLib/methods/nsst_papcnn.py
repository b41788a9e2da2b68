"""Non-subsampled shearlet fusion steered by a parameter-adaptive pulse-coupled neural network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.additive import SliceBankFusion
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.rules import EnergyTimesLaplacian, PulseCoupled, Stronger
from MedFusionLib.methods.rules.pulse_coupled import AdaptiveNeuron
from MedFusionLib.transforms.directional import Tiling, bank_for


@dataclass(frozen=True)
class ShearletPulseCoupledFusion:
    """Firing counts decide in the directional bands, energy and detail of the base decide there.

    Parameters
    ----------
    directions : tuple of int
        Number of directions per scale, fine to coarse.
    steps : int
        Steps of the network.
    """

    directions: tuple[int, ...] = (16, 16, 8, 8)
    steps: int = 110

    info: ClassVar[MethodInfo] = MethodInfo(
        name="nsst-papcnn",
        title="NSST with parameter-adaptive PCNN",
        family="multiscale transforms",
        citation="M. Yin, X. Liu, Y. Liu, X. Chen, Medical image fusion with parameter-adaptive pulse coupled neural "
        "network in nonsubsampled shearlet transform domain, IEEE Trans. Instrum. Meas. 68 (2019) 49-64",
        sentence="A neural network without training, tuned by each band's own statistics; slow, strong on bone "
        "and vessels.",
        reproduces="Directions, 110 steps, adaptive constants, and the base rule (local energy times modified "
        "Laplacian); "
        "shearlet windows as in nsst; slices only.",
        dims=(2,),
        is_fast=False,
        memory_factor=8.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> SliceBankFusion:
        """Windows for the size and spacing of the slices."""
        bank = bank_for(sources, spacing, Tiling(self.directions, angles="slope"))
        return SliceBankFusion(bank, PulseCoupled(AdaptiveNeuron(), self.steps), Stronger(EnergyTimesLaplacian()))
