"""Pictures of a case for its page: three planes at one scale, radiological convention, letters, colour bars."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from MedFusionLib.batch.planes import EDGES, PLANES, Upright
from MedFusionLib.intensity import normalise
from MedFusionLib.result import FusionResult
from MedFusionLib.volume import Geometry, Volume

DOTS_PER_INCH = 110
PANEL_INCHES = 2.6
CHECKER_MM = 25.0
OUTLINE_LEVEL = 0.35
"""Of the shown window of the reference: its outlines drawn over a moving source."""
OUTLINE_SMOOTHING = 1.5
"""Pixels, so that noise draws no outlines."""
THUMBNAIL_PIXELS = 128
MOST_COLUMNS = 5
_MASK_COLOUR, _OUTLINE_COLOUR, _TEXT_COLOUR = "#39ff14", "#4fd1ff", "#ffd75e"
_GAP, _TITLE, _BAR = 0.06, 0.28, 0.5
"""Inches between panels, above them, and below them for the colour bar."""
_SEQUENCES = {
    "t1",
    "t1w",
    "t1c",
    "t1ce",
    "t1gd",
    "t2",
    "t2w",
    "t2star",
    "flair",
    "pd",
    "pdw",
    "swi",
    "dwi",
    "adc",
    "dixon",
}
_SCALE_BARS_MM = (200.0, 100.0, 50.0, 20.0, 10.0, 5.0)


@dataclass(frozen=True)
class Column:
    """One volume of a figure, shown in three planes.

    Parameters
    ----------
    title : str
        Above the column.
    array : (K, J, I) or (K, J, I, 3)
        Values, or colours.
    low, high : float or None
        What is black and white; None for colours.
    table : str or None
        matplotlib's name of a colour table.
    unit : str
        Below the colour bar; without a bar (colours) a remark.
    under : (K, J, I) array or None
        Grey picture in 0..1 below a map that is transparent where it is low.
    outlines : (K, J, I) array or None
        Drawn where it crosses `OUTLINE_LEVEL`.
    """

    title: str
    array: np.ndarray
    low: float | None = None
    high: float | None = None
    table: str | None = None
    unit: str = ""
    under: np.ndarray | None = None
    outlines: np.ndarray | None = None


def views(result: FusionResult, upright: Upright, mask: np.ndarray | None) -> str:
    """Sources, fused and colour volume in three planes, as a data URI."""
    names = labels_of(result.sources)
    columns = [
        Column(name, one.array, window.lower, window.upper, _table(one.modality), str(one.unit))
        for name, one, window in zip(names, result.sources, result.windows)
    ]
    columns.append(Column("fused", result.fused.array, 0.0, 1.0, "gray", "fusion index"))
    if result.colour is not None:
        hue = names[result.functional_index]
        columns.append(Column("fused, in colour", result.colour, unit=f"hue: {hue}, brightness: fused"))
    return draw(columns, upright, mask)


def checkerboards(result: FusionResult, upright: Upright) -> str:
    """Reference and moving source in turns of squares, and outlines of the reference on the moving source."""
    scaled = [normalise(volume, window) for volume, window in zip(result.sources, result.windows)]
    (reference, *others), columns = labels_of(result.sources), []
    for name, moving in zip(others, scaled[1:]):
        squares = np.where(_checks(result.fused.geometry), scaled[0], moving)
        columns += [
            Column(f"{reference} / {name} in squares", squares, 0.0, 1.0, "gray"),
            Column(f"outlines of {reference} on {name}", moving, 0.0, 1.0, "gray", outlines=scaled[0]),
        ]
    return draw(columns, upright, None)


def trust_maps(result: FusionResult, upright: Upright, mask: np.ndarray | None) -> list[str]:
    """Contribution, invention, loss and stability, as data URIs of few columns each; empty without any."""
    names = labels_of(result.sources)
    shares = [] if result.contribution is None else [
        Column(f"share of {name}", share, 0.0, 1.0, "viridis", "share of the fused value")
        for name, share in zip(names, result.contribution)
    ]  # fmt: skip
    maps = []
    if result.invention is not None:
        maps.append(("invention", result.invention))
    if result.loss is not None:
        maps += [(f"loss of {name}", lost) for name, lost in zip(names, result.loss)]
    if result.stability is not None:
        maps.append(("change under 1 mm", result.stability))
    over = [Column(title, found, 0.0, 0.2, "inferno", "fusion index", under=result.fused.array)
            for title, found in maps]  # fmt: skip
    together = [shares + over] if len(shares + over) <= MOST_COLUMNS else [shares, over]
    return [draw(columns, upright, mask) for columns in together if columns]


def labels_of(sources: Sequence[Volume]) -> list[str]:
    """Modality of every source, with the word of its name that tells a sequence, and a number where that is not enough.

    Other words of a name are left out: files may be named after patients.
    """
    plain = []
    for volume in sources:
        words = re.split("[^a-z0-9]+", volume.name.lower())
        plain.append(" ".join([volume.modality, *[word for word in words if word in _SEQUENCES][:1]]))
    return [name if plain.count(name) == 1 else f"{name} {number}" for number, name in enumerate(plain, start=1)]


def thumbnail(result: FusionResult, upright: Upright) -> str:
    """The axial plane, small, as a data URI."""
    from PIL import Image

    picture = result.fused.array if result.colour is None else result.colour
    plane = upright.plane(picture, "axial")
    if plane.ndim == 2:
        plane = np.rint(np.clip(plane, 0, 1) * 255).astype(np.uint8)
    image, (width, height) = Image.fromarray(np.ascontiguousarray(plane)), upright.size_mm("axial")
    image = image.resize((image.width, max(1, round(image.width * height / width))), Image.Resampling.BILINEAR)
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


def draw(columns: Sequence[Column], upright: Upright, mask: np.ndarray | None) -> str:
    """One column per volume, one row per plane, all at one scale; a colour bar below every column that has a unit."""
    from matplotlib.figure import Figure

    sizes = {name: upright.size_mm(name) for name in PLANES}
    inches = PANEL_INCHES / max(width for width, _ in sizes.values())  # per mm
    width = len(columns) * (PANEL_INCHES + _GAP) + _GAP
    height = _TITLE + sum(tall * inches + _GAP for _, tall in sizes.values())
    height += _BAR if any(column.unit for column in columns) else 0
    figure = Figure(figsize=(width, height), facecolor="black")
    for number, column in enumerate(columns):
        left, top = _GAP + number * (PANEL_INCHES + _GAP), height - _TITLE
        figure.text((left + PANEL_INCHES / 2) / width, (height - _TITLE / 2) / height, column.title, color="white",
                    fontsize=10, ha="center", va="center")  # fmt: skip
        for name, (across, tall) in sizes.items():
            wide, high = across * inches, tall * inches
            box = (left + (PANEL_INCHES - wide) / 2, top - high, wide, high)
            axes = figure.add_axes(_share(box, width, height))
            _panel(axes, column, upright, name, mask)
            _letters(axes, name, upright.place(name) if number == 0 else "")
            if number == 0:
                _scale_bar(axes, across)
            top -= high + _GAP
        _foot(figure, column, _share((left + 0.2, 0.34, PANEL_INCHES - 0.4, 0.09), width, height))
    return figure_uri(figure)


def _share(box: tuple[float, float, float, float], width: float, height: float) -> tuple[float, float, float, float]:
    """A box in inches as shares of the figure."""
    return box[0] / width, box[1] / height, box[2] / width, box[3] / height


def _panel(axes, column: Column, upright: Upright, name: str, mask: np.ndarray | None) -> None:
    """One plane of one volume."""
    from scipy import ndimage

    plane, opacity = upright.plane(column.array, name), None
    if column.under is not None:
        axes.imshow(0.6 * upright.plane(column.under, name), cmap="gray", vmin=0, vmax=1, aspect="auto")
        opacity = np.clip(plane / (0.25 * column.high), 0, 1)
    axes.imshow(plane, cmap=column.table, vmin=column.low, vmax=column.high, aspect="auto", alpha=opacity,
                interpolation="nearest")  # fmt: skip
    if mask is not None:
        _contour(axes, upright.plane(mask, name), 0.5, _MASK_COLOUR)
    if column.outlines is not None:
        smooth = ndimage.gaussian_filter(upright.plane(column.outlines, name), OUTLINE_SMOOTHING)
        _contour(axes, smooth, OUTLINE_LEVEL, _OUTLINE_COLOUR)
    axes.set_axis_off()


def _contour(axes, plane: np.ndarray, level: float, colour: str) -> None:
    if plane.min() < level < plane.max():
        axes.contour(plane, levels=[level], colors=colour, linewidths=0.8)


def _letters(axes, name: str, place: str) -> None:
    top, bottom, left, right = EDGES[name]
    places = ((0.5, 0.985, top, "center", "top"), (0.5, 0.015, bottom, "center", "bottom"),
              (0.015, 0.5, left, "left", "center"), (0.985, 0.5, right, "right", "center"),
              (0.015, 0.985, place, "left", "top"))  # fmt: skip
    for x, y, text, across, up in places:
        axes.text(x, y, text, transform=axes.transAxes, ha=across, va=up, color=_TEXT_COLOUR, fontsize=8,
                  path_effects=_halo())  # fmt: skip


def _scale_bar(axes, across_mm: float) -> None:
    """A length of round millimetres, at most a third of the plane."""
    length = next((mm for mm in _SCALE_BARS_MM if mm <= across_mm / 3), _SCALE_BARS_MM[-1])
    left, right = 0.03, 0.03 + length / across_mm
    axes.plot([left, right], [0.03, 0.03], transform=axes.transAxes, color=_TEXT_COLOUR, linewidth=1.5,
              path_effects=_halo())  # fmt: skip
    axes.text(left, 0.045, f"{length:g} mm", transform=axes.transAxes, color=_TEXT_COLOUR, fontsize=7, va="bottom",
              path_effects=_halo())  # fmt: skip


def _halo() -> list:
    """A dark rim, so that text is legible on bright tissue."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2, foreground="black")]


def _foot(figure, column: Column, box: tuple[float, float, float, float]) -> None:
    """The colour bar with its unit, or the remark of a picture in colour."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    if column.table is None:
        figure.text(box[0] + box[2] / 2, box[1], column.unit, color="white", fontsize=8, ha="center", va="center")
    elif column.unit:
        scale = ScalarMappable(Normalize(column.low, column.high), column.table)
        bar = figure.colorbar(scale, cax=figure.add_axes(box), orientation="horizontal")
        bar.set_label(column.unit, color="white", fontsize=8, labelpad=1)
        bar.ax.tick_params(colors="white", labelsize=7, pad=1, length=2)


def _checks(geometry: Geometry) -> np.ndarray:
    """True and False in turns of cubes; planes through it show squares."""
    k, j, i = (np.arange(n) // max(1, round(CHECKER_MM / mm)) for n, mm in zip(geometry.shape, geometry.spacing_kji_mm))
    return (k[:, None, None] + j[:, None] + i) % 2 == 0


def _table(modality: str) -> str:
    return "inferno" if modality in ("PT", "NM") else "gray"
