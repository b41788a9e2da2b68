"""Run work in a thread while the application stays alive."""

import contextlib
import gc
import threading
import time

import qt
import slicer

POLL_SECONDS = 0.03
YOUNG = 1
"""Generation of the collector that is emptied between two looks at the work."""
JOIN_SECONDS = 2.0


class Task:
    """Work that can be watched and cancelled from the main thread.

    The work is called in a worker thread with ``progress`` and ``cancelled``; it must not touch the scene.
    """

    def __init__(self):
        self._cancel = threading.Event()
        self._done = (0, 100)
        self._outcome = None
        self._error = None
        self.isRunning = False

    def cancel(self):
        """Ask the work to stop."""
        self._cancel.set()

    def isCancelled(self):
        """Whether the person asked to stop; work that was nearly done may have ended all the same."""
        return self._cancel.is_set()

    def run(self, work, onProgress):
        """Run the work and return its outcome, or raise its error; events are processed meanwhile.

        Parameters
        ----------
        work : callable
            ``work(progress, cancelled)``.
        onProgress : callable
            ``onProgress(done, total, secondsLeft)`` in the main thread; ``secondsLeft`` may be None.
        """
        self._cancel.clear()
        self._outcome = self._error = None
        self._done = (0, 100)
        thread = threading.Thread(target=self._work, args=(work,), name="MedFusion", daemon=True)
        self.isRunning = True
        started = time.monotonic()
        try:
            with _garbageStaysInThisThread():
                thread.start()
                while thread.is_alive():
                    thread.join(POLL_SECONDS)
                    gc.collect(YOUNG)
                    done, total = self._done
                    spent = time.monotonic() - started
                    onProgress(done, total, spent * (total - done) / done if done else None)
                    slicer.app.processEvents()
        finally:
            self.isRunning = False
        if self._error is not None:
            raise self._error
        return self._outcome

    def _work(self, work):
        try:
            self._outcome = work(self._progress, self._cancel.is_set)
        except BaseException as error:  # handed over to the main thread, which raises it
            self._error = error

    def _progress(self, done, total):
        self._done = (done, total)


class Background:
    """Work that nobody waits for, such as a verdict or a preview: only the newest wish counts.

    A timer looks after it, so that the main thread is free; outcomes arrive in the main thread.
    """

    def __init__(self, onDone, onError):
        self._onDone, self._onError = onDone, onError
        self._stop = threading.Event()
        self._thread = self._next = self._guard = None
        self._outcome = self._error = None
        self._timer = qt.QTimer()
        self._timer.setInterval(int(1000 * POLL_SECONDS))
        self._timer.connect("timeout()", self._look)

    def isRunning(self):
        """Whether something is being worked on or waits."""
        return self._thread is not None or self._next is not None

    def start(self, work):
        """Do ``work(cancelled)`` in another thread, instead of whatever runs or waits."""
        self._stop.set()
        self._next = work
        if self._thread is None:
            self._launch()

    def cancel(self):
        """Drop what runs; its outcome will not arrive."""
        self._next = None
        self._stop.set()

    def close(self):
        """Drop what runs and wait a moment for its end."""
        self.cancel()
        if self._thread is not None:
            self._thread.join(JOIN_SECONDS)
            self._end()
        self._timer.stop()

    def _launch(self):
        work, self._next = self._next, None
        self._stop = threading.Event()
        self._outcome = self._error = None
        self._guard = _garbageStaysInThisThread()
        self._guard.__enter__()
        self._thread = threading.Thread(target=self._work, args=(work, self._stop), name="MedFusion", daemon=True)
        self._thread.start()
        self._timer.start()

    def _work(self, work, stop):
        try:
            self._outcome = work(stop.is_set)
        except BaseException as error:  # handed over to the main thread
            self._error = error

    def _look(self):
        gc.collect(YOUNG)
        if self._thread is None or self._thread.is_alive():
            return
        wasDropped, outcome, error = self._stop.is_set(), self._outcome, self._error
        self._end()
        if self._next is not None:
            self._launch()
        elif wasDropped:
            return
        elif error is not None:
            self._onError(error)
        else:
            self._onDone(outcome)

    def _end(self):
        self._thread = self._outcome = self._error = None
        self._timer.stop()
        self._guard.__exit__(None, None, None)


_holders = []


@contextlib.contextmanager
def _garbageStaysInThisThread():
    """Keep the collector from running in other threads: a widget or node in a dead cycle dies where it was made."""
    if not _holders:
        _holders.append(gc.isenabled())
        gc.disable()
    _holders.append(True)
    try:
        yield
    finally:
        _holders.pop()
        if len(_holders) == 1 and _holders.pop():
            gc.enable()
