"""A contact sheet of the alignment check: two volumes, four ways of looking at them, and the verdict."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import vtk

from MedFusionLib.align.similarity import foreground_level
from MedFusionLib.intensity import default_window
from MedFusionLib.result import Verdict
from MedFusionLib.volume import Volume
from MedFusionScene.compare import compare
from MedFusionScene.display import set_layers, show_colours, show_window, table_for
from MedFusionScene.nodes import node_from_volume
from MedFusionScene.offscreen import OffscreenWindow, save_png, tile
from MedFusionScene.slice_view import SliceView

ORIENTATIONS = ("Axial", "Sagittal", "Coronal")
KINDS = ("checkerboard", "curtain-cross", "edges", "difference")
TILE_PIXELS = 300
_TEXT_PIXELS = 150
_COLOURS = {"pass": (0.6, 1.0, 0.6), "doubt": (1.0, 0.85, 0.4), "fail": (1.0, 0.5, 0.5)}


def draw_check(
    reference: Volume, moving: Volume, verdict: Verdict, scene, application_logic, path: str | Path, *, transform=None
) -> Path:
    """Draw the contact sheet as PNG; needs an OpenGL library, see `gl.offscreen_problem`.

    Parameters
    ----------
    reference, moving : Volume
        The images.
    verdict : Verdict
        What the check said; written below the pictures.
    scene, application_logic
        Of Slicer or of the headless application; the scene is left as it was.
    path : path
        The PNG to write.
    transform
        Reference LPS to moving LPS, or None.

    Returns
    -------
    Path
        The picture: axial, sagittal and coronal from top to bottom; reference, moving image,
        checkerboard, curtain, edges of the moving image on the reference, difference from left to right.
    """
    node = _shown(reference, scene)
    ways = [compare(kind, node, reference, moving, scene, transform=transform) for kind in KINDS]
    other = _shown(moving, scene, reference, transform)
    layers = [("reference", node, None), ("moving", other, None), *((way.kind, node, way.overlay) for way in ways)]
    centre, height = _framing(reference)
    columns = [_column(number, *layer, centre, height, scene, application_logic) for number, layer in enumerate(layers)]
    picture = tile([[tile(list(zip(*columns)))], [_words(verdict, len(columns) * TILE_PIXELS)]])
    for made in (node, other, *(way.overlay for way in ways)):
        scene.RemoveNode(made)
    return save_png(picture, Path(path))


def _shown(volume: Volume, scene, reference: Volume | None = None, transform=None):
    from MedFusionLib.align import resample_to

    aligned = volume if reference is None else resample_to(volume, reference.geometry, transform=transform)
    node = node_from_volume(aligned, scene)
    show_window(node, default_window(volume))
    show_colours(node, table_for(volume.modality))
    return node


def _column(number, caption, background, overlay, centre, height_mm, scene, application_logic) -> list:
    drawn = []
    for row, orientation in enumerate(ORIENTATIONS):
        view = SliceView(
            application_logic, scene, (TILE_PIXELS, TILE_PIXELS), f"MedFusionCheck-{number}-{orientation}", orientation
        )
        set_layers(view.composite, background, overlay, 1.0)
        view.look_at(centre, centre, height_mm)
        view.annotate(caption if row == 0 else "", footer="research use only" if row == 2 and number == 0 else "")
        drawn.append(view.picture())
        view.close()
    return drawn


def _framing(reference: Volume) -> tuple[np.ndarray, float]:
    """Centre of the body, and the height to show in mm."""
    body = np.argwhere(reference.array > foreground_level(reference.array))[:, ::-1]
    points = reference.geometry.to_ras(body) if len(body) else reference.geometry.corners_ras()
    low, high = np.percentile(points, (1, 99), axis=0)
    return (low + high) / 2, float((high - low).max()) * 1.1 + 10


def _words(verdict: Verdict, width: int):
    """The verdict and its reasons as a picture."""
    window = OffscreenWindow(width, _TEXT_PIXELS)
    actor = vtk.vtkTextActor()
    lines = [f"Alignment: {verdict.status}"]
    for reason in verdict.reasons:
        lines.extend(textwrap.wrap(reason, width // 8, subsequent_indent="   "))
    actor.SetInput("\n".join(lines[:8]))
    look = actor.GetTextProperty()
    look.SetFontSize(14)
    look.SetColor(*_COLOURS[verdict.status])
    look.SetVerticalJustificationToTop()
    actor.SetPosition(10, _TEXT_PIXELS - 10)
    window.add_renderer().AddViewProp(actor)
    picture = window.picture()
    window.close()
    return picture
