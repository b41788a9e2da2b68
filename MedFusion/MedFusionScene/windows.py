"""Windows and colours that a person can choose for a source, by its modality and unit."""

from __future__ import annotations

from dataclasses import dataclass

from MedFusionLib import units
from MedFusionLib.colour import table_names, table_title
from MedFusionLib.errors import UsageError
from MedFusionLib.intensity import CT_PRESETS, SUV_PRESETS, Window, percentile_window, preset_window
from MedFusionLib.volume import FUNCTIONAL_MODALITIES
from MedFusionScene.display import colour_node, show_window
from MedFusionScene.nodes import modality_of, unit_of, volume_from_node

AUTOMATIC, FULL = "automatic", "full"
_TITLES = {AUTOMATIC: "Automatic", FULL: "All values"}
_FUNCTIONAL_COLOURS = ("Inferno", "PET-Heat", "PET-DICOM", "PET-HotMetalBlue", "Rainbow", "InvertedGrey", "Grey")
_ANATOMICAL_COLOURS = ("Grey", "InvertedGrey", "Iron")


@dataclass(frozen=True)
class Preset:
    """A window to choose.

    Parameters
    ----------
    name, title : str
        For scripts and for people; the title says the bounds and the unit.
    """

    name: str
    title: str


def presets_of(node) -> tuple[Preset, ...]:
    """Windows for a volume node, the usual one first.

    Fixed windows are offered only where the unit is known to be theirs: HU for CT, SUVbw for PET. Everything
    else (MR, counts, unknown units) has no common scale and gets windows from its own values.
    """
    unit, modality = unit_of(node), modality_of(node)
    fixed: dict = {}
    if unit == units.HOUNSFIELD and modality == "CT":
        fixed = CT_PRESETS
    elif unit == units.SUV_BODY_WEIGHT:
        fixed = SUV_PRESETS
    named = [Preset(name, f"{_words(name)} ({low:g} to {high:g} {unit})") for name, (low, high) in fixed.items()]
    return (*named, Preset(AUTOMATIC, _TITLES[AUTOMATIC]), Preset(FULL, _TITLES[FULL]))


def apply_preset(node, name: str) -> Window:
    """Show a volume node in a window of `presets_of`, and return the window.

    Raises
    ------
    UsageError
        For a window that this volume does not have, or a constant volume.
    """
    offered = [preset.name for preset in presets_of(node)]
    if name not in offered:
        raise UsageError(f"{node.GetName()} has no window {name!r}", "one of " + ", ".join(offered))
    if name == AUTOMATIC:
        window = percentile_window(volume_from_node(node))
    elif name == FULL:
        window = Window(*node.GetImageData().GetScalarRange(), unit=unit_of(node).code, preset=FULL)
    else:
        window = preset_window(name)
    show_window(node, window)
    return window


def preset_shown(node) -> str | None:
    """Name of the fixed window that a node is shown in; None when it is another one."""
    display = node.GetDisplayNode()
    if display is None:
        return None
    shown = (display.GetWindowLevelMin(), display.GetWindowLevelMax())
    offered = {preset.name for preset in presets_of(node)}
    for name, bounds in {**CT_PRESETS, **SUV_PRESETS}.items():
        if name in offered and all(abs(a - b) < 1e-6 * max(1, abs(b)) for a, b in zip(shown, bounds)):
            return name
    return None


def colours_of(node) -> tuple[str, ...]:
    """Names of the colour maps that suit a volume node, the usual one first."""
    functional = modality_of(node) in FUNCTIONAL_MODALITIES
    wanted = _FUNCTIONAL_COLOURS if functional else _ANATOMICAL_COLOURS
    own = {table_title(name) for name in table_names()}
    scene = node.GetScene()
    return tuple(name for name in wanted if name in own or _slicer_colours(scene, name) is not None)


def apply_colours(node, title: str) -> None:
    """Show a volume node in a colour map of `colours_of`.

    Raises
    ------
    UsageError
        For an unknown name.
    """
    if title not in colours_of(node):
        raise UsageError(f"Unknown colours {title!r}", "one of " + ", ".join(colours_of(node)))
    found = _slicer_colours(node.GetScene(), title)
    if found is None:
        table = next(name for name in table_names() if table_title(name) == title)
        found = colour_node(node.GetScene(), table)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetAndObserveColorNodeID(found.GetID())


def _slicer_colours(scene, name: str):
    found = scene.GetFirstNodeByName(name)
    return found if found is not None and found.IsA("vtkMRMLColorNode") else None


def _words(name: str) -> str:
    if name.startswith("suv-"):
        return "SUV 0-" + name.removeprefix("suv-")
    return name.replace("-", " ").capitalize()
