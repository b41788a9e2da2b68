"""The application stays alive while work runs in a thread."""

import gc
import threading
import time

import numpy as np
import pytest


@pytest.fixture
def task(module):
    from MedFusionWidgets.task import Task

    return Task()


def ignore(done, total, secondsLeft):
    pass


def test_events_are_processed_at_least_five_times_a_second(task, stage):
    started = time.monotonic()
    assert task.run(lambda progress, cancelled: time.sleep(0.6) or "done", ignore) == "done"
    gaps = np.diff([started, *stage.waits, time.monotonic()])
    assert len(gaps) >= 5
    assert gaps.max() < 0.2


def test_the_work_runs_in_another_thread_and_its_progress_arrives_in_the_main_one(task, stage):
    threads, seen = [], []

    def work(progress, cancelled):
        threads.append(threading.current_thread())
        progress(40, 100)
        time.sleep(0.2)

    def watch(done, total, secondsLeft):
        threads.append(threading.current_thread())
        seen.append((done, total))

    task.run(work, watch)
    assert threads[0] is not threading.main_thread()
    assert set(threads[1:]) == {threading.main_thread()}
    assert (40, 100) in seen


def test_the_time_left_follows_from_the_share_that_is_done(task, stage):
    left = []

    def work(progress, cancelled):
        time.sleep(0.3)
        progress(75, 100)
        time.sleep(0.1)

    task.run(work, lambda done, total, secondsLeft: left.append(secondsLeft))
    assert left[0] is None
    assert left[-1] == pytest.approx(0.4 * 25 / 75, abs=0.1)


def test_an_error_of_the_work_is_raised_where_it_was_started(task, stage):
    def work(progress, cancelled):
        raise ValueError("in the thread")

    with pytest.raises(ValueError, match="in the thread"):
        task.run(work, ignore)
    assert not task.isRunning


def test_a_cancelled_task_can_run_again(task, stage):
    def until_cancelled(progress, cancelled):
        while not cancelled():
            time.sleep(0.01)
        return "stopped"

    stage.on_events = task.cancel
    assert task.run(until_cancelled, ignore) == "stopped"
    stage.on_events = None
    assert task.run(lambda progress, cancelled: cancelled(), ignore) is False


class Buried:
    """An object in a cycle with itself that tells in which thread it was finalised."""

    def __init__(self, threads):
        self.itself = self
        self.threads = threads

    def __del__(self):
        self.threads.append(threading.current_thread())


def test_dead_objects_of_the_main_thread_are_never_finalised_in_the_worker(task):
    threads = []

    def work(progress, cancelled):
        return sum(len([[]]) for _ in range(200_000) for _kept in [[{}, {}]])

    def litter(done, total, secondsLeft):
        for _ in range(50):
            Buried(threads)

    litter(0, 100, None)
    assert task.run(work, litter) == 200_000
    assert set(threads) == {threading.main_thread()}
    assert gc.isenabled()
