"""The one way from sources to a fusion result."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from MedFusionLib.colour import DEFAULT_TABLE, compose
from MedFusionLib.engine import EngineOptions, EngineOutput, choose_mode, run
from MedFusionLib.errors import Cancelled, UsageError
from MedFusionLib.intensity import Window, default_window, normalise
from MedFusionLib.interrupt import asking
from MedFusionLib.provenance import peak_memory_mb, provenance_record
from MedFusionLib.region import Region
from MedFusionLib.result import FusionResult, Verdict
from MedFusionLib.segmentation import Segmentation
from MedFusionLib.tumour import refuse_misaligned, tumour_of, with_fused_contrast
from MedFusionLib.units import FUSION_INDEX
from MedFusionLib.volume import Case, Origin, Volume

PROGRESS_TOTAL = 100
_ALIGNED, _FUSED, _MAPPED = 15, 75, 90
OPTIONAL_MAPS = ("loss", "stability")


@dataclass(frozen=True)
class _Steps:
    """Progress in percent and cancel, between the steps of the pipeline."""

    progress: Callable[[int, int], None]
    cancelled: Callable[[], bool]

    def reached(self, percent: int) -> None:
        if self.cancelled():
            raise Cancelled()
        self.progress(percent, PROGRESS_TOTAL)


def fuse(
    case: Case,
    method: str | None = None,
    mode: str = "auto",
    device: str = "auto",
    precision: str = "exact",
    register: str | None = None,
    transform: str | Path | Sequence[str | Path | None] | None = None,
    tumour: str | Path | Segmentation | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    *,
    parameters: dict[str, Any] | None = None,
    windows: Sequence[Window | None] | None = None,
    seed: tuple[float, float, float] | None = None,
    roi: str | Path | Segmentation | Region | None = None,
    liver: tuple[float, float, float] | None = None,
    blood_pool: tuple[float, float, float] | None = None,
    force: bool = False,
    table: str = DEFAULT_TABLE,
    workers: int = 0,
    maps: Sequence[str] = (),
) -> FusionResult:
    """Fuse the sources of a case on the grid of the first one.

    Parameters
    ----------
    case : Case
        Two or more sources.
    method : str or None
        Name from the catalogue; None takes the default for the modality pair.
    mode : {"auto", "volume", "slice"}
        True 3-D, or slice by slice on the acquisition plane of the reference; ``auto`` takes the
        volume where the method and the case allow it.
    device : {"auto", "cpu", "cuda"}
        Where to compute.
    precision : {"exact", "fast"}
        float32, or bfloat16 for convolutions where the hardware has it.
    register : {None, "none", "rigid", "affine", "bspline"}
        Register every moving source to the reference first; one that gets worse stays as it is.
    transform : path, sequence of paths, or None
        ITK transform files (reference LPS to moving LPS), one per moving source; a registration
        starts from them.
    tumour : Segmentation, path of a label map, method, or None
        The tumour to draw and measure; methods as in `segment_tumour`.
    progress : callable
        ``progress(done, total)``, called in the calling thread.
    cancelled : callable
        Asked often in the calling thread; a true answer stops the work.
    parameters : dict or None
        Parameters of the method.
    windows : sequence of Window or None
        Per source; None takes the default by modality and unit.
    seed, roi, liver, blood_pool
        Where the tumour and the reference tissue lie, see `segment_tumour`.
    force : bool
        Fuse although the sources do not line up; recorded.
    table : str
        Lookup table that gives the hue of the functional source.
    workers : int
        CPU threads; 0 takes one per core, or as many as the variable OMP_NUM_THREADS says.
    maps : sequence of {"loss", "stability"}
        Maps of trust besides contribution and invention; stability fuses several times more.

    Returns
    -------
    FusionResult

    Raises
    ------
    NotAligned
        When the verdict is "fail" and `force` is not set.
    UsageError, NotSupported, ResourcesExhausted, Cancelled
        As their messages say; nothing is written.
    """
    from MedFusionLib.align import check_alignment, in_reference_space, to_reference
    from MedFusionLib.methods.catalogue import create_method, default_for

    if len(case.sources) < 2:
        raise UsageError("One source cannot be fused", "at least two sources")
    _check_wishes(register, maps)
    method = method or default_for([source.modality for source in case.sources])
    fusion = create_method(method, parameters)
    mode = choose_mode(mode, fusion.info.dims, case.reference.geometry.shape)
    options = EngineOptions(mode=mode, device=device, precision=precision, workers=workers, with_parts=True)
    steps = _Steps(progress or (lambda done, total: None), cancelled or (lambda: False))
    clock = _Clock()

    steps.reached(0)
    transforms = _transforms(transform, len(case.sources))
    with asking(steps.cancelled):
        transforms, registrations = _register(case, register, transforms)
        verdict = check_alignment(case, transforms=transforms)
    if not force:
        refuse_misaligned(verdict)
    aligned = to_reference(case, transforms=transforms)
    native = in_reference_space(case, aligned, transforms)
    lesions = tumour_of(native, tumour, seed=seed, roi=roi, liver=liver, blood_pool=blood_pool, force=True)
    clock.lap("align")
    steps.reached(_ALIGNED)

    chosen = _windows(aligned, windows)
    stack = np.stack([normalise(source, window) for source, window in zip(aligned.sources, chosen)])
    clock.lap("normalise")
    slice_axis = case.reference.geometry.slice_axis
    output = run(
        fusion, stack, case.reference.geometry.spacing_kji_mm, options, slice_axis=slice_axis,
        progress=lambda done, total: steps.progress(_ALIGNED + (_FUSED - _ALIGNED) * done // total, PROGRESS_TOTAL),
        cancelled=steps.cancelled,
    )  # fmt: skip
    clock.lap("fuse")
    steps.reached(_FUSED)
    plane = slice_axis if mode == "slice" else None
    with asking(steps.cancelled):
        result = _assemble(aligned, chosen, stack, output, plane, verdict, table)
        lesions = with_fused_contrast(lesions, result.fused)
        result = replace(result, tumour=lesions, transforms=tuple(transforms))
        if "stability" in maps:

            def again(sources: np.ndarray) -> np.ndarray:
                spacing, alone = case.reference.geometry.spacing_kji_mm, replace(options, with_parts=False)
                return run(fusion, sources, spacing, alone, slice_axis=slice_axis, cancelled=steps.cancelled).fused

            result = replace(result, stability=_stability(result, stack, again))
        if "loss" in maps:
            result = replace(result, loss=_loss(result, stack, plane))
        clock.lap("maps")
        steps.reached(_MAPPED)
        result = replace(result, metrics=_metrics(stack, result))
    clock.lap("measure")
    asked = {
        "method": method, "parameters": parameters or {}, "mode": mode, "device": device, "precision": precision,
        "forced": bool(force and verdict.status == "fail"),
        "colour_table": None if result.colour is None else table,
        "transforms": [t is not None for t in transforms], "register": register or "none",
        "registrations": registrations, "maps": list(maps), "windows": [window.as_json() for window in chosen],
        "tumour": tumour if isinstance(tumour, str) and lesions and lesions.source.notes else bool(lesions),
    }  # fmt: skip
    clipped = float(np.mean((output.fused < 0) | (output.fused > 1)))
    record = provenance_record(case.sources, asked, {**output.report, "clipped_fraction": clipped})
    steps.reached(PROGRESS_TOTAL)
    return replace(result, timings=clock.total(), provenance={**record, "peak_mb": peak_memory_mb()})


def _assemble(aligned, windows, stack, output: EngineOutput, slice_axis, verdict: Verdict, table: str) -> FusionResult:
    """Colour and maps of trust around the fused array."""
    from MedFusionLib.trust import contribution_map, foreground_of, invention_map

    geometry = aligned.reference.geometry
    array = np.clip(output.fused, 0, 1)
    fused = Volume(array, geometry, "OT", FUSION_INDEX, "Fused " + aligned.pair_code, Origin(
        frame_of_reference=aligned.reference.source.frame_of_reference))  # fmt: skip
    result = FusionResult(
        fused=fused,
        sources=aligned.sources,
        windows=windows,
        colour=None,
        contribution=contribution_map(output.parts, foreground_of(stack), slice_axis=slice_axis),
        invention=invention_map(array, stack, slice_axis=slice_axis),
        alignment=verdict,
    )
    hue = result.functional_index
    return result if hue is None else replace(result, colour=compose(array, stack[hue], table))


def _loss(result: FusionResult, stack: np.ndarray, slice_axis: int | None) -> np.ndarray:
    from MedFusionLib.trust import loss_map

    return loss_map(result.fused.array, stack, result.fused.geometry.spacing_kji_mm, slice_axis=slice_axis)


def _stability(result: FusionResult, stack: np.ndarray, again: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    from MedFusionLib.trust import stability_map

    return stability_map(again, result.fused.array, stack, result.fused.geometry.spacing_kji_mm)


def _metrics(stack: np.ndarray, result: FusionResult) -> dict:
    from MedFusionLib.align import resample_labels_to
    from MedFusionLib.metrics import evaluate, roles_of
    from MedFusionLib.trust import foreground_of, trust_report

    geometry, labels = result.fused.geometry, None
    if result.tumour is not None:
        labels = resample_labels_to(result.tumour.labels, result.tumour.geometry, geometry)
    maps = {name: getattr(result, name) for name in ("contribution", "invention", *OPTIONAL_MAPS)}
    names = [f"source {number} ({source.modality})" for number, source in enumerate(result.sources)]
    trust = trust_report(
        names, result.fused.array, stack, foreground_of(stack),
        {name: values for name, values in maps.items() if values is not None},
        spacing_kji_mm=geometry.spacing_kji_mm, labels=labels,
    )  # fmt: skip
    roles = roles_of([source.modality for source in result.sources])
    metrics = dict(evaluate(list(stack), result.fused.array, roles=roles))
    metrics["invention"], metrics["contribution"] = trust["invention"], trust["contribution"]["mean"]
    return {**metrics, "trust": trust}


def _check_wishes(register: str | None, maps: Sequence[str]) -> None:
    from MedFusionLib.align import MODELS

    if register not in (None, "none", *MODELS):
        raise UsageError(f"Unknown registration {register!r}", "one of none, " + ", ".join(MODELS))
    for name in maps:
        if name not in OPTIONAL_MAPS:
            raise UsageError(f"Unknown map {name!r}", "one of " + ", ".join(OPTIONAL_MAPS))


def _register(case: Case, model: str | None, transforms: list) -> tuple[list, list[dict]]:
    """The transforms to use, and what the registrations say; given transforms are read."""
    from MedFusionLib.align import register as find
    from MedFusionLib.align.transform import as_transform, simplified

    given = [None if t is None else simplified(as_transform(t)) for t in transforms]
    if model in (None, "none"):
        return given, []
    found = [find(case.reference, moving, model, initial=t) for moving, t in zip(case.sources[1:], given)]
    used = [one.transform if one.applied else t for one, t in zip(found, given)]
    return used, [one.as_json() for one in found]


def _windows(case: Case, windows: Sequence[Window | None] | None) -> tuple[Window, ...]:
    given = list(windows) if windows is not None else [None] * len(case.sources)
    if len(given) != len(case.sources):
        raise UsageError(f"{len(given)} windows for {len(case.sources)} sources", "one window per source")
    return tuple(window or default_window(source) for window, source in zip(given, case.sources))


def _transforms(transform, count: int) -> list:
    """One transform (or None) per moving source."""
    if transform is None:
        return [None] * (count - 1)
    given = list(transform) if isinstance(transform, Sequence) and not isinstance(transform, str) else [transform]
    if len(given) != count - 1:
        raise UsageError(f"{len(given)} transforms for {count - 1} moving sources", "one per moving source")
    return given


class _Clock:
    """Seconds per step."""

    def __init__(self) -> None:
        self.started = self.last = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self.last = now - self.last, now

    def total(self) -> dict[str, float]:
        return {**self.laps, "total": time.perf_counter() - self.started}
