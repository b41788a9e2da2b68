"""One piece of work at a time: the pressed button becomes Cancel, a sentence says how it went."""

import logging
import traceback

import slicer
from slicer.i18n import tr as _

from MedFusionWidgets.choices import say
from MedFusionWidgets.task import Task

logger = logging.getLogger(__name__)

LEAST_SECONDS_LEFT = 2


class Work:
    """What the person started and waits for.

    onBusy - Called with whether something runs, before and after it.
    """

    def __init__(self, onBusy):
        self.task = Task()
        self.isBusy = False
        self._onBusy = onBusy
        self._button = self._label = self._bar = None
        self._generation = 0
        self._isClosed = False

    def press(self, button, label, sentence, steps, bar=None):
        """Start what a button stands for, or cancel it when it runs.

        Parameters
        ----------
        button : QPushButton
            What was pressed; it says Cancel meanwhile.
        label : QLabel
            Where the sentences go.
        sentence : str
            Shown meanwhile.
        steps : callable
            ``steps(run)`` in the main thread; it calls ``run(work, nodes)`` for what takes long and returns a
            sentence on the outcome.
        bar : QProgressBar or None
            Shown meanwhile.
        """
        if self.isBusy:
            if button is self._button:
                self.task.cancel()
                say(label, _("Cancelling ..."))
            return
        text, tip = button.text, button.toolTip
        self.isBusy, self._button, self._label, self._bar = True, button, label, bar
        self._onBusy(True)
        button.enabled, button.text, button.toolTip = True, _("Cancel"), _("Stop; nothing is added to the scene.")
        say(label, sentence)
        if bar is not None:
            bar.value, bar.visible = 0, True
        try:
            message = steps(self._run)
        except Exception as error:
            message = explain(error)
        finally:
            self.isBusy = False
        if self._isClosed:
            return
        button.text, button.toolTip = text, tip
        if bar is not None:
            bar.visible = False
        self._onBusy(False)
        say(label, message)

    def drop(self):
        """Cancel what runs; its outcome will not be used, because the scene that it was for goes away."""
        self._generation += 1
        self.task.cancel()

    def close(self):
        """Cancel what runs and touch no widget any more: they are about to go."""
        self.drop()
        self._isClosed = True

    def _run(self, work, nodes=()):
        """Do the work in a thread; raises `Cancelled` when the person, the scene or a node went away meanwhile."""
        from MedFusionLib.errors import Cancelled, UsageError
        from MedFusionLib.interrupt import asking

        def stoppable(progress, cancelled):
            with asking(cancelled):
                return work(progress, cancelled)

        generation = self._generation
        outcome = self.task.run(stoppable, self._showProgress)
        if generation != self._generation:
            raise UsageError("The scene was closed meanwhile; the result was dropped")
        if any(node.GetScene() is None for node in nodes):
            raise UsageError("A volume was removed from the scene meanwhile; the result was dropped")
        if self.task.isCancelled():
            raise Cancelled()
        return outcome

    def _showProgress(self, done, total, secondsLeft):
        if self._isClosed:
            return
        if self._bar is not None:
            self._bar.maximum = total
            self._bar.value = done
        if secondsLeft is not None and secondsLeft > LEAST_SECONDS_LEFT and not self.task.isCancelled():
            say(self._label, _("About {seconds:.0f} s left").format(seconds=secondsLeft))


def explain(error):
    """A sentence for the person; unexpected errors with their details."""
    from MedFusionLib.errors import Cancelled, MedFusionError

    if isinstance(error, Cancelled):
        return _("Cancelled.")
    # the log gets no message: it may name a volume, and a volume may be named after a patient
    logger.error("Work failed: %s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
    details = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    sentence = str(error) if isinstance(error, MedFusionError) else _("This failed unexpectedly.")
    slicer.util.errorDisplay(sentence, detailedText=details)
    return sentence
