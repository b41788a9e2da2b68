"""Fusion rules: from the sources' bands to the weight of each source in each sample.

Every rule takes bands of shape (N, S, *spatial) and returns weights that broadcast to that shape,
are not negative and sum to 1 over S. A fused band is then ``(weights * bands).sum(1)``, and what
came from source s is ``weights[:, s] * bands[:, s]``: selection and weighting are one thing, and
the contribution map of a method follows without further work. Ties are shared equally, so that
swapping the sources cannot change the result.
"""

from MedFusionLib.methods.rules.activity import (
    Energy,
    EnergyTimesLaplacian,
    Gradient,
    InProportion,
    Stronger,
    SumModifiedLaplacian,
    Variance,
)
from MedFusionLib.methods.rules.base import Rule, add_fused, combine, share_between_winners
from MedFusionLib.methods.rules.choose_max import ChooseMax
from MedFusionLib.methods.rules.local_energy import LocalEnergy
from MedFusionLib.methods.rules.match import MatchMeasure
from MedFusionLib.methods.rules.pulse_coupled import PulseCoupled
from MedFusionLib.methods.rules.tempered import Tempered
from MedFusionLib.methods.rules.weighted import Weighted

__all__ = [
    "ChooseMax",
    "Energy",
    "EnergyTimesLaplacian",
    "Gradient",
    "InProportion",
    "LocalEnergy",
    "MatchMeasure",
    "PulseCoupled",
    "Rule",
    "Stronger",
    "SumModifiedLaplacian",
    "Tempered",
    "Variance",
    "Weighted",
    "add_fused",
    "combine",
    "share_between_winners",
]
