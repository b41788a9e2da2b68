"""The numbers of the maps of trust, and what a person should be warned of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from MedFusionLib.trust.contribution import contribution_summary
from MedFusionLib.trust.invention import invention_summary
from MedFusionLib.trust.lesions import lesion_contrast
from MedFusionLib.trust.loss import loss_summary
from MedFusionLib.trust.stability import stability_summary

MUCH_INVENTION = 0.1


def trust_report(
    names: Sequence[str],
    fused: np.ndarray,
    sources: np.ndarray,
    foreground: np.ndarray,
    maps: dict[str, np.ndarray],
    *,
    spacing_kji_mm: tuple[float, float, float],
    labels: np.ndarray | None = None,
) -> dict:
    """Numbers and warnings as plain JSON types.

    Parameters
    ----------
    names : sequence of str
        How to call each source in a warning, for example ``source 1 (PT)``.
    fused, sources : (K, J, I), (S, K, J, I)
        Fusion index, and normalised sources.
    foreground : (K, J, I) bool
        Where numbers are taken.
    maps : dict
        ``contribution`` and ``invention``, and ``loss`` and ``stability`` where they were asked for.
    spacing_kji_mm : tuple of float
        Voxel size along K, J, I.
    labels : (K, J, I) integers or None
        Lesions on the same grid.

    Returns
    -------
    dict
        ``contribution``, ``invention``, ``lesions``, ``loss`` and ``stability`` (None where not asked for), and
        ``warnings``: sentences.
    """
    lesions = [] if labels is None else lesion_contrast(labels, fused, sources, spacing_kji_mm)
    report = {
        "contribution": contribution_summary(maps["contribution"], sources, foreground, labels),
        "invention": invention_summary(maps["invention"], foreground),
        "lesions": lesions,
        "loss": loss_summary(maps["loss"], foreground) if "loss" in maps else None,
        "stability": stability_summary(maps["stability"], foreground) if "stability" in maps else None,
    }
    return {**report, "warnings": _warnings(names, report)}


def _warnings(names: Sequence[str], report: dict) -> list[str]:
    warnings = []
    for number in report["contribution"]["ignored"]:
        share = report["contribution"]["where_shown"][number]
        warnings.append(
            f"The fused volume hardly uses {names[number]}: its share is {share:.1%} where it shows something."
        )
    if report["invention"]["fraction"] > MUCH_INVENTION:
        share = report["invention"]["fraction"]
        warnings.append(f"{share:.1%} of the fused voxels show what no source has: look at the invention map.")
    for lesion in report["lesions"]:
        if lesion["hidden"]:
            best = max(range(len(names)), key=lambda n: abs(lesion["sources"][n]))
            warnings.append(
                f"The fused volume hides lesion {lesion['label']}: its contrast is {lesion['fused']:.3f} against "
                f"{lesion['sources'][best]:.3f} in {names[best]}."
            )
    return warnings
