"""Run a fusion method over a volume: device, precision, chunks, threads, memory, cancel.

The only place that knows devices. Methods see tensors; the engine decides how much of the volume
they see at once, where, and in how many threads. The pieces never depend on the number of threads,
so the result does not either.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

import numpy as np

from MedFusionLib.allocation import keep_freed_memory
from MedFusionLib.errors import Cancelled, MedFusionError, ResourcesExhausted, UsageError
from MedFusionLib.interrupt import stoppable
from MedFusionLib.methods.base import FittedMethod, FusionMethod, Local
from MedFusionLib.native import NativeSlices
from MedFusionLib.precision import has_bfloat16
from MedFusionLib.threads import default_workers
from MedFusionLib.tiling import Tile, plan_tiles

logger = logging.getLogger(__name__)

MODES = ("slice", "volume")
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("exact", "fast")

CPU_CHUNK_BYTES = 16 << 20
"""Largest intermediate of a chunk of slices on the CPU: larger fresh tensors cost page faults."""
CPU_WHOLE_BYTES = 2 << 30
"""Below this a volume is fused in one piece on the CPU: halos would cost more than they save."""
CUDA_SHARE = 0.5
"""Share of the free device memory that a chunk may use."""
POLL_SECONDS = 0.05

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
        Memory that the pieces in work may use together; None chooses.
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
    job = _Job(method, sources, spacing_kji, options, slice_axis, native, progress, cancelled or (lambda: False))
    attempts, budget = [], options.memory_bytes
    while True:
        try:
            output = job.attempt(device, budget)
            output.report["fallbacks"] = attempts
            return output
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


class _Job:
    """One call of `run`: lays the sources out, plans pieces, and works them off."""

    def __init__(self, method, sources, spacing_kji, options, slice_axis, native, progress, cancelled) -> None:
        import torch

        stack = torch.from_numpy(np.ascontiguousarray(sources, dtype=np.float32))
        axes = [slice_axis, *(axis for axis in range(3) if axis != slice_axis)]
        if options.mode == "slice":
            self.layout = stack.permute(1 + axes[0], 0, 1 + axes[1], 1 + axes[2])
            self.spacing = tuple(spacing_kji[axis] for axis in axes[1:])
        else:
            self.layout = stack[None]
            self.spacing = tuple(spacing_kji)
        self.back = np.argsort(axes)
        self.method, self.options, self.native = method, options, native
        self.progress, self.cancelled = progress or (lambda done, total: None), cancelled
        self.workers = options.workers or default_workers()
        self.stop = threading.Event()

    def attempt(self, device: str, budget: int | None) -> EngineOutput:
        """Fit, plan and run with a memory budget; raises when memory runs out."""
        started = time.perf_counter()
        fitted = self._in_thread(self._fit)
        pieces = self._plan(fitted, device, budget)
        if len(pieces) == 1:
            fused, parts = self._in_one(fitted, device)
        else:
            shape = (self.layout.shape[0], *self.layout.shape[2:])
            fused = np.empty(shape, np.float32)
            parts = np.empty(tuple(self.layout.shape), np.float32) if self.options.with_parts else None
            self._work_off(fitted, pieces, device, fused, parts)
        report = {
            "device": device,
            "precision": self._precision(device),
            "pieces": len(pieces),
            "workers": self.workers,
            "seconds": time.perf_counter() - started,
        }
        return EngineOutput(self._restore(fused), self._restore_parts(parts), report)

    def _fit(self) -> FittedMethod:
        if self.native:
            return self.method.fit_native(self.layout, self.spacing, self.native)
        return self.method.fit(self.layout, self.spacing)

    def _plan(self, fitted: FittedMethod, device: str, budget: int | None) -> list[tuple[slice, Tile | None]]:
        """Pieces: a range of slices (or the one volume), and a tile of each or None for all of it."""
        count, n_sources = self.layout.shape[:2]
        spatial = tuple(self.layout.shape[2:])
        slice_bytes = int(np.prod(spatial)) * n_sources * 4
        factor = self.method.info.memory_factor_in(self.options.mode)
        limit, chunk = _limits(device, budget, self.options.mode)
        if slice_bytes * factor > limit and isinstance(fitted.support, Local):
            samples = int(limit / (4 * n_sources * factor))
            tiles = plan_tiles(spatial, fitted.support, samples)
            return [(slice(n, n + 1), tile) for n in range(count) for tile in tiles]
        group = self.method.info.slices_together
        size = max(1, int(chunk / slice_bytes) // group) * group
        return [(slice(start, min(start + size, count)), None) for start in range(0, count, size)]

    def _in_one(self, fitted, device) -> tuple[np.ndarray, np.ndarray | None]:
        """All at once; what the method returns is not copied."""
        import torch

        def work():
            with torch.inference_mode(), self._autocast(device):
                result = fitted.fuse(self.layout.contiguous().to(device), with_parts=self.options.with_parts)
                parts = result.parts if self.options.with_parts else None
                return result.image.float().cpu().numpy(), None if parts is None else parts.float().cpu().numpy()

        self.progress(0, 1)
        fused, parts = self._in_thread(work, self.workers if self.options.mode == "volume" else 1)
        self.progress(1, 1)
        return fused, parts

    def _work_off(self, fitted, pieces, device, fused, parts) -> None:
        workers = 1 if device == "cuda" else min(self.workers, len(pieces))
        done, total = 0, len(pieces)
        self.progress(0, total)
        with ThreadPoolExecutor(workers, initializer=_set_threads, initargs=(1,)) as pool:
            waiting = {pool.submit(self._one, fitted, piece, device, fused, parts) for piece in pieces}
            while waiting:
                finished, waiting = wait(waiting, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                self._stop_if_cancelled(waiting)
                for future in finished:
                    self._result(future, waiting)
                    done += 1
                    self.progress(done, total)

    def _one(self, fitted, piece, device, fused, parts) -> None:
        import torch

        numbers, tile = piece
        read = (slice(None),) * (self.layout.ndim - 2) if tile is None else tile.read
        core = read if tile is None else tile.core
        inner = read if tile is None else tile.inner
        with stoppable(self.stop), torch.inference_mode(), self._autocast(device):
            block = self.layout[(numbers, slice(None), *read)].contiguous().to(device)
            here = fitted.at(numbers) if self.native else fitted
            result = here.fuse(block, with_parts=parts is not None)
            fused[(numbers, *core)] = result.image[(slice(None), *inner)].float().cpu().numpy()
            if parts is not None:
                values = result.parts[(slice(None), slice(None), *inner)]
                parts[(numbers, slice(None), *core)] = values.float().cpu().numpy()

    def _in_thread(self, work: Callable, threads: int = 1):
        """Run something in a worker thread while this thread stays able to cancel.

        Slices get one thread: with several, transforms of a batch of them add in another order.
        """
        with ThreadPoolExecutor(1, initializer=_set_threads, initargs=(threads,)) as pool:
            future = pool.submit(self._stoppable, work)
            while not future.done():
                wait({future}, timeout=POLL_SECONDS)
                self._stop_if_cancelled({future})
            return future.result()

    def _stoppable(self, work: Callable):
        with stoppable(self.stop):
            return work()

    def _stop_if_cancelled(self, waiting: set[Future]) -> None:
        if self.cancelled():
            self._abandon(waiting)
            raise Cancelled()

    def _result(self, future: Future, waiting: set[Future]) -> None:
        try:
            future.result()
        except BaseException:
            self._abandon(waiting)
            self.stop = threading.Event()
            raise

    def _abandon(self, waiting: set[Future]) -> None:
        self.stop.set()
        for future in waiting:
            future.cancel()

    def _autocast(self, device: str) -> AbstractContextManager:
        import torch

        if self.options.precision == "exact" or not has_bfloat16(device):
            return nullcontext()
        return torch.autocast(device, dtype=torch.bfloat16)

    def _precision(self, device: str) -> str:
        if self.options.precision == "exact":
            return "float32"
        if not has_bfloat16(device):
            return f"float32: this {device} has no instructions for bfloat16, which would be slower"
        return f"bfloat16 autocast on {device} (convolutions and matrix products)"

    def _restore(self, image: np.ndarray) -> np.ndarray:
        if self.options.mode == "volume":
            return image[0]
        return np.ascontiguousarray(image.transpose(self.back))

    def _restore_parts(self, parts: np.ndarray | None) -> np.ndarray | None:
        if parts is None or self.options.mode == "volume":
            return None if parts is None else parts[0]
        by_source = np.moveaxis(parts, 1, 0)
        return np.ascontiguousarray(by_source.transpose(0, *(1 + self.back)))


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


def _limits(device: str, budget: int | None, mode: str) -> tuple[float, float]:
    """Bytes one slice or volume may work with before it is tiled, and bytes of a chunk of slices."""
    if budget is not None:
        return budget, min(budget, CPU_CHUNK_BYTES) if device == "cpu" else budget
    if device == "cuda":
        import torch

        free = int(torch.cuda.mem_get_info()[0] * CUDA_SHARE)
        return free, free / 4
    return CPU_WHOLE_BYTES, CPU_CHUNK_BYTES


def _set_threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MedFusionError):
        return False
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
    )


def _smaller(job: _Job, budget: int | None, device: str, error: BaseException) -> tuple[int, str]:
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
