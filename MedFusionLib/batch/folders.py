"""Cases from a folder that holds one folder per case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from MedFusionLib.batch.choice import chosen
from MedFusionLib.batch.files import volumes_in, words_of
from MedFusionLib.batch.plan import PlannedCase, label, problem_of
from MedFusionLib.errors import MedFusionError, UsageError
from MedFusionLib.io.meaning import guess_modality, stem_of


def cases_of_folders(path: Path, pick: Sequence[str]) -> list[PlannedCase]:
    """One case per subfolder; its volumes are told apart by their names.

    Label maps (``mask``, ``seg``, ``gtv`` ... in the name) are never sources; a single one is taken as the tumour, of
    several the one whose name has the modality of the reference.
    """
    return [_case(folder, pick) for folder in sorted(path.iterdir()) if folder.is_dir() and folder.name[0] != "."]


def _case(folder: Path, pick: Sequence[str]) -> PlannedCase:
    case = PlannedCase("unnamed")
    try:
        candidates, masks = volumes_in(folder)
        case = PlannedCase(label(folder.name))
        if not candidates and not masks:
            raise UsageError(f"The folder {folder.name} is empty", "two or more volumes")
        return _with_tumour(chosen(case, candidates, pick), masks)
    except (MedFusionError, OSError) as error:
        if isinstance(error, OSError):
            error = UsageError(f"The folder {folder.name} cannot be listed ({type(error).__name__})")
        return PlannedCase(case.participant, problem=problem_of(error))


def _with_tumour(case: PlannedCase, masks: Sequence[Path]) -> PlannedCase:
    wanted = guess_modality(stem_of(Path(case.sources[0].path)))
    fitting = masks if len(masks) == 1 else [mask for mask in masks if guess_modality(stem_of(mask)) == wanted]
    if len(fitting) != 1:
        return case
    rule = "tumour: " + " ".join(words_of(fitting[0]))
    return replace(case, tumour=str(fitting[0]), chosen_by=(*case.chosen_by, rule))
