"""Colour: lookup tables, two-layer opacity, and colour fusion that keeps hue and brightness apart.

Colours are red, green, blue in 0..1 (float) on the last axis unless said otherwise. Luma is that of
ITU-R BT.601.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources

import numpy as np

from MedFusionLib.errors import UsageError
from MedFusionLib.interrupt import checkpoint

LUMA_WEIGHTS = np.array([0.299, 0.587, 0.114])
DEFAULT_TABLE = "inferno"
FADE_IN = (0.15, 0.55)
"""Shares of the functional window between which the hue fades in: anatomy without uptake stays grey."""

_TO_YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
_SLAB_VOXELS = 1 << 20


def table_names() -> tuple[str, ...]:
    """Names of the lookup tables."""
    return tuple(_tables())


def table_title(name: str) -> str:
    """Name of a lookup table as people know it."""
    return _table(name)["title"]


@lru_cache(maxsize=16)
def lookup_table(name: str) -> np.ndarray:
    """A lookup table as (256, 3) float64 in 0..1, read-only.

    Raises
    ------
    UsageError
        For a name that is not in `table_names`.
    """
    points = np.array(_table(name)["points"])
    positions = np.linspace(0, 1, 256)
    table = np.stack([np.interp(positions, points[:, 0], points[:, 1 + c]) for c in range(3)], axis=1)
    table.flags.writeable = False
    return table


def colourise(values: np.ndarray, table: str) -> np.ndarray:
    """Colours (..., 3) float32 of values in 0..1 through a lookup table."""
    return lookup_table(table).astype(np.float32)[_index(values)]


def blend(anatomical: np.ndarray, functional: np.ndarray, opacity: float) -> np.ndarray:
    """Two layers (..., 3) with linear opacity: 0 shows the anatomy only, 1 the function only.

    Raises
    ------
    UsageError
        For an opacity outside 0..1.
    """
    if not 0 <= opacity <= 1:
        raise UsageError(f"Opacity {opacity}", "a number from 0 (anatomy only) to 1 (function only)")
    return (1 - opacity) * np.asarray(anatomical) + opacity * np.asarray(functional)


def compose(fused: np.ndarray, functional: np.ndarray, table: str = DEFAULT_TABLE) -> np.ndarray:
    """Colour volume whose hue is the function and whose brightness is the fused index.

    The luma of every voxel equals the fused index (within one grey level of 255): where the
    table's colour would leave the gamut, its saturation gives way, never the brightness. The hue
    fades out towards low function, so that anatomy without uptake stays grey.

    Parameters
    ----------
    fused : (K, J, I) array in 0..1
        Fusion index.
    functional : (K, J, I) array in 0..1
        Functional source within its window.
    table : str
        Lookup table that gives the hue.

    Returns
    -------
    (K, J, I, 3) uint8
    """
    colours = lookup_table(table)
    ramp = np.clip((np.linspace(0, 1, 256) - FADE_IN[0]) / (FADE_IN[1] - FADE_IN[0]), 0, 1)
    fade = ramp * ramp * (3 - 2 * ramp)
    chroma = ((colours - (colours @ LUMA_WEIGHTS)[:, None]) * fade[:, None]).astype(np.float32)
    out = np.empty((*fused.shape, 3), np.uint8)
    rows = max(1, _SLAB_VOXELS // max(1, int(np.prod(fused.shape[1:]))))
    for start in range(0, fused.shape[0], rows):
        checkpoint()
        part = slice(start, start + rows)
        out[part] = _add_chroma(np.clip(fused[part], 0, 1), chroma[_index(functional[part])])
    return out


def to_ycbcr(rgb: np.ndarray) -> np.ndarray:
    """Full-range BT.601 luma and colour differences (Y 0..1, Cb and Cr -0.5..0.5) of colours (..., 3)."""
    return np.asarray(rgb, dtype=np.float64) @ _TO_YCBCR.T


def from_ycbcr(ycbcr: np.ndarray) -> np.ndarray:
    """Colours (..., 3) of luma and colour differences; not clipped."""
    return np.asarray(ycbcr, dtype=np.float64) @ np.linalg.inv(_TO_YCBCR).T


def replace_luma(rgb: np.ndarray, luma: np.ndarray) -> np.ndarray:
    """Colours (..., 3) with another luma (...); colour differences kept; clipped to 0..1."""
    converted = to_ycbcr(rgb)
    converted[..., 0] = luma
    return np.clip(from_ycbcr(converted), 0, 1)


def shaded(rgb: np.ndarray, shown: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Palette colours, darker or lighter as another scalar asks; where both scalars are equal they stay as they are.

    Below the scalar that a colour stands for, it is darkened in proportion and keeps its hue; above it, the difference
    is added as grey. So what a palette shows as black becomes grey.

    Parameters
    ----------
    rgb : (..., 3) array in 0..1
        Colours of a palette.
    shown, wanted : (...) arrays in 0..1
        The scalar that the colours stand for, and the one that the result is to have.
    """
    rgb, shown, wanted = (np.asarray(each, dtype=np.float64) for each in (rgb, shown, wanted))
    share = np.minimum(wanted / np.maximum(shown, 1e-6), 1)
    return np.clip(rgb * share[..., None] + np.maximum(wanted - shown, 0)[..., None], 0, 1)


def replace_intensity(rgb: np.ndarray, intensity: np.ndarray) -> np.ndarray:
    """Colours (..., 3) with another intensity (...), the mean of red, green and blue; clipped to 0..1.

    The linear IHS substitution in its fast form: hue and saturation stay because every channel is
    shifted by the same amount.

    Notes
    -----
    T.-M. Tu et al., "A new look at IHS-like image fusion methods", Information Fusion 2 (2001) 177-186.
    """
    rgb = np.asarray(rgb, dtype=np.float64)
    return np.clip(rgb + (np.asarray(intensity) - rgb.mean(axis=-1))[..., None], 0, 1)


def _add_chroma(luma: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    upper, lower = chroma.max(axis=-1), -chroma.min(axis=-1)
    room = np.minimum((1 - luma) / np.maximum(upper, 1e-6), luma / np.maximum(lower, 1e-6))
    rgb = luma[..., None] + np.minimum(room, 1)[..., None] * chroma
    return np.clip(np.rint(rgb * 255), 0, 255).astype(np.uint8)


def _index(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(np.asarray(values) * 255), 0, 255).astype(np.uint8)


def _table(name: str) -> dict:
    tables = _tables()
    if name not in tables:
        raise UsageError(f"Unknown colour table {name!r}", "one of " + ", ".join(tables))
    return tables[name]


@lru_cache(maxsize=1)
def _tables() -> dict:
    text = resources.files("MedFusionLib.resources").joinpath("colour_tables.json").read_text(encoding="utf-8")
    return json.loads(text)
