"""Pictures of a case for its page: three planes, radiological convention, letters, colour bars."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np

from MedFusionLib.result import FusionResult
from MedFusionLib.volume import Geometry

DOTS_PER_INCH = 100
PANEL_INCHES = 2.6
CHECKER_MM = 25.0
THUMBNAIL_PIXELS = 128
PLANES = ("axial", "coronal", "sagittal")
_EDGES = {"axial": ("A", "P", "R", "L"), "coronal": ("S", "I", "R", "L"), "sagittal": ("S", "I", "A", "P")}
"""Top, bottom, left, right as a radiologist expects them."""
_MASK_COLOUR = "#39ff14"


@dataclass(frozen=True)
class Upright:
    """Turns arrays of one grid so that axes run to superior, anterior, right, and cuts planes.

    Parameters
    ----------
    geometry : Geometry
        The grid.
    centre_kji : tuple of int
        The voxel that the planes go through.
    """

    geometry: Geometry
    centre_kji: tuple[int, int, int]

    def plane(self, array: np.ndarray, name: str) -> np.ndarray:
        """Rows from top to bottom and columns from left to right of one plane of (K, J, I) or (K, J, I, 3)."""
        axes, flips = self._axes()
        turned = array.transpose((*axes, *range(3, array.ndim)))
        place = [self.centre_kji[axis] for axis in axes]
        for axis, flip in enumerate(flips):
            if flip:
                turned = np.flip(turned, axis)
                place[axis] = turned.shape[axis] - 1 - place[axis]
        s, a, r = place
        if name == "axial":
            return turned[s, ::-1, ::-1]
        if name == "coronal":
            return turned[::-1, a, ::-1]
        return turned[::-1, ::-1, r]

    def aspect(self, name: str) -> float:
        """Height over width of a sample of a plane."""
        axes, _ = self._axes()
        s, a, r = (self.geometry.spacing_kji_mm[axis] for axis in axes)
        return {"axial": a / r, "coronal": s / r, "sagittal": s / a}[name]

    def _axes(self) -> tuple[list[int], list[bool]]:
        """Array axes that run nearest to S, A, R, and whether they run the other way."""
        matrix = self.geometry.directions  # columns I, J, K
        free, axes, flips = [0, 1, 2], [], []
        for world in (2, 1, 0):
            column = max(free, key=lambda c, world=world: abs(matrix[world, c]))
            free.remove(column)
            axes.append(2 - column)
            flips.append(bool(matrix[world, column] < 0))
        return axes, flips


def upright_of(result: FusionResult, mask: np.ndarray | None) -> Upright:
    """Planes through the tumour, else the hottest region of function, else the middle of what is bright."""
    from scipy import ndimage

    geometry = result.fused.geometry
    if mask is not None and mask.any():
        weights = mask.astype(np.float32)
    elif result.functional_index is not None:
        values = result.sources[result.functional_index].array
        smooth = ndimage.uniform_filter(values, 5)
        weights = (smooth > 0.8 * smooth.max()).astype(np.float32)
    else:
        weights = result.fused.array > 0.2
    if not weights.any():
        return Upright(geometry, tuple(n // 2 for n in geometry.shape))
    centre = ndimage.center_of_mass(weights)
    return Upright(geometry, tuple(int(np.clip(round(c), 0, n - 1)) for c, n in zip(centre, geometry.shape)))


def views(result: FusionResult, upright: Upright, mask: np.ndarray | None) -> str:
    """Sources, fused and colour volume in three planes, as a data URI."""
    columns = [
        (one.modality, one.array, window.lower, window.upper, _table(one.modality), str(one.unit))
        for one, window in zip(result.sources, result.windows)
    ]
    columns.append(("fused", result.fused.array, 0.0, 1.0, "gray", "fusion index"))
    if result.colour is not None:
        columns.append(("colour", result.colour, None, None, None, ""))
    return _grid(columns, upright, mask)


def checkerboards(result: FusionResult, upright: Upright) -> str:
    """The reference and each moving source in turns of squares, as a data URI."""
    from MedFusionLib.intensity import normalise

    scaled = [normalise(volume, window) for volume, window in zip(result.sources, result.windows)]
    columns = []
    for volume, moving in zip(result.sources[1:], scaled[1:]):
        title = f"{result.sources[0].modality} / {volume.modality}"
        columns.append((title, np.where(_checks(upright.geometry), scaled[0], moving), 0.0, 1.0, "gray", ""))
    return _grid(columns, upright, None)


def trust_maps(result: FusionResult, upright: Upright, mask: np.ndarray | None) -> str:
    """Contribution, invention, loss and stability, as a data URI; empty without any."""
    columns = []
    if result.contribution is not None:
        for volume, share in zip(result.sources, result.contribution):
            columns.append((f"share of {volume.modality}", share, 0.0, 1.0, "viridis", "share"))
    if result.invention is not None:
        columns.append(("invention", result.invention, 0.0, 0.2, "magma", "fusion index"))
    if result.loss is not None:
        for volume, lost in zip(result.sources, result.loss):
            columns.append((f"loss of {volume.modality}", lost, 0.0, 0.5, "magma", "fusion index"))
    if result.stability is not None:
        columns.append(("change under 1 mm", result.stability, 0.0, 0.2, "magma", "fusion index"))
    return _grid(columns, upright, mask) if columns else ""


def thumbnail(result: FusionResult, upright: Upright) -> str:
    """The axial plane, small, as a data URI."""
    from PIL import Image

    picture = result.fused.array if result.colour is None else result.colour
    plane = upright.plane(picture, "axial")
    if plane.ndim == 2:
        plane = np.rint(np.clip(plane, 0, 1) * 255).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(plane))
    height = max(1, round(image.height * upright.aspect("axial")))
    image = image.resize((image.width, height), Image.Resampling.BILINEAR)
    image.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return as_data_uri(stream.getvalue())


def figure_uri(figure) -> str:
    """A matplotlib figure as a data URI; the same figure gives the same bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return as_data_uri(stream.getvalue())


def as_data_uri(png: bytes) -> str:
    """A picture for a page without other files."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _grid(columns: list[tuple], upright: Upright, mask: np.ndarray | None) -> str:
    """One column per volume, one row per plane; a colour bar below every column that has a unit."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(PANEL_INCHES * len(columns), PANEL_INCHES * 3.1), layout="constrained", facecolor="black")
    axes = figure.subplots(len(PLANES), len(columns), squeeze=False)
    for number, (title, array, low, high, table, unit) in enumerate(columns):
        for row, name in enumerate(PLANES):
            one = axes[row][number]
            shown = one.imshow(upright.plane(array, name), cmap=table, vmin=low, vmax=high, aspect=upright.aspect(name),
                               interpolation="nearest")  # fmt: skip
            _letters(one, name)
            if mask is not None:
                outline = upright.plane(mask, name)
                if outline.any() and not outline.all():
                    one.contour(outline, levels=[0.5], colors=_MASK_COLOUR, linewidths=0.8)
        axes[0][number].set_title(title, color="white", fontsize=10)
        if unit:
            _colour_bar(figure, shown, axes[:, number], unit)
    return figure_uri(figure)


def _letters(axes, name: str) -> None:
    axes.set_axis_off()
    top, bottom, left, right = _EDGES[name]
    places = ((0.5, 0.98, top, "center", "top"), (0.5, 0.02, bottom, "center", "bottom"),
              (0.02, 0.5, left, "left", "center"), (0.98, 0.5, right, "right", "center"))  # fmt: skip
    for x, y, letter, across, up in places:
        axes.text(x, y, letter, transform=axes.transAxes, ha=across, va=up, color="#ffd75e", fontsize=8)


def _colour_bar(figure, shown, axes, unit: str) -> None:
    bar = figure.colorbar(shown, ax=list(axes), location="bottom", shrink=0.8, aspect=30, pad=0.01)
    bar.set_label(unit, color="white", fontsize=8)
    bar.ax.tick_params(colors="white", labelsize=7)


def _checks(geometry: Geometry) -> np.ndarray:
    """True and False in turns of cubes; planes through it show squares."""
    k, j, i = (np.arange(n) // max(1, round(CHECKER_MM / mm)) for n, mm in zip(geometry.shape, geometry.spacing_kji_mm))
    return (k[:, None, None] + j[:, None] + i) % 2 == 0


def _table(modality: str) -> str:
    return "inferno" if modality in ("PT", "NM") else "gray"
