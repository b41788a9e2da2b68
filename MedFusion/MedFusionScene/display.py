"""How volumes look: windows, colour maps, layers and opacity."""

from __future__ import annotations

from collections.abc import Callable

import slicer

from MedFusionLib.colour import lookup_table, table_title
from MedFusionLib.errors import UsageError
from MedFusionLib.intensity import Window
from MedFusionLib.volume import FUNCTIONAL_MODALITIES
from MedFusionScene.nodes import modality_of

FUNCTIONAL_TABLE = "inferno"


def show_window(node, window: Window) -> None:
    """Display a volume node with a window, not with one that Slicer guesses."""
    node.CreateDefaultDisplayNodes()  # a node made by a script may have none
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(window.lower, window.upper)


def window_shown(node) -> Window | None:
    """The window that a volume node is displayed with now; None when it is not displayed, or the window is empty."""
    display = node.GetDisplayNode()
    if display is None or display.GetWindowLevelMin() >= display.GetWindowLevelMax():
        return None
    return Window(display.GetWindowLevelMin(), display.GetWindowLevelMax())


def show_colours(node, table: str) -> None:
    """Display a scalar volume node through a colour table."""
    node.GetDisplayNode().SetAndObserveColorNodeID(colour_node(node.GetScene(), table).GetID())


def table_for(modality: str) -> str:
    """The colour table that a modality is shown with."""
    return FUNCTIONAL_TABLE if modality in FUNCTIONAL_MODALITIES else "grey"


def colour_node(scene, table: str):
    """The scene's colour node for one of the library's tables; made when Slicer has none of that name."""
    title = table_title(table)
    found = scene.GetFirstNodeByName(title)
    if found is not None and found.IsA("vtkMRMLColorNode"):
        return found
    node = scene.AddNewNodeByClass("vtkMRMLColorTableNode", title)
    node.SetTypeToUser()
    node.SetNumberOfColors(256)
    for number, (red, green, blue) in enumerate(lookup_table(table)):
        node.SetColor(number, f"{number}", red, green, blue, 1.0)
    node.SetHideFromEditors(False)
    return node


def composite_nodes(scene) -> list:
    """The composite nodes of all slice views."""
    kind = "vtkMRMLSliceCompositeNode"
    return [scene.GetNthNodeByClass(n, kind) for n in range(scene.GetNumberOfNodesByClass(kind))]


def set_layers(composite, background, foreground=None, opacity: float = 0.5) -> None:
    """Put volumes into the layers of one view; the foreground is not cut at the background's border."""
    composite.SetBackgroundVolumeID(background.GetID() if background else None)
    composite.SetForegroundVolumeID(foreground.GetID() if foreground else None)
    composite.SetLabelVolumeID(None)
    composite.SetCompositing(slicer.vtkMRMLSliceCompositeNode.Alpha)
    composite.SetClipToBackgroundVolume(False)
    set_opacity(composite, opacity)


def kept_layers(composite) -> Callable[[], None]:
    """A function that brings back the layers of one view as they are now, as far as their volumes still exist."""
    background, foreground, label = (
        composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID(), composite.GetLabelVolumeID()
    )  # fmt: skip
    opacity, compositing = composite.GetForegroundOpacity(), composite.GetCompositing()

    def restore() -> None:
        scene = composite.GetScene()
        if scene is None:
            return
        alive = [one if one and scene.GetNodeByID(one) is not None else None for one in (background, foreground, label)]
        composite.SetBackgroundVolumeID(alive[0])
        composite.SetForegroundVolumeID(alive[1])
        composite.SetLabelVolumeID(alive[2])
        composite.SetCompositing(compositing)
        composite.SetForegroundOpacity(opacity)

    return restore


def set_opacity(composite, opacity: float) -> None:
    """Linear opacity of the foreground: 0 shows the anatomy only, 1 the function only.

    Raises
    ------
    UsageError
        For an opacity outside 0..1.
    """
    if not 0 <= opacity <= 1:
        raise UsageError(f"Opacity {opacity}", "a number from 0 (anatomy only) to 1 (function only)")
    composite.SetForegroundOpacity(opacity)


def layer_order(nodes) -> tuple:
    """Of volume nodes, reference first: which one goes below (anatomy) and which one above (function)."""
    functional = [node for node in nodes if modality_of(node) in FUNCTIONAL_MODALITIES]
    above = next((node for node in functional if node is not nodes[0]), nodes[1])
    below = next((node for node in nodes if node is not above and node not in functional), nodes[0])
    return below, above
