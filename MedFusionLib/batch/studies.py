"""Cases from DICOM studies: which series belong together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from MedFusionLib.batch.choice import Candidate, chosen
from MedFusionLib.batch.plan import PlannedCase, Source, problem_of
from MedFusionLib.errors import MedFusionError, UsageError
from MedFusionLib.io.dicom_list import Listed, list_dicom
from MedFusionLib.io.identity import hashed_uid

LEAST_SLICES = 5
_NOT_ACQUIRED = {"LOCALIZER", "SECONDARY", "SCREEN SAVE", "MIP", "MPR", "REFORMATTED"}
_NAME_DIGITS = 8


def cases_of_studies(path: Path, pick: Sequence[str]) -> list[PlannedCase]:
    """One case per study and frame of reference, named by a hash.

    Series of one study that share a frame of reference belong together. Localisers, secondary captures and series with
    less than five slices are passed over. PET with attenuation correction comes before PET without; of several
    series of one modality the one with the most slices comes first. Where every frame of a study holds one modality
    only, the study is one case, whatever the frames (the alignment verdict decides).
    """
    listing = list_dicom(path)
    details = {hashed_uid(series.uid): series.headers[0].dataset for series in listing.series}
    images = [entry for entry in listing.entries if entry.kind == "image"]
    by_study = sorted(images, key=lambda entry: _study(details, entry))
    return [case for study, entries in groupby(by_study, lambda entry: _study(details, entry))
            for case in _cases(study, list(entries), details, pick)]  # fmt: skip


def _cases(study: str, entries: list[Listed], details: dict, pick: Sequence[str]) -> list[PlannedCase]:
    usable = [entry for entry in entries if not _reason_against(entry, details)]
    rules = [f"passed over a series of {entry.modality}: {reason}" for entry in entries
             if (reason := _reason_against(entry, details))]  # fmt: skip
    frames: dict[str, list[Listed]] = {}
    for entry in usable:
        frames.setdefault(entry.frame_of_reference, []).append(entry)
    together = {frame: found for frame, found in frames.items() if len({e.modality for e in found}) > 1}
    if not together:
        rule = "all frames of reference of the study together, as none holds two modalities"
        return [_case(study[:_NAME_DIGITS], usable, details, (*rules, rule), pick)]
    rule = "series of one study and one frame of reference"
    single = len(together) == 1
    return [
        _case(study[:_NAME_DIGITS] + ("" if single else f"f{n}"), found, details, (*rules, rule), pick)
        for n, (_, found) in enumerate(sorted(together.items()), start=1)
    ]


def _case(name: str, entries: list[Listed], details: dict, rules: tuple[str, ...], pick) -> PlannedCase:
    ordered = sorted(entries, key=lambda entry: _rank(entry, details))
    candidates = [Candidate(_source(entry), entry.modality, _words(entry, details)) for entry in ordered]
    try:
        if not candidates:
            raise UsageError("A study without a volume", "two series to fuse")
        return chosen(PlannedCase(name, chosen_by=rules), candidates, pick)
    except MedFusionError as error:
        return PlannedCase(name, chosen_by=rules, problem=problem_of(error))


def _source(entry: Listed) -> Source:
    return Source(str(entry.folder), series=entry.series, part=entry.part, voxels=math.prod(entry.stack.geometry.shape))


def _study(details: dict, entry: Listed) -> str:
    found = details.get(entry.series)
    return hashed_uid(found.get("StudyInstanceUID")) if found is not None else "unknown"


def _reason_against(entry: Listed, details: dict) -> str:
    """Why a series is not used; empty when it may be."""
    if entry.stack is None:
        return entry.problems[0] if entry.problems else "no volume"
    if entry.stack.geometry.shape[0] < LEAST_SLICES:
        return f"{entry.stack.geometry.shape[0]} slices"
    kinds = {str(value).upper() for value in details[entry.series].get("ImageType", None) or ()}
    return "image type " + sorted(kinds & _NOT_ACQUIRED)[0] if kinds & _NOT_ACQUIRED else ""


def _rank(entry: Listed, details: dict) -> tuple:
    corrected = {str(value).upper() for value in details[entry.series].get("CorrectedImage", None) or ()}
    without = entry.modality == "PT" and "ATTN" not in corrected
    return (without, -entry.stack.geometry.shape[0], entry.series, entry.part or 0)


def _words(entry: Listed, details: dict) -> tuple[str, ...]:
    number = details[entry.series].get("SeriesNumber")
    slices = f"{entry.stack.geometry.shape[0]} slices"
    return (entry.modality.lower(), slices) if number is None else (entry.modality.lower(), f"series {number}", slices)
