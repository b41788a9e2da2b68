"""Commands that need a scene: scene and demo."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from MedFusionLib.commands.base import Command, interruptible, progress_bar, table
from MedFusionLib.commands.fuse import describe_folder
from MedFusionLib.commands.fuse import show as show_fuse

FUNCTIONAL_TEMPLATES = ("PET", "SPECT")


def _add_scene_arguments(parser) -> None:
    parser.add_argument("result", metavar="RESULT_DIR", help="a result folder")
    parser.add_argument("--mrb", metavar="FILE", help="scene bundle to write (default: scene.mrb in the result folder)")
    parser.add_argument("--png", metavar="DIR", help="folder for pictures (default: the result folder)")


def _run_scene(arguments) -> dict:
    from MedFusionLib.io import load_result
    from MedFusionScene.export import scene_from_result

    folder = Path(arguments.result)
    result = load_result(folder)
    png = Path(arguments.png) if arguments.png else folder
    png.mkdir(parents=True, exist_ok=True)
    return scene_from_result(result, mrb=arguments.mrb or folder / "scene.mrb", png=png)


def _show_scene(document: dict) -> str:
    pictures = document["pictures"] or [document["message"]]
    return "\n".join([f"Scene: {document['mrb']}", *(f"Picture: {picture}" for picture in pictures)])


def _add_demo_arguments(parser) -> None:
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--overwrite", action="store_true", help="replace an older demo")


def _run_demo(arguments) -> dict:
    """MR with PET in the folder itself, and MR with SPECT beside it."""
    from MedFusionLib.io.results import check_target

    folders = [Path(arguments.out) / f"mr-{name.lower()}" for name in FUNCTIONAL_TEMPLATES]
    for folder in folders:
        check_target(folder, overwrite=arguments.overwrite)
    with interruptible() as cancelled, progress_bar("Demo") as progress:
        documents = [
            _fuse_templates(name, folder, arguments.overwrite, progress, cancelled)
            for name, folder in zip(FUNCTIONAL_TEMPLATES, folders)
        ]
    return {**documents[0], "also": documents[1:]}


def _fuse_templates(name: str, folder: Path, overwrite, progress, cancelled) -> dict:
    import MedFusionLib
    from MedFusionLib.io.results import save_result
    from MedFusionScene.demo import LICENCE, demo_case
    from MedFusionScene.export import scene_from_result

    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="medfusion-demo-") as unpacked:
        case, lesion = demo_case(["T1", name], unpacked)
    result = MedFusionLib.fuse(case, tumour=lesion, progress=progress, cancelled=cancelled)
    save_result(result, folder, overwrite=overwrite)
    drawn = scene_from_result(result, mrb=folder / "scene.mrb", png=folder)
    (folder / "data.json").write_text(json.dumps({"licence": LICENCE}, indent=2) + "\n", encoding="utf-8")
    return {**describe_folder(folder, seconds=time.perf_counter() - started), **drawn}


def _show_demo(document: dict) -> str:
    parts = []
    for one in (document, *document["also"]):
        parts.append(show_fuse(one))
        parts.append(table([(step, f"{seconds:.2f}") for step, seconds in one["timings"].items()], ("step", "seconds")))
        parts.append(_show_scene(one))
    return "\n\n".join(parts)


COMMANDS = (
    Command(
        "scene", "turn a result into a 3D Slicer scene and pictures", _add_scene_arguments, _run_scene, _show_scene
    ),
    Command("demo", "run the main job on the demo case", _add_demo_arguments, _run_demo, _show_demo),
)
