"""Rules by name, so that the command line and scripts can choose them."""

from __future__ import annotations

from MedFusionLib.errors import UsageError
from MedFusionLib.methods.rules.activity import (
    Energy,
    EnergyTimesLaplacian,
    Gradient,
    InProportion,
    Stronger,
    SumModifiedLaplacian,
    Variance,
)
from MedFusionLib.methods.rules.base import Rule
from MedFusionLib.methods.rules.choose_max import ChooseMax
from MedFusionLib.methods.rules.information import RegionInformation
from MedFusionLib.methods.rules.local_energy import LocalEnergy
from MedFusionLib.methods.rules.match import MatchMeasure
from MedFusionLib.methods.rules.phase import PhaseCongruency
from MedFusionLib.methods.rules.pulse_coupled import FixedNeuron, PulseCoupled
from MedFusionLib.methods.rules.saliency import GuidedSaliency
from MedFusionLib.methods.rules.weighted import Weighted

RULES: dict[str, Rule] = {
    "average": Weighted(),
    "choose-max": ChooseMax(),
    "local-energy": LocalEnergy(),
    "max-energy": Stronger(Energy()),
    "max-variance": Stronger(Variance()),
    "variance": InProportion(Variance()),
    "max-gradient": Stronger(Gradient()),
    "gradient": InProportion(Gradient()),
    "max-laplacian": Stronger(SumModifiedLaplacian()),
    "max-energy-laplacian": Stronger(EnergyTimesLaplacian()),
    "match": MatchMeasure(),
    "phase-congruency": Stronger(PhaseCongruency()),
    "region-information": InProportion(RegionInformation()),
    "guided-saliency": GuidedSaliency(),
    "pcnn": PulseCoupled(FixedNeuron()),
    "pa-pcnn": PulseCoupled(),
}
"""Every rule with its usual settings."""


def rule_named(name: str) -> Rule:
    """The rule of that name.

    Raises
    ------
    UsageError
        For a name that is not in `RULES`.
    """
    if name not in RULES:
        raise UsageError(f"Unknown rule {name!r}", "one of " + ", ".join(RULES))
    return RULES[name]
