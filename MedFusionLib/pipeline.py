"""The one way from sources to a fusion result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from MedFusionLib.assembly import assemble, measured, with_optional_maps
from MedFusionLib.colour import DEFAULT_TABLE
from MedFusionLib.engine import EngineOptions, EngineOutput, choose_mode, run
from MedFusionLib.errors import UsageError
from MedFusionLib.intensity import Window, default_window, normalise
from MedFusionLib.interrupt import asking
from MedFusionLib.native import own_grids
from MedFusionLib.placement import Placed, place
from MedFusionLib.provenance import peak_memory_mb, provenance_record
from MedFusionLib.region import Region
from MedFusionLib.request import FusionRequest
from MedFusionLib.result import FusionResult
from MedFusionLib.segmentation import Segmentation
from MedFusionLib.steps import FUSED, MAPPED, PLACED, PROGRESS_TOTAL, Clock, Steps
from MedFusionLib.tumour import tumour_of, with_fused_contrast
from MedFusionLib.volume import Case


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
        ITK transform files (reference LPS to moving LPS) or DICOM Spatial Registrations, one per moving
        source; a registration starts from them.
    tumour : Segmentation, path, method, or None
        The tumour to draw and measure: a label map, a DICOM Segmentation or RT Structure Set (or its folder), or
        a method as in `segment_tumour`.
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
    request = FusionRequest(
        method, mode, device, precision, register, transform, tumour, parameters=parameters, windows=windows,
        seed=seed, roi=roi, liver=liver, blood_pool=blood_pool, force=force, table=table, workers=workers, maps=maps,
    )  # fmt: skip
    return _Fusion(case, request, Steps.of(progress, cancelled)).result()


class _Fusion:
    """One fusion on its way: place, fuse, assemble, measure, record."""

    def __init__(self, case: Case, request: FusionRequest, steps: Steps) -> None:
        from MedFusionLib.methods.catalogue import create_method, default_for

        if len(case.sources) < 2:
            raise UsageError("One source cannot be fused", "at least two sources")
        self.case, self.request, self.steps, self.clock = case, request, steps, Clock()
        self.geometry = case.reference.geometry
        self.own_grids, self.kept = (), {}
        self.name = request.method or default_for([source.modality for source in case.sources])
        self.method = create_method(self.name, request.parameters)
        self.options = EngineOptions(
            mode=choose_mode(request.mode, self.method.info.dims, self.geometry.shape), device=request.device,
            precision=request.precision, workers=request.workers, with_parts=True,
        )  # fmt: skip

    def result(self) -> FusionResult:
        """Do it all; nothing is written."""
        request, steps, clock = self.request, self.steps, self.clock
        steps.reached(0)
        placed = place(self.case, request, steps)
        lesions = self._tumour(placed)
        clock.lap("align")
        steps.reached(PLACED)

        windows = _windows(placed.aligned, request.windows)
        stack = np.stack([normalise(source, window) for source, window in zip(placed.aligned.sources, windows)])
        clock.lap("normalise")
        if self.method.info.takes_native and self.options.mode == "slice":
            self.own_grids, self.kept = own_grids(placed.native, windows, self.geometry.slice_axis)
        output = self._run(stack)
        clock.lap("fuse")
        steps.reached(FUSED)

        plane = self.geometry.slice_axis if self.options.mode == "slice" else None
        with asking(steps.cancelled):
            result = assemble(placed, windows, stack, output, plane, request.table)
            result = with_optional_maps(
                result, stack, plane, request.maps, self._again, is_again_the_same=not self.own_grids
            )
            result = result.changed(tumour=with_fused_contrast(lesions, result.fused))
            clock.lap("maps")
            steps.reached(MAPPED)
            result = measured(result, stack, self.method.info.warning)
        clock.lap("measure")
        record = self._record(placed, output, result)
        steps.reached(PROGRESS_TOTAL)
        return result.changed(timings=clock.total(), provenance={**record, "peak_mb": peak_memory_mb()})

    def _tumour(self, placed: Placed) -> Segmentation | None:
        wish = self.request
        return tumour_of(
            self.case, wish.tumour, transforms=placed.transforms, seed=wish.seed, roi=wish.roi, liver=wish.liver,
            blood_pool=wish.blood_pool, force=True,  # whether the sources line up has been decided already
        )  # fmt: skip

    def _run(self, stack: np.ndarray) -> EngineOutput:
        def progress(done: int, total: int) -> None:
            self.steps.progress(PLACED + (FUSED - PLACED) * done // total, PROGRESS_TOTAL)

        return run(
            self.method, stack, self.geometry.spacing_kji_mm, self.options, slice_axis=self.geometry.slice_axis,
            native=self.own_grids, progress=progress, cancelled=self.steps.cancelled,
        )  # fmt: skip

    def _again(self, stack: np.ndarray) -> np.ndarray:
        """The fused array of changed sources on the common grid, as the stability map needs it."""
        options = self.options.without_parts()
        return run(
            self.method, stack, self.geometry.spacing_kji_mm, options, slice_axis=self.geometry.slice_axis,
            cancelled=self.steps.cancelled,
        ).fused  # fmt: skip

    def _record(self, placed: Placed, output: EngineOutput, result: FusionResult) -> dict:
        from MedFusionLib.methods.base import weights_of
        from MedFusionLib.segment import is_method

        wish, lesions = self.request, result.tumour
        asked = {
            "method": self.name, "parameters": wish.parameters or {}, "mode": self.options.mode,
            "weights_sha256": weights_of(self.method) or None,
            "device": wish.device, "precision": wish.precision,
            "forced": bool(wish.force and placed.verdict.status == "fail"),
            "colour_table": None if result.colour is None else wish.table,
            "transforms": [t is not None for t in placed.transforms], "register": wish.register or "none",
            "registrations": placed.registrations, "maps": list(wish.maps),
            "windows": [window.as_json() for window in result.windows],
            "tumour": wish.tumour if isinstance(wish.tumour, str) and is_method(wish.tumour) else bool(lesions),
            **({"native_grids": self.kept} if self.kept else {}),
        }  # fmt: skip
        clipped = float(np.mean((output.fused < 0) | (output.fused > 1)))
        return provenance_record(self.case.sources, asked, {**output.report, "clipped_fraction": clipped})


def _windows(case: Case, windows: Sequence[Window | None] | None) -> tuple[Window, ...]:
    given = list(windows) if windows is not None else [None] * len(case.sources)
    if len(given) != len(case.sources):
        raise UsageError(f"{len(given)} windows for {len(case.sources)} sources", "one window per source")
    return tuple(window or default_window(source) for window, source in zip(given, case.sources))
