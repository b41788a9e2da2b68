"""Find the cases of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from MedFusionLib.batch.bids import cases_of_bids, is_bids
from MedFusionLib.batch.folders import cases_of_folders
from MedFusionLib.batch.manifest import cases_of_manifest
from MedFusionLib.batch.plan import Plan, PlannedCase, Source, Wishes, shard_of
from MedFusionLib.batch.studies import cases_of_studies
from MedFusionLib.errors import UnreadableFile, UsageError
from MedFusionLib.io.meaning import guess_modality, stem_of

TABLES = (".csv", ".tsv")


def plan_batch(
    source: str | Path,
    out: str | Path,
    wishes: Wishes | None = None,
    *,
    participants: Sequence[str] = (),
    pick: Sequence[str] = (),
    units: dict[str, str] | None = None,
    shard: str = "1/1",
) -> Plan:
    """Say what a batch would do; only names and headers are read.

    Parameters
    ----------
    source : path
        A manifest (CSV or TSV), a BIDS data set, a folder with one folder per case, or a folder of DICOM studies.
    out : path
        Folder for the derivatives.
    wishes : Wishes or None
        What is done with every case.
    participants : sequence of str
        Only these (BIDS label or case name); empty for all.
    pick : sequence of str
        Sources by modality or by a word of their names, reference first; empty for the rules of `choice.chosen`.
    units : dict or None
        Unit by modality, for sources whose files do not say (``{"PT": "SUVbw"}``).
    shard : str
        ``I/N``: the I-th of N parts, for job arrays.

    Returns
    -------
    Plan

    Raises
    ------
    UnreadableFile, UsageError
        When there is no case at all. A case that cannot be run is part of the plan, with its problem.
    """
    path = Path(source)
    if not path.exists():
        raise UnreadableFile(f"No file or folder {path}", "a manifest, a BIDS data set, or a folder of cases")
    kind, cases = _find(path, participants, pick)
    wanted = {name.removeprefix("sub-") for name in participants}
    cases = [case for case in cases if not wanted or case.participant in wanted]
    missing = wanted - {case.participant for case in cases}
    if missing:
        raise UsageError(f"No participant {sorted(missing)[0]!r}", "a case of " + path.name)
    if not cases:
        raise UnreadableFile(f"{path} holds no case", "one folder per case, DICOM studies, BIDS, or a manifest")
    ordered = [_with_units(case, units or {}) for case in sorted(cases, key=lambda case: case.id)]
    plan = Plan(kind, tuple(ordered), str(Path(out).absolute()), wishes or Wishes(), str(path.absolute()))
    return Plan(plan.kind, shard_of(plan.cases, shard), plan.out, plan.wishes, plan.input)


def _find(path: Path, participants: Sequence[str], pick: Sequence[str]) -> tuple[str, list]:
    if path.is_file():
        if path.suffix.lower() not in TABLES:
            raise UsageError(f"{path.name} is no table", "a CSV or TSV file, or a folder")
        return "manifest", cases_of_manifest(path)
    if is_bids(path):
        return "bids", cases_of_bids(path, participants, pick)
    folders = cases_of_folders(path, pick)
    if any(case.problem is None for case in folders) and not _looks_like_dicom(folders):
        return "folders", folders
    studies = cases_of_studies(path, pick)
    return ("dicom", studies) if studies else ("folders", folders)


def _looks_like_dicom(cases: list) -> bool:
    """Whether every source is a folder whose name tells no modality: those are read as studies."""
    sources = [source for case in cases for source in case.sources]
    return all(Path(source.path).is_dir() for source in sources)


def _with_units(case: PlannedCase, units: dict[str, str]) -> PlannedCase:
    """The case, sources without a unit given that of their modality."""
    sources = tuple(
        source if source.unit else replace(source, unit=units.get(source.modality or _modality_of(source)))
        for source in case.sources
    )
    return replace(case, sources=sources)


def _modality_of(source: Source) -> str:
    return guess_modality(stem_of(Path(source.path)))
