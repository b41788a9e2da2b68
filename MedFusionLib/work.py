"""One fusion of a volume at work: pieces, threads, progress, cancel.

Pieces never depend on the number of threads, so the result does not either.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext

import numpy as np

from MedFusionLib.errors import Cancelled
from MedFusionLib.interrupt import stoppable
from MedFusionLib.methods.base import FittedMethod, Local
from MedFusionLib.precision import has_bfloat16
from MedFusionLib.threads import default_workers
from MedFusionLib.tiling import Tile, plan_tiles

CPU_CHUNK_BYTES = 16 << 20
"""Largest intermediate of a chunk of slices on the CPU: larger fresh tensors cost page faults."""
CPU_WHOLE_BYTES = 2 << 30
"""Below this a volume is fused in one piece on the CPU: halos would cost more than they save."""
CUDA_SHARE = 0.5
"""Share of the free device memory that a chunk may use."""
POLL_SECONDS = 0.05


class Job:
    """One call of `engine.run`: lays the sources out, plans pieces, and works them off."""

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

    def attempt(self, device: str, budget: int | None) -> tuple[np.ndarray, np.ndarray | None, dict]:
        """Fit, plan and run with a memory budget: the fused array, parts, and a report; raises when memory runs out."""
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
        return self._restore(fused), self._restore_parts(parts), report

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
