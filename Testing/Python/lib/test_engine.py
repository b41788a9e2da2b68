import os
import threading
import time
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from MedFusionLib import work
from MedFusionLib.engine import EngineOptions, choose_device, run
from MedFusionLib.errors import Cancelled, ResourcesExhausted, UsageError
from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.average import Average
from MedFusionLib.methods.base import Fused, Global, Local
from MedFusionLib.methods.catalogue import create_method
from MedFusionLib.threads import default_workers
from MedFusionLib.tiling import plan_tiles
from phantoms import noise_stack
from quick_methods import quick


@dataclass
class Spy:
    """A method that averages and remembers what it was shown."""

    support: object = Global()
    action: object = None
    info: ClassVar = replace(Average.info, name="spy")

    def __post_init__(self):
        self.seen, self.fitted_to = [], None

    def fit(self, sources, spacing):
        self.fitted_to = (tuple(sources.shape), spacing)
        return self

    def fuse(self, sources, *, with_parts=False):
        self.seen.append(tuple(sources.shape))
        if self.action:
            self.action(self)
        return Fused(sources.mean(dim=1), sources / sources.shape[1] if with_parts else None)


def test_a_global_method_sees_whole_slices_and_the_whole_volume():
    stack = noise_stack((2, 6, 40, 50))
    spy = Spy()
    run(spy, stack, options=EngineOptions("slice", memory_bytes=1 << 16))
    assert {shape[2:] for shape in spy.seen} == {(40, 50)}
    spy = Spy()
    run(spy, stack, options=EngineOptions("volume", memory_bytes=1 << 16))
    assert spy.seen == [(1, 2, 6, 40, 50)]


def test_pieces_hold_whole_groups_of_slices_that_start_from_each_other():
    stack = noise_stack((2, 10, 40, 50))
    spy = Spy()
    spy.info = replace(Average.info, name="spy", slices_together=3)
    run(spy, stack, options=EngineOptions("slice", memory_bytes=1 << 16, workers=1))
    assert [shape[0] for shape in spy.seen] == [3, 3, 3, 1]
    little, much = (
        run(quick("csr"), stack, options=EngineOptions("slice", memory_bytes=memory)) for memory in (1 << 16, 1 << 24)
    )
    assert little.report["pieces"] > much.report["pieces"] == 1
    assert np.array_equal(little.fused, much.fused)


def test_a_method_is_fitted_once_to_all_slices_with_their_spacing():
    spy = Spy()
    run(spy, noise_stack((2, 6, 10, 12)), (3.0, 2.0, 1.0), EngineOptions("slice"), slice_axis=1)
    assert spy.fitted_to == ((10, 2, 6, 12), (3.0, 1.0))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_come_back_where_they_were(axis):
    stack = noise_stack((2, 5, 6, 7))
    output = run(create_method("average"), stack, options=EngineOptions("slice", with_parts=True), slice_axis=axis)
    assert np.allclose(output.fused, stack.mean(axis=0), atol=1e-7)
    assert np.allclose(output.parts, stack / 2, atol=1e-7)


def test_progress_ends_at_its_total_and_comes_from_the_calling_thread():
    calls = []
    options = EngineOptions("slice", memory_bytes=1 << 14)
    run(create_method("average"), noise_stack((2, 30, 16, 16)), options=options,
        progress=lambda done, total: calls.append((done, total, threading.current_thread())))  # fmt: skip
    assert calls[0][0] == 0
    assert calls[-1][0] == calls[-1][1] > 1
    assert {thread for *_, thread in calls} == {threading.current_thread()}


def test_a_cancel_between_chunks_stops_the_work():
    spy = Spy(action=lambda spy: time.sleep(0.02))
    stack = noise_stack((2, 200, 16, 16))
    options = EngineOptions("slice", memory_bytes=1 << 12, workers=1)
    with pytest.raises(Cancelled):
        run(spy, stack, options=options, cancelled=lambda: len(spy.seen) >= 3)
    assert len(spy.seen) < 20


def test_a_cancel_within_a_volume_stops_at_the_next_checkpoint():
    def work(spy):
        for _ in range(200):
            time.sleep(0.02)
            checkpoint()

    spy = Spy(action=work)
    started = time.perf_counter()
    with pytest.raises(Cancelled):
        run(spy, noise_stack((2, 4, 8, 8)), cancelled=lambda: bool(spy.seen))
    assert time.perf_counter() - started < 2


def test_out_of_memory_is_tried_again_in_smaller_pieces():
    def fail_once(spy):
        if len(spy.seen) == 1:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")

    spy = Spy(action=fail_once)
    stack = noise_stack((2, 64, 64, 64))
    output = run(spy, stack)
    assert np.allclose(output.fused, stack.mean(axis=0), atol=1e-6)
    assert "out of memory" in output.report["fallbacks"][0]


def test_out_of_memory_everywhere_is_refused_with_advice():
    def fail(spy):
        raise MemoryError

    with pytest.raises(ResourcesExhausted, match="slice by slice"):
        run(Spy(action=fail), noise_stack((2, 64, 64, 64)))


def test_an_error_of_a_method_is_not_swallowed():
    def fail(spy):
        raise ZeroDivisionError("in the method")

    with pytest.raises(ZeroDivisionError, match="in the method"):
        run(Spy(action=fail), noise_stack((2, 4, 8, 8)))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_that_is_absent_is_refused_and_auto_takes_the_cpu():
    with pytest.raises(UsageError, match="no usable CUDA device"):
        choose_device("cuda")
    assert choose_device("auto") == "cpu"


@pytest.mark.parametrize("field, value", [("mode", "3d"), ("device", "tpu"), ("precision", "half")])
def test_unknown_options_are_refused_with_the_choices(field, value):
    with pytest.raises(UsageError, match="one of"):
        EngineOptions(**{field: value})


def test_what_a_method_cannot_do_is_refused():
    with pytest.raises(UsageError, match="single slice"):
        run(create_method("average"), noise_stack((2, 1, 8, 8)))
    with pytest.raises(UsageError, match="two sources"):
        run(create_method("average"), noise_stack((1, 4, 8, 8)))
    only_slices = Spy()
    only_slices.info = replace(Average.info, dims=(2,), max_sources=2)
    with pytest.raises(UsageError, match="no volume mode"):
        run(only_slices, noise_stack((2, 4, 8, 8)))
    with pytest.raises(UsageError, match="at most 2"):
        run(only_slices, noise_stack((3, 4, 8, 8)), options=EngineOptions("slice"))


def test_fast_precision_is_bfloat16_where_the_processor_knows_it_and_says_what_it_did(monkeypatch):
    sources, told = noise_stack((2, 1, 16, 16)), []
    for known in (True, False):
        monkeypatch.setattr(work, "has_bfloat16", lambda device, known=known: known)
        output = run(create_method("convex"), sources, options=EngineOptions("slice", precision="fast"))
        told.append(output.report["precision"])
        exact = run(create_method("convex"), sources, options=EngineOptions("slice"))
        assert (np.abs(output.fused - exact.fused).max() == 0) is not known
    assert told[0].startswith("bfloat16") and told[1].startswith("float32")


def test_the_engine_leaves_torch_threads_as_they_were():
    before = torch.get_num_threads()
    run(create_method("laplacian"), noise_stack((2, 8, 16, 16)), options=EngineOptions("slice", workers=2))
    assert torch.get_num_threads() == before


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 90), min_size=2, max_size=3),
    st.integers(0, 20),
    st.sampled_from([1, 2, 4, 8]),
    st.integers(1, 20_000),
)
def test_tiles_cover_a_grid_once_and_start_on_the_decimation(shape, halo, step, samples):
    support = Local((halo,) * len(shape), (step,) * len(shape))
    counts = np.zeros(shape, int)
    for tile in plan_tiles(shape, support, samples):
        counts[tile.core] += 1
        for read, core, inner, length in zip(tile.read, tile.core, tile.inner, shape):
            assert read.start % step == 0
            assert read.start + inner.start == core.start
            assert read.start == 0 or core.start - read.start >= halo
            assert read.stop == length or read.stop - core.stop >= halo
    assert (counts == 1).all()


def test_an_axis_that_every_tile_would_read_whole_is_not_cut():
    tiles = plan_tiles((40, 400), Local((30, 30), (4, 4)), 40 * 120)
    assert all(tile.core[0] == slice(0, 40) for tile in tiles)
    assert len(tiles) > 3


def test_chunks_do_not_depend_on_the_number_of_threads():
    reports = [
        run(create_method("average"), noise_stack((2, 30, 32, 32)), options=EngineOptions("slice", workers=w)).report
        for w in (1, 2, 3)
    ]
    assert len({report["pieces"] for report in reports}) == 1
    assert work.CPU_CHUNK_BYTES == 16 << 20


def test_the_usual_variable_limits_the_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert default_workers() == 3
    for odd in ("", "0", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", odd)
        assert default_workers() == os.cpu_count()
