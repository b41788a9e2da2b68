"""Colour legends: values and unit of a source, beside the picture."""

from __future__ import annotations

from collections.abc import Iterable

import slicer

from MedFusionLib.errors import UsageError
from MedFusionLib.units import ARBITRARY, UNKNOWN
from MedFusionScene.nodes import modality_of, unit_of

TEXT_SIZE = 12


def legend_title(node) -> str:
    """What a legend of a volume node says above its numbers: modality and unit."""
    unit = unit_of(node)
    return f"{modality_of(node)}, {UNKNOWN.meaning if not unit.is_known else unit}"


def has_real_unit(node) -> bool:
    """Whether the values of a volume node mean something (HU, SUV, Bq/ml): MR and unknown units do not."""
    return unit_of(node) not in (UNKNOWN, ARBITRARY)


def show_legend(node, *, title: str | None = None, views: Iterable[str] = ()):
    """Show the colour legend of a scalar volume.

    Parameters
    ----------
    node : vtkMRMLScalarVolumeNode
        A source or a map. A fused volume in colours has no legend: its colours are no values.
    title : str or None
        None says modality and unit.
    views : iterable of str
        IDs of the view nodes that show it; none means all views with this volume.

    Returns
    -------
    vtkMRMLColorLegendDisplayNode

    Raises
    ------
    UsageError
        For a colour volume.
    """
    if node.IsA("vtkMRMLVectorVolumeNode"):
        raise UsageError(
            f"{node.GetName()} is in colour", "a source or a map", "Colours of a fused volume are no values"
        )
    # a view notices only legends that are added while it is there: an older one would not show in a new view
    older = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node)
    if older is not None:
        node.GetScene().RemoveNode(older)
    legend = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(node)
    legend.SetAndObserveColorNodeID(node.GetDisplayNode().GetColorNodeID())
    for look in (legend.GetTitleTextProperty(), legend.GetLabelTextProperty()):
        look.SetFontSize(TEXT_SIZE)
        look.SetFontFamilyToArial()
        look.SetBold(False)
    legend.SetSize(0.13, 0.36)
    legend.SetPosition(0.98, 0.04)
    legend.SetLabelFormat("%8.3g")  # equal widths: the actor fits its fonts to them
    legend.SetNumberOfLabels(5)
    legend.SetTitleText(legend_title(node) if title is None else title)
    legend.RemoveAllViewNodeIDs()
    for view in views:
        legend.AddViewNodeID(view)
    legend.SetVisibility(True)
    return legend


def hide_legend(node) -> None:
    """Take the colour legend of a volume away."""
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node)
    if legend is not None:
        legend.SetVisibility(False)
