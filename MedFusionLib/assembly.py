"""Colour, maps of trust and metrics around a fused array. The part of the pipeline after the fusion."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from MedFusionLib.colour import compose
from MedFusionLib.engine import EngineOutput
from MedFusionLib.intensity import Window
from MedFusionLib.placement import Placed
from MedFusionLib.result import OPTIONAL_MAPS, FusionResult
from MedFusionLib.units import FUSION_INDEX
from MedFusionLib.volume import Origin, Volume


def assemble(
    placed: Placed,
    windows: tuple[Window, ...],
    stack: np.ndarray,
    output: EngineOutput,
    slice_axis: int | None,
    table: str,
) -> FusionResult:
    """The result with its colour and the two maps that every result has.

    Parameters
    ----------
    placed : Placed
        The sources on the reference grid.
    windows : tuple of Window
        Per source the interval that was mapped onto 0..1.
    stack : (S, K, J, I) float32
        The normalised sources.
    output : EngineOutput
        What the engine gave back, with parts.
    slice_axis : int or None
        Array axis across the slices where the fusion went slice by slice.
    table : str
        Lookup table that gives the hue of the functional source.
    """
    from MedFusionLib.trust import contribution_map, foreground_of, invention_map

    reference = placed.aligned.reference
    array = np.clip(output.fused, 0, 1)
    origin = Origin(frame_of_reference=reference.source.frame_of_reference)
    name = "Fused " + placed.aligned.pair_code
    result = FusionResult(
        fused=Volume(array, reference.geometry, "OT", FUSION_INDEX, name, origin),
        sources=placed.aligned.sources,
        windows=windows,
        colour=None,
        contribution=contribution_map(output.parts, foreground_of(stack), slice_axis=slice_axis),
        invention=invention_map(array, stack, slice_axis=slice_axis),
        alignment=placed.verdict,
        transforms=placed.transforms,
    )
    hue = result.functional_index
    return result if hue is None else result.changed(colour=compose(array, stack[hue], table))


def with_optional_maps(
    result: FusionResult,
    stack: np.ndarray,
    slice_axis: int | None,
    maps: Sequence[str],
    fuse_again: Callable[[np.ndarray], np.ndarray],
    *,
    is_again_the_same: bool = True,
) -> FusionResult:
    """The result with the maps of trust that were asked for.

    `fuse_again` fuses changed sources. It makes the fused array of unchanged ones, unless `is_again_the_same` is false
    (sources on their own grids): then changes are counted from what it makes of them.
    """
    from MedFusionLib.trust import loss_map, stability_map

    array, spacing = result.fused.array, result.fused.geometry.spacing_kji_mm
    if "stability" in maps:
        unchanged = array if is_again_the_same else fuse_again(stack)
        result = result.changed(stability=stability_map(fuse_again, unchanged, stack, spacing))
    if "loss" in maps:
        result = result.changed(loss=loss_map(array, stack, spacing, slice_axis=slice_axis))
    return result


def measured(result: FusionResult, stack: np.ndarray, warning: str = "") -> FusionResult:
    """The result with its metrics, and under ``trust`` the numbers and warnings of its maps, the method's own first."""
    from MedFusionLib.metrics import evaluate, roles_of

    trust = _trust(result, stack)
    trust["warnings"] = [*([warning] if warning else []), *trust["warnings"]]
    roles = roles_of([source.modality for source in result.sources])
    metrics = dict(evaluate(list(stack), result.fused.array, roles=roles))
    metrics["invention"], metrics["contribution"] = trust["invention"], trust["contribution"]["mean"]
    return result.changed(metrics={**metrics, "trust": trust})


def _trust(result: FusionResult, stack: np.ndarray) -> dict:
    from MedFusionLib.align import resample_labels_to
    from MedFusionLib.trust import foreground_of, trust_report

    geometry, labels = result.fused.geometry, None
    if result.tumour is not None:
        labels = resample_labels_to(result.tumour.labels, result.tumour.geometry, geometry)
    maps = {name: getattr(result, name) for name in ("contribution", "invention", *OPTIONAL_MAPS)}
    return trust_report(
        [f"source {number} ({source.modality})" for number, source in enumerate(result.sources)],
        result.fused.array, stack, foreground_of(stack),
        {name: values for name, values in maps.items() if values is not None},
        spacing_kji_mm=geometry.spacing_kji_mm, labels=labels,
    )  # fmt: skip
