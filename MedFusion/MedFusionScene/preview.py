"""Fuse just the slice that a view shows, and show it there without touching any result.

Three steps, so that the scene is touched in the main thread only: `plane_of` asks the view where its
slice lies, `PreviewSources.fuse` computes in any thread, `PreviewLayer` shows the outcome.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import slicer
import slicer.util

from MedFusionLib.align import resample_to
from MedFusionLib.align.resample import outside_value
from MedFusionLib.align.transform import map_points
from MedFusionLib.colour import DEFAULT_TABLE, compose
from MedFusionLib.engine import EngineOptions, run
from MedFusionLib.intensity import Window, default_window, normalise
from MedFusionLib.methods.base import FusionMethod, MethodInfo
from MedFusionLib.units import FUSION_INDEX
from MedFusionLib.volume import Case, Geometry, Volume
from MedFusionScene.display import kept_layers, show_colours
from MedFusionScene.nodes import colour_node_from_array, node_from_volume
from MedFusionScene.preview_speed import MILLISECONDS

QUICK_MILLISECONDS = 300
"""A slice that takes longer does not follow the hand."""
LARGEST = 512
"""Samples along an edge of an oblique slice."""
_PARALLEL = 0.99999
_MARGIN = 2


@dataclass(frozen=True, eq=False)
class Plane:
    """A slice to fuse.

    Parameters
    ----------
    grid : Geometry
        One slice (1, H, W) where its samples are taken.
    shown : Geometry
        The same, moved along its normal to where the view cuts.
    cut : tuple of int or None
        Axis and index of the reference's array when the slice is one of its own; None when oblique.
    """

    grid: Geometry
    shown: Geometry
    cut: tuple[int, int] | None


@dataclass(frozen=True, eq=False)
class Preview:
    """A fused slice.

    Parameters
    ----------
    plane : Plane
        Where it lies.
    fused : (1, H, W) float32
        The fusion index.
    colour : (1, H, W, 3) uint8 or None
        Colours, where a source is functional.
    seconds : float
        What it took.
    """

    plane: Plane
    fused: np.ndarray
    colour: np.ndarray | None
    seconds: float


@dataclass(frozen=True, eq=False)
class PreviewSources:
    """The sources of a preview with what is known of them as a whole.

    Parameters
    ----------
    case : Case
        The sources on their own grids, reference first.
    transforms : sequence
        Per further source: reference LPS to its LPS, or None.
    windows : tuple of Window
        Per source, as the fusion of the whole volume takes them.
    fills : tuple of float
        Per source, the value outside its field of view.
    """

    case: Case
    transforms: Sequence
    windows: tuple[Window, ...]
    fills: tuple[float, ...]

    @classmethod
    def of(cls, case: Case, transforms: Sequence | None = None) -> PreviewSources:
        """Look at the sources once; any thread will do."""
        fills = tuple(outside_value(source) for source in case.sources)
        given = list(transforms) if transforms is not None else [None] * (len(case.sources) - 1)
        target = case.reference.geometry
        # windows by percentiles are those of what the fusion sees: the sources on the reference grid
        windows = [default_window(case.reference)]
        windows += [_window_on(source, target, t) for source, t in zip(case.sources[1:], given)]
        return cls(case, given, tuple(windows), fills)

    def fuse(self, plane: Plane, method: FusionMethod, device: str = "auto", precision: str = "exact") -> Preview:
        """Fuse one slice; any thread will do.

        Raises
        ------
        MedFusionError
            As the engine does.
        """
        started = time.perf_counter()
        slices = [self._reference_slice(plane)]
        for number, (source, transform) in enumerate(zip(self.case.sources[1:], self.transforms), start=1):
            slices.append(_sampled(source, plane.grid, transform, self.fills[number]))
        stack = np.stack([normalise(one, window) for one, window in zip(slices, self.windows)])
        options = EngineOptions(mode="slice", device=device, precision=precision, workers=1)
        output = run(method, stack, plane.grid.spacing_kji_mm, options)
        fused = np.clip(output.fused, 0, 1)
        hue = next((n for n, source in enumerate(self.case.sources) if source.is_functional), None)
        colour = None if hue is None else compose(fused, stack[hue], DEFAULT_TABLE)
        return Preview(plane, fused, colour, time.perf_counter() - started)

    def _reference_slice(self, plane: Plane) -> Volume:
        reference = self.case.reference
        if plane.cut is None:
            return _sampled(reference, plane.grid, None, self.fills[0])
        axis, index = plane.cut
        return replace(reference, array=reference.array.take([index], axis).reshape(plane.grid.shape),
                       geometry=plane.grid)  # fmt: skip


def is_quick(info: MethodInfo) -> bool:
    """Whether a method is quick enough for a preview: by the catalogue, and by what was measured."""
    return info.is_fast and MILLISECONDS.get(info.name, 0) <= QUICK_MILLISECONDS


def plane_of(slice_node, reference: Geometry) -> Plane | None:
    """The slice of the reference grid that a slice view shows; call it in the main thread.

    Parameters
    ----------
    slice_node : vtkMRMLSliceNode
        The view.
    reference : Geometry
        Of the reference, in the world.

    Returns
    -------
    Plane or None
        A slice of the reference's own where the view is parallel to one, else the part of the
        view's plane that lies in the reference; None when the view cuts beside it.
    """
    to_ras = slicer.util.arrayFromVTKMatrix(slice_node.GetSliceToRAS())
    centre, normal = to_ras[:3, 3], to_ras[:3, 2] / np.linalg.norm(to_ras[:3, 2])
    matrix = reference.ijk_to_ras
    for column in range(3):
        across = np.delete(matrix[:3, :3], column, axis=1)
        face = np.cross(*across.T)
        if abs(normal @ face) > _PARALLEL * np.linalg.norm(face):
            return _own_slice(reference, column, centre, normal)
    return _oblique_slice(reference, to_ras)


def _own_slice(reference: Geometry, column: int, centre: np.ndarray, normal: np.ndarray) -> Plane | None:
    axis = 2 - column
    place = float(reference.to_ijk(centre)[column])
    index = round(place)
    if not -0.5 <= place <= reference.shape[axis] - 0.5:
        return None
    index = min(max(index, 0), reference.shape[axis] - 1)
    others = [other for other in range(3) if other != column]
    matrix = np.eye(4)
    matrix[:3, :2] = reference.ijk_to_ras[:3, others]
    matrix[:3, 2] = reference.ijk_to_ras[:3, column]
    matrix[:3, 3] = reference.ijk_to_ras[:3, 3] + index * reference.ijk_to_ras[:3, column]
    grid = Geometry((1, reference.shape[2 - others[1]], reference.shape[2 - others[0]]), matrix)
    shown = matrix.copy()
    shown[:3, 3] += normal * (normal @ (centre - matrix[:3, 3]))
    return Plane(grid, Geometry(grid.shape, shown), (axis, index))


def _oblique_slice(reference: Geometry, to_ras: np.ndarray) -> Plane | None:
    axes = to_ras[:3, :3] / np.linalg.norm(to_ras[:3, :3], axis=0)
    k, j, i = np.array(reference.shape) - 0.5
    corners = [(a, b, c) for a in (-0.5, i) for b in (-0.5, j) for c in (-0.5, k)]
    places = (reference.to_ras(corners) - to_ras[:3, 3]) @ axes
    if places[:, 2].min() > 0 or places[:, 2].max() < 0:
        return None
    low, high = places[:, :2].min(axis=0), places[:, :2].max(axis=0)
    step = max(min(reference.spacing_mm), float((high - low).max()) / LARGEST)
    width, height = (int(n) for n in np.maximum(np.ceil((high - low) / step), 2))
    matrix = np.eye(4)
    matrix[:3, :3] = axes * step
    matrix[:3, 3] = to_ras[:3, 3] + axes[:, :2] @ (low + step / 2)
    grid = Geometry((1, height, width), matrix)
    return Plane(grid, grid, None)


def _window_on(source: Volume, target: Geometry, transform) -> Window:
    if default_window(source).preset.startswith("percentile"):
        return default_window(resample_to(source, target, transform=transform))
    return default_window(source)


def _sampled(source: Volume, grid: Geometry, transform, fill: float) -> Volume:
    """One slice of a source; only what lies around it is handed on, since copying the whole would cost most."""
    _, j, i = grid.shape
    rows, columns = np.meshgrid(np.linspace(0, j - 1, 9), np.linspace(0, i - 1, 9), indexing="ij")
    indices = np.stack([columns.ravel(), rows.ravel(), np.zeros(rows.size)], axis=1)
    places = source.geometry.to_ijk(map_points(transform, grid.to_ras(indices)))[:, ::-1]
    margin = _MARGIN + (0 if transform is None else 8)
    low = np.clip(np.floor(places.min(axis=0)).astype(int) - margin, 0, np.array(source.geometry.shape) - 1)
    high = np.clip(np.ceil(places.max(axis=0)).astype(int) + margin + 1, low + 1, source.geometry.shape)
    matrix = source.geometry.ijk_to_ras.copy()
    matrix[:3, 3] = source.geometry.to_ras(low[::-1])
    part = source.array[tuple(slice(a, b) for a, b in zip(low, high))]
    return resample_to(replace(source, array=part, geometry=Geometry(part.shape, matrix)), grid, fill=fill,
                       transform=transform)  # fmt: skip


class PreviewLayer:
    """The fused slice in one view; what the view showed before comes back.

    Parameters
    ----------
    composite : vtkMRMLSliceCompositeNode
        Of the view.
    """

    def __init__(self, composite) -> None:
        self.composite = composite
        self._restore = kept_layers(composite)
        self._nodes: dict[bool, object] = {}

    def show(self, preview: Preview) -> None:
        """Show a fused slice; call it in the main thread."""
        scene = self.composite.GetScene()
        is_colour = preview.colour is not None
        node = self._nodes.get(is_colour)
        if node is None or node.GetScene() is None:
            self._nodes[is_colour] = node = self._new_node(preview, scene)
        else:
            _refill(node, preview)
        self.composite.SetBackgroundVolumeID(node.GetID())
        self.composite.SetForegroundVolumeID(None)

    def close(self) -> None:
        """Take the preview away, and bring back what the view showed unless somebody chose another volume."""
        scene = self.composite.GetScene()
        mine = {node.GetID() for node in self._nodes.values()}
        if scene is not None and self.composite.GetBackgroundVolumeID() in mine:
            self._restore()
        for node in self._nodes.values():
            if node.GetScene() is not None:
                node.GetScene().RemoveNode(node)
        self._nodes.clear()

    def _new_node(self, preview: Preview, scene):
        name = f"Preview in {self.composite.GetLayoutName() or 'a view'}"
        if preview.colour is not None:
            node = colour_node_from_array(preview.colour, preview.plane.shown, scene, name)
        else:
            volume = Volume(preview.fused, preview.plane.shown, "OT", FUSION_INDEX, name)
            node = node_from_volume(volume, scene, name=name, window=Window(0.0, 1.0))
            show_colours(node, "grey")
        # it is no result: neither offered for choice nor saved with the scene
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        return node


def _refill(node, preview: Preview) -> None:
    colours = preview.colour is not None
    slicer.util.updateVolumeFromArray(node, preview.colour if colours else preview.fused)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(preview.plane.shown.ijk_to_ras))
