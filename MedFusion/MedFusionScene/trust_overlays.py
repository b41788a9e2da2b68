"""Maps of trust on top of the fused volume, each with its colours, threshold and legend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from MedFusionLib.errors import UsageError
from MedFusionLib.intensity import Window
from MedFusionLib.trust import invention, loss
from MedFusionScene.display import set_layers, show_window
from MedFusionScene.legends import show_legend
from MedFusionScene.result_nodes import ResultNodes

OPACITY = 0.75


@dataclass(frozen=True)
class Look:
    """How a map is shown.

    Parameters
    ----------
    title : str
        Of the legend, with the unit.
    colour : str
        Name of a colour node that Slicer brings along.
    window : Window
        Values from the first to the last colour.
    threshold : float
        Below it the map is transparent.
    """

    title: str
    colour: str
    window: Window
    threshold: float


LOOKS = {
    "contribution": Look("Share (0..1)", "Rainbow", Window(0.0, 1.0), 1e-3),
    "invention": Look("In no source (index)", "Red", Window(0.0, 0.2), invention.SIGNIFICANT),
    "loss": Look("Lost (index)", "Yellow", Window(0.0, 0.2), loss.SIGNIFICANT),
    "stability": Look("Change at 1 mm (index)", "Cyan", Window(0.0, 0.1), 0.01),
}


def overlay_map(nodes: ResultNodes, name: str, composites: Iterable, *, source: int = 0):
    """Put a map on top of the fused volume in slice views, with a legend.

    Parameters
    ----------
    nodes : ResultNodes
        The result in the scene.
    name : {"contribution", "invention", "loss", "stability"}
        Which map.
    composites : iterable of vtkMRMLSliceCompositeNode
        The views.
    source : int
        Which source, for contribution and loss.

    Returns
    -------
    vtkMRMLScalarVolumeNode
        The map's node.

    Raises
    ------
    UsageError
        For an unknown map, or one that the result does not have.
    """
    if name not in LOOKS:
        raise UsageError(f"Unknown map {name!r}", "one of " + ", ".join(LOOKS))
    found = getattr(nodes, name)
    if isinstance(found, tuple):
        found = found[source] if source < len(found) else None
    if found is None:
        raise UsageError(f"The result has no {name} map of source {source}", "a map that was asked for with the fusion")
    look_at_map(found, LOOKS[name])
    for composite in composites:
        set_layers(composite, nodes.fused, found, OPACITY)
    return found


def look_at_map(node, look: Look) -> None:
    """Give a map its colours, threshold and legend."""
    show_window(node, look.window)
    display = node.GetDisplayNode()
    colours = node.GetScene().GetFirstNodeByName(look.colour)
    if colours is not None:
        display.SetAndObserveColorNodeID(colours.GetID())
    display.SetAutoThreshold(False)
    display.SetThreshold(look.threshold, 1e30)
    display.SetApplyThreshold(True)
    show_legend(node, title=look.title)
