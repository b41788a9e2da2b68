"""Another fold of the convex weights: of the two cases of MR-PET the other one is held back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import Tensor

from MedFusionLib.errors import UsageError
from MedFusionLib.training.pairs import HELD_BACK, Pairs
from MedFusionLib.training.recipe import Recipe
from MedFusionLib.training.recipes import convex, convex_aims, convex_pairs

SET = "pet_mri"
STAGES = tuple(stage.RECIPE.name for stage in (convex_pairs, convex_aims, convex))
BEGUN = (convex_aims.begun, convex.begun)
"""What the stages after the first make of the weights of the one before."""


def fold(recipe: Recipe, case: str, folder: Path) -> Recipe:
    """The recipe of a stage of the convex weights with one case of MR-PET held back, under a name of its own.

    Parameters
    ----------
    recipe : Recipe
        Of a stage, one of `STAGES`; each goes on from the one before of the same fold.
    case : str
        Is held back instead of those of `HELD_BACK`; the other sets stay as they are.
    folder : Path
        Where the weights of the stage before are.

    Raises
    ------
    UsageError
        When the recipe has no folds.
    """
    if recipe.name not in STAGES:
        raise UsageError(f"The recipe {recipe.name} has no folds", ", ".join(STAGES), "Leave --fold out")
    held_back = {**HELD_BACK, SET: (case,)}
    about = {
        **recipe.about,
        "training_data": {
            **recipe.about["training_data"],
            "held_back": {name: list(cases) for name, cases in held_back.items()},
        },
    }
    folded = replace(recipe, name=f"{recipe.name}-fold{case}", words=f"{recipe.name} --fold {case}", about=about,
                     load=partial(_load, recipe.load, held_back))  # fmt: skip
    place = STAGES.index(recipe.name)
    if place == 0:
        return folded
    return replace(folded, build=partial(BEGUN[place - 1], _left_by(STAGES[place - 1], case, folder)))


def _left_by(stage: str, case: str, folder: Path) -> Callable[[], dict[str, Tensor]]:
    """Reads what a stage of a fold has left in a folder."""
    path = folder / f"{stage}-fold{case}.safetensors"

    def read() -> dict[str, Tensor]:
        from safetensors.torch import load_file

        if not path.is_file():
            raise UsageError(
                f"{path} does not exist", "weights of the stage before of the fold",
                f"Train {stage} --fold {case} into the same folder first",
            )  # fmt: skip
        return {name: value.float() for name, value in load_file(path).items()}

    return read


def _load(load: Callable[..., Pairs], held_back: dict[str, tuple[str, ...]], folder: Path) -> Pairs:
    """Pairs of a folder; a case that is not there is refused."""
    pairs = load(folder, held_back)
    wanted = held_back[SET]
    if not any(pair.set == SET and pair.case in wanted for pair in pairs.test):
        raise UsageError(f"{SET} of {folder} has no case {wanted[0]}", "a case that is there", "Name it with --fold")
    return pairs
