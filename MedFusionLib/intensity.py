"""Windows: from voxel values in their unit to 0..1 and back."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from MedFusionLib import units
from MedFusionLib.errors import UsageError
from MedFusionLib.volume import Volume

CT_PRESETS = {
    "soft-tissue": (-160.0, 240.0),
    "abdomen": (-135.0, 215.0),
    "brain": (0.0, 80.0),
    "bone": (-200.0, 1000.0),
    "lung": (-1350.0, 150.0),
    "wide": (-200.0, 600.0),
}
SUV_PRESETS = {"suv-5": (0.0, 5.0), "suv-7": (0.0, 7.0), "suv-10": (0.0, 10.0), "suv-20": (0.0, 20.0)}
DEFAULT_CT_PRESET = "soft-tissue"
DEFAULT_SUV_PRESET = "suv-10"

PERCENTILES = (0.5, 99.5)
_FINEST_SAMPLE = 2_000_000


@dataclass(frozen=True)
class Window:
    """An interval of values that is mapped linearly onto 0..1.

    Parameters
    ----------
    lower, upper : float
        In the volume's unit; ``lower < upper``.
    unit : str
        UCUM code of the bounds, empty when unknown.
    preset : str
        Where the bounds come from: a preset's name, ``"percentile 0.5-99.5"`` or ``"given"``.
    """

    lower: float
    upper: float
    unit: str = ""
    preset: str = "given"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.lower) and np.isfinite(self.upper) and self.lower < self.upper):
            raise UsageError(f"The window {self.lower}..{self.upper}", "two finite numbers, the lower one first")

    @property
    def width(self) -> float:
        """Window width (upper minus lower) in the unit."""
        return self.upper - self.lower

    @property
    def level(self) -> float:
        """Window level (centre) in the unit."""
        return (self.upper + self.lower) / 2

    def as_json(self) -> dict:
        """The window for a provenance record."""
        return asdict(self)


def default_window(volume: Volume) -> Window:
    """The window for a volume by its modality and unit.

    CT in HU gets the soft-tissue preset and PET in SUV 0..10, both fixed so that patients compare.
    Everything else gets the 0.5 and 99.5 percentiles of its foreground (functional images start at
    zero). Bounds are recorded, so `denormalise` can invert.

    Raises
    ------
    UsageError
        For a constant volume, which has no window.
    """
    if volume.modality == "CT" and volume.unit == units.HOUNSFIELD:
        return preset_window(DEFAULT_CT_PRESET)
    if volume.modality == "PT" and volume.unit == units.SUV_BODY_WEIGHT:
        return preset_window(DEFAULT_SUV_PRESET)
    return percentile_window(volume)


def preset_window(name: str) -> Window:
    """A named window: a CT preset in HU or a PET preset in SUVbw.

    Raises
    ------
    UsageError
        For an unknown name.
    """
    if name in CT_PRESETS:
        return Window(*CT_PRESETS[name], unit=units.HOUNSFIELD.code, preset=name)
    if name in SUV_PRESETS:
        return Window(*SUV_PRESETS[name], unit=units.SUV_BODY_WEIGHT.code, preset=name)
    raise UsageError(f"Unknown window preset {name!r}", "one of " + ", ".join([*CT_PRESETS, *SUV_PRESETS]))


def percentile_window(volume: Volume, percentiles: tuple[float, float] = PERCENTILES) -> Window:
    """The window between two percentiles of the volume's foreground.

    The foreground is what lies above the darkest value by more than 2 % of the range between the
    darkest value and the 99.9th percentile; a volume without background is all foreground.
    Functional volumes keep zero at zero: their lower bound is ``min(0, lower percentile)``, or 0.

    Raises
    ------
    UsageError
        For a constant volume.
    """
    step = max(1, volume.array.size // _FINEST_SAMPLE)
    values = volume.array.reshape(-1)[::step]
    darkest, brightest = float(values.min()), float(np.percentile(values, 99.9))
    if brightest <= darkest:
        brightest = float(values.max())
    foreground = values[values > darkest + 0.02 * (brightest - darkest)]
    if foreground.size < 2 or brightest <= darkest:
        raise _constant(volume)
    lower, upper = (float(v) for v in np.percentile(foreground, percentiles))
    if volume.is_functional and darkest >= 0:
        lower = 0.0
    elif foreground.size < values.size:
        lower = min(lower, darkest) if darkest >= 0 else lower
    if upper <= lower:
        lower, upper = darkest, float(values.max())
    return Window(lower, upper, volume.unit.code, f"percentile {percentiles[0]:g}-{percentiles[1]:g}")


def normalise(volume: Volume, window: Window) -> np.ndarray:
    """(K, J, I) float32 in 0..1: the window's interval mapped linearly, values outside clipped."""
    out = np.subtract(volume.array, np.float32(window.lower), dtype=np.float32)
    out *= np.float32(1.0 / window.width)
    return np.clip(out, 0.0, 1.0, out=out)


def denormalise(array: np.ndarray, window: Window) -> np.ndarray:
    """Values in the window's unit of a 0..1 array; exact for what was not clipped (float32)."""
    return np.asarray(array, dtype=np.float32) * np.float32(window.width) + np.float32(window.lower)


def _constant(volume: Volume) -> UsageError:
    return UsageError(
        f"{volume.name} is constant ({float(volume.array.flat[0]):g} {volume.unit})",
        "a volume with structure",
        "Check that the right series was chosen and that its pixels were read",
    )
