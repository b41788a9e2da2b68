"""Look at two volumes together: checkerboard, curtain, flicker, edges, difference.

Every comparison is a scalar volume that goes into the foreground layer of a slice view, on top of
the reference. What must not cover the reference holds a value below the display threshold and is
transparent. So windows, colours and opacity stay adjustable, and the same objects work in 3D Slicer
and in offscreen pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from MedFusionLib.align import resample_to
from MedFusionLib.errors import UsageError
from MedFusionLib.intensity import Window, default_window, normalise
from MedFusionLib.units import FUSION_INDEX
from MedFusionLib.volume import Geometry, Volume
from MedFusionScene.display import set_layers, set_opacity, show_colours, table_for
from MedFusionScene.nodes import node_from_volume

KINDS = ("checkerboard", "curtain-vertical", "curtain-horizontal", "curtain-cross", "edges", "difference")
CELL_MM = 25.0
EDGE_SHARE = 0.12
"""Share of the voxels that are not flat, the steepest ones, that count as edges."""
_EDGE_SMOOTHING_MM = 1.5


@dataclass(frozen=True, eq=False)
class Comparison:
    """One way of looking at two volumes.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    background : vtkMRMLScalarVolumeNode
        The reference.
    overlay : vtkMRMLScalarVolumeNode
        What goes on top of it.
    """

    kind: str
    background: object
    overlay: object

    def show(self, composites: Iterable) -> None:
        """Put it into slice views."""
        for composite in composites:
            set_layers(composite, self.background, self.overlay, 1.0)


class Flicker:
    """Show the reference and the other volume in turn.

    Parameters
    ----------
    background, foreground : vtkMRMLScalarVolumeNode
        The two volumes.
    composites : iterable
        Composite nodes of the slice views.
    """

    def __init__(self, background, foreground, composites: Iterable) -> None:
        self.composites = list(composites)
        self.is_foreground = False
        for composite in self.composites:
            set_layers(composite, background, foreground, 0.0)

    def step(self) -> None:
        """Change to the other volume; a timer calls this."""
        self.is_foreground = not self.is_foreground
        for composite in self.composites:
            set_opacity(composite, float(self.is_foreground))


@dataclass(frozen=True, eq=False)
class Overlay:
    """What goes on top of the reference, before it is a node.

    Parameters
    ----------
    kind, name : str
        One of `KINDS`, and a name for people.
    volume : Volume
        On the reference grid.
    window : Window
        How it is shown.
    table : str
        Its colours.
    hidden_below : float or None
        Values below are transparent.
    """

    kind: str
    name: str
    volume: Volume
    window: Window
    table: str
    hidden_below: float | None

    def show_on(self, reference_node, scene) -> Comparison:
        """Make the node; call it in the main thread."""
        node = node_from_volume(self.volume, scene, name=self.name, window=self.window)
        show_colours(node, self.table)
        if self.hidden_below is not None:
            _hide_below(node, self.hidden_below)
        return Comparison(self.kind, reference_node, node)


def compare(kind: str, reference_node, reference: Volume, moving: Volume, scene, **options) -> Comparison:
    """Make the scene object for one way of looking.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    reference_node : vtkMRMLScalarVolumeNode
        The reference in the scene.
    reference, moving : Volume
        The same as a volume, and the other one on any grid.
    scene : vtkMRMLScene
        Where the overlay goes.
    options
        As for `overlay_of`.

    Raises
    ------
    UsageError
        For an unknown kind.
    """
    return overlay_of(kind, reference, moving, **options).show_on(reference_node, scene)


def overlay_of(
    kind: str,
    reference: Volume,
    moving: Volume,
    *,
    transform=None,
    position_ras: Sequence[float] | None = None,
    windows: tuple[Window | None, Window | None] = (None, None),
) -> Overlay:
    """Compute what goes on top of the reference; any thread will do.

    Parameters
    ----------
    kind : str
        One of `KINDS`. A curtain is drawn where the moving image lies: to the patient's left of the
        position (vertical), to posterior and inferior (horizontal), or in two opposite quarters (cross).
    reference, moving : Volume
        The reference, and the other volume on any grid.
    transform
        Reference LPS to moving LPS, or None.
    position_ras : (3,) or None
        Where a curtain ends, RAS in mm; None takes the middle.
    windows : pair of Window or None
        Windows of both; None takes the default.

    Raises
    ------
    UsageError
        For an unknown kind.
    """
    if kind not in KINDS:
        raise UsageError(f"Unknown comparison {kind!r}", "one of " + ", ".join(KINDS))
    aligned = resample_to(moving, reference.geometry, transform=transform)
    chosen = [window or default_window(v) for window, v in zip(windows, (reference, moving))]
    if kind == "edges":
        return _edges(aligned, chosen[1])
    if kind == "difference":
        return _difference(reference, aligned, chosen)
    pattern = pattern_of(kind, reference.geometry, position_ras)
    return _patterned(kind, aligned, pattern, chosen[1])


def pattern_of(kind: str, geometry: Geometry, position_ras: Sequence[float] | None = None) -> np.ndarray:
    """(K, J, I) bool, True where the moving image is to be seen."""
    grids = np.ogrid[tuple(slice(n) for n in geometry.shape)]
    k, j, i = grids
    matrix = geometry.ijk_to_ras
    right, anterior, superior = (
        matrix[row, 0] * i + matrix[row, 1] * j + matrix[row, 2] * k + matrix[row, 3] for row in range(3)
    )
    bounds = np.reshape(geometry.bounds_ras(), (3, 2))
    at = bounds.mean(axis=1) if position_ras is None else np.asarray(position_ras, float)
    if kind == "checkerboard":
        cells = [np.floor((values - start) / CELL_MM).astype(int)
                 for values, start in zip((right, anterior, superior), bounds[:, 0])]  # fmt: skip
        return (cells[0] + cells[1] + cells[2]) % 2 == 1
    left, low = right < at[0], (anterior < at[1]) ^ (superior < at[2])
    if kind == "curtain-vertical":
        return np.broadcast_to(left, geometry.shape)
    behind = (anterior < at[1]) | (superior < at[2])
    return np.broadcast_to(behind if kind == "curtain-horizontal" else left ^ low, geometry.shape)


def _patterned(kind: str, volume: Volume, pattern: np.ndarray, window: Window) -> Overlay:
    """The volume where the pattern is true, transparent elsewhere."""
    lowest = float(volume.array.min())
    hidden = lowest - max(1.0, 0.1 * (float(volume.array.max()) - lowest))
    shown = volume.with_array(np.where(pattern, volume.array, np.float32(hidden)))
    return Overlay(kind, f"{kind}: {volume.name}", shown, window, table_for(volume.modality), (lowest + hidden) / 2)


def _edges(volume: Volume, window: Window) -> Overlay:
    """The steepest places of the volume as thin lines."""
    unit = normalise(volume, window)
    sigma = [_EDGE_SMOOTHING_MM / step if count > 1 else 0 for step, count in
             zip(volume.geometry.spacing_kji_mm, volume.geometry.shape)]  # fmt: skip
    steep = ndimage.gaussian_gradient_magnitude(unit, sigma)
    inside = steep[steep > 1e-3]
    least = float(np.quantile(inside, 1 - EDGE_SHARE)) if inside.size else 0.0
    shown = volume.with_array(np.where(steep > least, steep, np.float32(-1)), modality="OT", unit=FUSION_INDEX)
    steepest = Window(0.0, float(steep.max()) or 1.0)
    return Overlay("edges", f"edges: {volume.name}", shown, steepest, "inferno", max(least, 1e-6))


def _difference(reference: Volume, moving: Volume, windows: Sequence[Window]) -> Overlay:
    """The windowed moving image minus the windowed reference, -1 to 1."""
    values = normalise(moving, windows[1]) - normalise(reference, windows[0])
    shown = reference.with_array(values, modality="OT", unit=FUSION_INDEX)
    return Overlay("difference", f"difference: {moving.name}", shown, Window(-1.0, 1.0), "grey", None)


def _hide_below(node, value: float) -> None:
    display = node.GetDisplayNode()
    # interpolation would blend the hidden value into the border
    display.SetInterpolate(False)
    display.SetAutoThreshold(False)
    display.SetLowerThreshold(value)
    display.SetUpperThreshold(display.GetUpperThreshold() if display.GetUpperThreshold() > value else 1e30)
    display.SetApplyThreshold(True)
