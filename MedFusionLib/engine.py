"""Run a fusion method over a volume: device, precision, chunks, threads, memory, cancel.

The only place, with `work`, that knows devices. Methods see tensors; the engine decides how much of the volume
they see at once, where, and in how many threads.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from MedFusionLib.allocation import keep_freed_memory
from MedFusionLib.errors import MedFusionError, ResourcesExhausted, UsageError
from MedFusionLib.methods.base import FusionMethod
from MedFusionLib.native import NativeSlices
from MedFusionLib.work import Job

logger = logging.getLogger(__name__)

MODES = ("slice", "volume")
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("exact", "fast")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class EngineOptions:
    """How to run.

    Parameters
    ----------
    mode : {"volume", "slice"}
        True 3-D, or slice by slice on the acquisition plane.
    device : {"auto", "cpu", "cuda"}
        ``auto`` takes CUDA when there is one.
    precision : {"exact", "fast"}
        ``exact`` is float32; ``fast`` lets convolutions and matrix products run in bfloat16 where
        the hardware has it.
    workers : int
        CPU threads; 0 takes one per core, or as many as the variable OMP_NUM_THREADS says.
    memory_bytes : int or None
        Memory that a piece in work may use, every thread having its own; None chooses.
    with_parts : bool
        Whether to return what came from each source.
    """

    mode: str = "volume"
    device: str = "auto"
    precision: str = "exact"
    workers: int = 0
    memory_bytes: int | None = None
    with_parts: bool = False

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("mode", self.mode, MODES),
            ("device", self.device, DEVICES),
            ("precision", self.precision, PRECISIONS),
        ):
            if value not in allowed:
                raise UsageError(f"Unknown {name} {value!r}", "one of " + ", ".join(allowed))

    def without_parts(self) -> EngineOptions:
        """The same, but only the fused array is wanted."""
        return replace(self, with_parts=False)


@dataclass(frozen=True, eq=False)
class EngineOutput:
    """What a run gives back.

    Parameters
    ----------
    fused : (K, J, I) float32
        As the method returned it, not clipped.
    parts : (S, K, J, I) float32 or None
        What came from each source.
    report : dict
        Device, precision, number of pieces, threads, seconds, and what was tried before.
    """

    fused: np.ndarray
    parts: np.ndarray | None
    report: dict = field(default_factory=dict)


def run(
    method: FusionMethod,
    sources: np.ndarray,
    spacing_kji: tuple[float, float, float] = (1.0, 1.0, 1.0),
    options: EngineOptions | None = None,
    *,
    slice_axis: int = 0,
    native: Sequence[NativeSlices | None] = (),
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> EngineOutput:
    """Fuse normalised sources.

    Parameters
    ----------
    method : FusionMethod
        From the catalogue.
    sources : (S, K, J, I) float32 ndarray
        In 0..1, on one grid.
    spacing_kji : tuple of float
        Voxel size in mm along K, J, I.
    options : EngineOptions
        How to run.
    slice_axis : int
        Array axis (0 K, 1 J, 2 I) across the slices in slice mode.
    native : sequence of NativeSlices or None
        Per moving source its slices on its own grid, for methods that take them; empty without any.
    progress : callable
        ``progress(done, total)`` in pieces, called in the calling thread.
    cancelled : callable
        Asked about twenty times a second in the calling thread.

    Raises
    ------
    Cancelled
        When `cancelled` returned true; nothing is returned.
    ResourcesExhausted
        When memory does not suffice even for the smallest pieces on the CPU.
    UsageError
        When the method cannot do what is asked (dimensions, number of sources, device).
    """
    options = options or EngineOptions()
    keep_freed_memory()
    device = choose_device(options.device)
    _check_request(method, sources, options)
    _check_native(method, sources, options, native)
    job = Job(method, sources, spacing_kji, options, slice_axis, native, progress, cancelled or (lambda: False))
    attempts, budget = [], options.memory_bytes
    while True:
        try:
            fused, parts, report = job.attempt(device, budget)
            return EngineOutput(fused, parts, {**report, "fallbacks": attempts})
        except Exception as error:
            if not _is_out_of_memory(error):
                raise
            budget, device = _smaller(job, budget, device, error)
            attempts.append(f"out of memory; continued on {device} with {budget >> 20} MB")
            logger.warning(attempts[-1])


def choose_mode(mode: str, dims: Sequence[int], shape: Sequence[int]) -> str:
    """``slice`` or ``volume`` for a wish; ``auto`` takes the volume where method and grid allow it.

    Parameters
    ----------
    mode : {"auto", "slice", "volume"}
        The wish.
    dims : sequence of int
        Of the method: 2 for slices, 3 for volumes.
    shape : (K, J, I)
        Of the reference grid.
    """
    if mode != "auto":
        return mode
    return "volume" if 3 in dims and min(shape) > 1 else "slice"


def choose_device(device: str) -> str:
    """``cpu`` or ``cuda`` for a wish.

    Raises
    ------
    UsageError
        When CUDA is asked for and absent.
    """
    import torch

    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise UsageError("CUDA was asked for, but there is no usable CUDA device", "device auto or cpu")
    return "cuda" if has_cuda and device != "cpu" else "cpu"


def _check_request(method: FusionMethod, sources: np.ndarray, options: EngineOptions) -> None:
    info, count = method.info, sources.shape[0]
    if sources.ndim != 4 or count < 2:
        raise UsageError(f"Sources of shape {sources.shape}", "(S, K, J, I) with at least two sources")
    if info.max_sources is not None and count > info.max_sources:
        raise UsageError(f"{info.name} got {count} sources", f"at most {info.max_sources}")
    needed = 2 if options.mode == "slice" else 3
    if needed not in info.dims:
        other = "volume" if options.mode == "slice" else "slice"
        raise UsageError(f"{info.name} has no {options.mode} mode", f"mode {other}")
    if options.mode == "volume" and min(sources.shape[1:]) < 2:
        raise UsageError("Volumetric fusion of a single slice", "at least two slices", "Use mode slice")


def _check_native(method: FusionMethod, sources: np.ndarray, options: EngineOptions, native: Sequence) -> None:
    if not native:
        return
    if not method.info.takes_native or options.mode != "slice":
        raise UsageError(f"{method.info.name} in {options.mode} mode got sources on their own grids", "a common grid")
    if len(native) != len(sources) - 1:
        raise UsageError(f"{len(native)} native sources for {len(sources) - 1} moving ones", "one each, or None")


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MedFusionError):
        return False
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
    )


def _smaller(job: Job, budget: int | None, device: str, error: BaseException) -> tuple[int, str]:
    """Half the memory; from CUDA to the CPU and finally refuse when pieces cannot get smaller."""
    working = int(np.prod(job.layout.shape) * 4 * job.method.info.memory_factor_in(job.options.mode))
    smallest = 1 << 20
    current = working if budget is None else budget
    if current // 2 >= smallest:
        return current // 2, device
    if device == "cuda":
        return max(working, 2 * smallest), "cpu"
    raise ResourcesExhausted(
        f"Out of memory while fusing {tuple(job.layout.shape)} voxels with {job.method.info.name}",
        "memory for at least the smallest pieces",
        "Close other programs, fuse slice by slice, or crop the sources",
    ) from error
