"""Which volumes of a case are fused, and on whose grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from MedFusionLib.batch.plan import PlannedCase, Source
from MedFusionLib.errors import UsageError

ORDER = ("CT", "MR", "PT", "NM")
"""The first that is there gives the grid."""
MOST_SOURCES = 4


@dataclass(frozen=True)
class Candidate:
    """A volume that a case may use: its source, modality, and words of its name (lower case)."""

    source: Source
    modality: str
    words: tuple[str, ...]


def chosen(case: PlannedCase, candidates: Sequence[Candidate], pick: Sequence[str]) -> PlannedCase:
    """The case with its sources chosen, and the rules told.

    With `pick` each entry names one source by modality or by a word of its name, reference first. Without it the first
    volume of each modality is taken, in the order CT, MR, PT, NM; with one modality only, its first two volumes.

    Raises
    ------
    UsageError
        When what is named is not there, or fewer than two volumes are left.
    """
    if pick:
        found = [_named(name, candidates) for name in pick]
        rules = [f"{name}: {_tell(one)}" for name, one in zip(pick, found)]
        return _with(case, found, (*rules, "chosen by name"))
    known = sorted((c for c in candidates if c.modality in ORDER), key=lambda c: ORDER.index(c.modality))
    firsts = [next(c for c in known if c.modality == modality) for modality in ORDER
              if any(c.modality == modality for c in known)]  # fmt: skip
    found = firsts if len(firsts) > 1 else known[:2]
    if len(found) < 2:
        raise UsageError(f"{len(known)} volumes of a known modality", "at least two to fuse", "Name them with --pick")
    rules = [f"{c.modality}: {_tell(c)}" + (", reference" if n == 0 else "") for n, c in enumerate(found)]
    passed = [_tell(c) for c in candidates if c not in found]
    rules += ["passed over: " + ", ".join(passed)] if passed else []
    return _with(case, found, tuple(rules))


def _with(case: PlannedCase, found: Sequence[Candidate], rules: tuple[str, ...]) -> PlannedCase:
    if not 2 <= len(found) <= MOST_SOURCES:
        raise UsageError(f"{len(found)} sources", f"two to {MOST_SOURCES}")
    return replace(case, sources=tuple(c.source for c in found), chosen_by=(*case.chosen_by, *rules))


def _named(name: str, candidates: Sequence[Candidate]) -> Candidate:
    wanted = name.lower()
    for candidate in candidates:
        if wanted == candidate.modality.lower() or wanted in candidate.words:
            return candidate
    there = ", ".join(sorted({word for c in candidates for word in (c.modality, *c.words)})) or "nothing"
    raise UsageError(f"No volume named {name!r}", "one of " + there)


def _tell(candidate: Candidate) -> str:
    return " ".join(candidate.words) or candidate.modality
