"""What each metric means, and which of them belong together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from MedFusionLib.errors import UsageError

STANDARD, ALL = "standard", "all"


@dataclass(frozen=True)
class MetricInfo:
    """Definition of one metric; A are the sources, F the fused image, on the scale 0..255.

    Parameters
    ----------
    name, title : str
        Key in the results, and name for people.
    unit, span : str
        Unit (with the base of a logarithm) and range of the value.
    higher_is_better : bool or None
        None where neither is.
    way : str
        ``whole`` (over all voxels of the volume) or ``slices`` (per slice, averaged over the slices
        in which any source is above two grey levels, or that the mask touches).
    pooling : str
        How several sources become one number: ``F`` (only the fused image counts), ``mean``,
        ``sum``, ``worst``, ``joint`` (all sources enter one formula).
    definition : str
        The formula in words.
    citation : str
        Source of the definition.
    elsewhere : str
        How public implementations differ, and by what factor.
    mask : str
        ``inside`` (only voxels or window centres in the mask count) or ``blank`` (everything outside
        the mask is set to 0 in all images first).
    data_range : float
        The value that stands for white in the definition; inputs are scaled to it.
    standard : bool
        Whether it is in the fast set that follows every fusion.
    needs_roles : bool
        Whether an anatomical or functional source must be known.
    legacy : bool
        Whether it is a widespread form that is kept only to compare with printed tables.
    """

    name: str
    title: str
    unit: str
    span: str
    higher_is_better: bool | None
    way: str
    pooling: str
    definition: str
    citation: str
    elsewhere: str = "-"
    mask: str = "inside"
    data_range: float = 255.0
    standard: bool = False
    needs_roles: bool = False
    legacy: bool = False


def choose(infos: Iterable[MetricInfo], metrics: str | Iterable[str], *, with_roles: bool) -> list[str]:
    """Names of the metrics of a set or list, in the order of the catalogue.

    A set leaves out what needs roles when none are known; a name that is asked for is kept.

    Raises
    ------
    UsageError
        For an unknown name.
    """
    infos = list(infos)
    asked = [metrics] if isinstance(metrics, str) else list(metrics)
    known = {info.name for info in infos}
    unknown = [name for name in asked if name not in known and name not in (STANDARD, ALL)]
    if unknown or not asked:
        raise UsageError(
            f"Unknown metric {', '.join(map(repr, unknown))}" if unknown else "No metric asked for",
            f"{STANDARD}, {ALL}, or some of " + ", ".join(info.name for info in infos),
        )
    return [
        info.name for info in infos
        if info.name in asked
        or ((ALL in asked or (STANDARD in asked and info.standard)) and (with_roles or not info.needs_roles))
    ]  # fmt: skip
