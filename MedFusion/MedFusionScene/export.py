"""From a result to a scene file and pictures."""

from __future__ import annotations

import logging
from pathlib import Path

import slicer

from MedFusionLib.result import FusionResult
from MedFusionScene.bundle import save_bundle
from MedFusionScene.gl import offscreen_problem
from MedFusionScene.headless import HeadlessApplication, is_slicer_application
from MedFusionScene.pictures import default_logics, draw_pictures
from MedFusionScene.show import show_result

logger = logging.getLogger(__name__)


def scene_from_result(result: FusionResult, *, mrb: str | Path | None = None, png: str | Path | None = None) -> dict:
    """Put a result into a scene, and write the scene file and pictures that are asked for.

    Without an OpenGL library everything but the pictures is written.

    Parameters
    ----------
    result : FusionResult
        The result.
    mrb : path or None
        Scene bundle to write.
    png : path or None
        Existing folder for pictures.

    Returns
    -------
    dict
        ``mrb`` (path or None), ``pictures`` (list of paths, or None), ``message`` (why there are no
        pictures, or None).
    """
    if is_slicer_application():
        return _export(result, slicer.mrmlScene, *default_logics(), mrb, png)
    with HeadlessApplication() as application:
        logics = application.application_logic, application.logics["VolumeRendering"]
        return _export(result, application.scene, *logics, mrb, png)


def _export(result, scene, application_logic, rendering_logic, mrb, png) -> dict:
    nodes = show_result(result, scene)
    written = {"mrb": str(save_bundle(scene, mrb)) if mrb else None, "pictures": None, "message": None}
    if png:
        problem = offscreen_problem()
        if problem:
            logger.warning(problem)
            written["message"] = problem
        else:
            drawn = draw_pictures(nodes, scene, application_logic, rendering_logic, png)
            written["pictures"] = [str(path) for path in drawn]
    return written
