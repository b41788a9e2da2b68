"""Run work in a thread while the application stays alive."""

import contextlib
import gc
import threading
import time

import slicer

POLL_SECONDS = 0.03
YOUNG = 1
"""Generation of the collector that is emptied between two looks at the work."""


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


@contextlib.contextmanager
def _garbageStaysInThisThread():
    """Keep the collector from running in other threads: a widget or node in a dead cycle dies where it was made."""
    wasEnabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if wasEnabled:
            gc.enable()
