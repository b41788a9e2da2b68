"""All PET rules at once: how much the choice of one moves the volume."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from MedFusionLib.errors import MedFusionError, UsageError
from MedFusionLib.segment.agreement import measure_agreement
from MedFusionLib.segment.percist import percist_rule
from MedFusionLib.segment.spot import Found, mark_spot
from MedFusionLib.segment.surface import cropped_geometry
from MedFusionLib.segment.threshold import PetRule, delineate, parse_threshold
from MedFusionLib.volume import Volume

COMPARED = ("suv2.5", "suv3", "suv4", "suvmax41", "suvmax42", "suvmax50", "adaptive", "nestle", "otsu", "gradient")


@dataclass(frozen=True)
class RuleOutcome:
    """What one rule makes of a lesion.

    Parameters
    ----------
    rule : str
        Its name.
    threshold_suv : float or None
        SUV; None for a rule without one.
    volume_ml, suv_mean, tlg_g : float or None
        Metabolic tumour volume, mean SUV and their product; None where the rule failed.
    dice, hd95_mm, nsd : float or None
        Agreement with the vote of all rules, see `agreement`.
    refused : str
        Why it failed; empty otherwise.
    """

    rule: str
    threshold_suv: float | None = None
    volume_ml: float | None = None
    suv_mean: float | None = None
    tlg_g: float | None = None
    dice: float | None = None
    hd95_mm: float | None = None
    nsd: float | None = None
    refused: str = ""


@dataclass(frozen=True)
class Comparison:
    """All rules, and how far their volumes lie apart.

    Parameters
    ----------
    outcomes : tuple of RuleOutcome
        One per rule.
    smallest_ml, median_ml, largest_ml : float
        Over the rules that found something.
    vote_ml : float
        Volume of the voxels that at least half of those rules take.
    """

    outcomes: tuple[RuleOutcome, ...]
    smallest_ml: float
    median_ml: float
    largest_ml: float
    vote_ml: float


def compare_rules(
    volume: Volume,
    *,
    region: np.ndarray | None = None,
    seed: tuple[float, float, float] | None = None,
    liver: tuple[float, float, float] | None = None,
    blood_pool: tuple[float, float, float] | None = None,
    rules: tuple[str, ...] = COMPARED,
) -> Comparison:
    """Delineate one marked lesion by every rule.

    PERCIST joins in when its reference tissue is given. A rule that refuses keeps its reason and
    does not stop the others.

    Parameters
    ----------
    volume : Volume
        PET in SUVbw.
    region, seed
        The mark, see `threshold_segmentation`; one is needed.
    liver, blood_pool
        See `percist_rule`.
    rules : tuple of str
        Names, see `parse_threshold`.

    Raises
    ------
    UsageError
        Without a mark, or when every rule refuses.
    """
    spot = mark_spot(volume, region=region, seed=seed)
    if spot is None:
        raise UsageError("All thresholds at once without a region or a seed", "a region or a seed")
    asked = [parse_threshold(name) for name in rules]
    if liver is not None or blood_pool is not None:
        asked.append(percist_rule(volume, liver=liver, blood_pool=blood_pool))
    told = [_outcome(spot, rule) for rule in asked]
    masks = [found for _, found in told if found is not None]
    if not masks:
        raise UsageError("No rule finds a lesion: " + "; ".join(one.refused for one, _ in told), "a lesion")
    outcomes, vote_ml = _with_agreement(told, masks, volume)
    volumes = [one.volume_ml for one in outcomes if one.volume_ml is not None]
    return Comparison(outcomes, min(volumes), float(np.median(volumes)), max(volumes), vote_ml)


def _with_agreement(
    told: list[tuple[RuleOutcome, Found | None]], masks: list[Found], volume: Volume
) -> tuple[tuple[RuleOutcome, ...], float]:
    """The outcomes with their agreement with the vote, and the vote's volume; only the box around all is looked at."""
    low = np.min([[s.start for s in one.box] for one in masks], axis=0)
    high = np.max([[s.stop for s in one.box] for one in masks], axis=0)
    geometry = cropped_geometry(volume.geometry, tuple(slice(int(a), int(b)) for a, b in zip(low, high)))

    def whole(found: Found) -> np.ndarray:
        mask = np.zeros(high - low, bool)
        mask[tuple(slice(s.start - a, s.stop - a) for s, a in zip(found.box, low))] = found.mask
        return mask

    vote = np.mean([whole(one) for one in masks], axis=0) >= 0.5
    outcomes = []
    for outcome, found in told:
        if found is not None:
            agreed = measure_agreement(whole(found), vote, geometry)
            outcome = replace(outcome, dice=agreed.dice, hd95_mm=agreed.hd95_mm, nsd=agreed.nsd)
        outcomes.append(outcome)
    return tuple(outcomes), float(vote.sum()) * geometry.voxel_volume_ml


def _outcome(spot, rule: PetRule) -> tuple[RuleOutcome, Found | None]:
    try:
        found, threshold = delineate(spot, rule)
    except MedFusionError as error:
        return RuleOutcome(rule.name, refused=str(error)), None
    values = spot.volume.array[found.box][found.mask]
    volume_ml = values.size * spot.volume.geometry.voxel_volume_ml
    mean = float(values.mean(dtype=np.float64))
    return RuleOutcome(rule.name, threshold, volume_ml, mean, mean * volume_ml), found
