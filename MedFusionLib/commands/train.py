"""medfusion train: train a network by its recipe."""

from __future__ import annotations

from pathlib import Path

from MedFusionLib.commands.base import Command, existing_folder, interruptible, progress_bar
from MedFusionLib.errors import UsageError
from MedFusionLib.training.instructions import VARIABLES, hold_to


def add_arguments(parser) -> None:
    """RECIPE --data DIR --fold CASE --minutes M --instructions I --out DIR."""
    parser.add_argument("recipe", metavar="RECIPE", help="name of the weights, for example densefuse")
    parser.add_argument("--data", metavar="DIR", help="folder with the training data, for recipes that need one")
    parser.add_argument(
        "--fold", metavar="CASE", help="hold back this case of MR-PET instead: convex-pairs, convex-aims, then convex"
    )
    parser.add_argument("--minutes", type=float, metavar="M", help="stop after this time; the same call goes on")
    parser.add_argument(
        "--instructions", choices=tuple(VARIABLES), help="take no wider ones, for the bits of processors without them"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for weights, card, curve and checkpoint")
    parser.add_argument("--overwrite", action="store_true", help="replace weights that exist")


def run(arguments) -> dict:
    """Train."""
    if arguments.instructions:
        hold_to(arguments.instructions)
    from MedFusionLib.training.fold import fold
    from MedFusionLib.training.recipes import recipe_named
    from MedFusionLib.training.runner import TrainOptions, train

    recipe, out = recipe_named(arguments.recipe), Path(arguments.out)
    if arguments.fold:
        recipe = fold(recipe, arguments.fold, out)
    weights = out / f"{recipe.name}.safetensors"
    if weights.exists() and not arguments.overwrite:
        raise UsageError(f"{weights} exists", "a new folder", "Choose another one or allow overwriting")
    data = existing_folder(arguments.data) if arguments.data else None
    with interruptible() as cancelled, progress_bar(f"Training {recipe.name}") as progress:
        return train(recipe, TrainOptions(data, out, arguments.minutes), progress, cancelled)


def show(document: dict) -> str:
    """One line."""
    if not document["finished"]:
        return f"{document['steps']} steps in {document['seconds']:.0f} s; the same command goes on"
    return f"{document['steps']} steps in {document['seconds']:.0f} s: {document['weights']}"


COMMAND = Command("train", "train a network by its recipe", add_arguments, run, show)
