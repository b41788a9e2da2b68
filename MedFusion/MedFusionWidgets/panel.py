"""The panel: sections, one Apply button that becomes Cancel, and a progress bar."""

import logging
import traceback

import slicer
from slicer.i18n import tr as _

from MedFusionWidgets.dependencies import ensureDependencies
from MedFusionWidgets.display import DisplaySection
from MedFusionWidgets.inputs import InputsSection
from MedFusionWidgets.methods import MethodSection
from MedFusionWidgets.task import Task

logger = logging.getLogger(__name__)


class Panel:
    """Connects the widgets of the .ui file with the parameter node and the work.

    result, resultNodes - The newest fusion and its nodes, for the sections after it; None before the first one.
    """

    def __init__(self, ui, logic):
        self.ui, self.logic = ui, logic
        self.task = Task()
        self.parameters = None
        self.result = self.resultNodes = None
        self._guiTag = None
        self._isBusy = False
        self.inputs = InputsSection(ui, self.refresh)
        self.methods = MethodSection(ui, self._rememberMethod)
        self.display = DisplaySection(ui)
        ui.applyButton.connect("clicked()", self.onApplyButton)
        ui.progressBar.visible = False

    def attach(self, parameters):
        """Connect the widgets to a parameter node."""
        self.disconnectGui()
        self.parameters = parameters
        self._guiTag = parameters.connectGui(self.ui)
        self.methods.show(parameters.method, parameters.mode, parameters.device, parameters.register)
        self.refresh()

    def disconnectGui(self):
        """Stop following the parameter node."""
        if self.parameters is not None and self._guiTag is not None:
            self.parameters.disconnectGui(self._guiTag)
        self._guiTag = None

    def detach(self):
        """Cancel the work and let go of the parameter node."""
        self.task.cancel()
        self.disconnectGui()
        self.parameters = None
        self.result = self.resultNodes = None

    def refresh(self):
        """Say what is chosen, and enable Apply or say why not."""
        if self._isBusy:
            return
        problem = self.inputs.refresh()
        self.ui.applyButton.text = _("Apply")
        self.ui.applyButton.enabled = not problem
        self.ui.applyButton.toolTip = problem or _("Fuse the chosen volumes.")
        self.ui.statusLabel.text = problem
        self.display.setSources(self.inputs.nodes())

    def onApplyButton(self):
        """Start the fusion, or cancel the one that runs."""
        if self._isBusy:
            self.task.cancel()
            self.ui.statusLabel.text = _("Cancelling ...")
            return
        self._lock()
        try:
            message = self._installWhatIsMissing() or self._fuse()
        except Exception as error:
            message = self._explain(error)
        finally:
            self._unlock()
        self.ui.statusLabel.text = message

    def _installWhatIsMissing(self):
        """Why the fusion cannot run; empty when it can."""
        problem = ensureDependencies()
        if not problem and self.methods.fill() and self.parameters is not None:
            known = self.parameters
            self.methods.show(known.method, known.mode, known.device, known.register)
        return problem

    def _fuse(self):
        """Fuse in a thread, then show the result in the main thread."""
        import MedFusionLib
        from MedFusionScene.logic import prepare, show

        nodes, options, parameters = self.inputs.nodes(), self.methods.values(), self.parameters
        case = prepare(nodes)
        result = self.task.run(
            lambda progress, cancelled: MedFusionLib.fuse(case, progress=progress, cancelled=cancelled, **options),
            self._showProgress,
        )
        if self.parameters is not parameters or any(node.GetScene() is None for node in nodes):
            return _("The scene was closed meanwhile; the result was dropped.")
        if self.task.isCancelled():
            return _("Cancelled.")
        self.result, self.resultNodes = result, show(result, nodes)
        parameters.fusedVolume = self.resultNodes.main
        return _("Alignment {verdict}: {reason} Fused in {seconds:.1f} s.").format(
            verdict=result.alignment.status, reason=result.alignment.reasons[0], seconds=result.timings["total"]
        )

    def _explain(self, error):
        """A sentence for the person; unexpected errors with their details."""
        from MedFusionLib.errors import Cancelled, MedFusionError

        if isinstance(error, Cancelled):
            return _("Cancelled.")
        # the log gets no message: it may name a volume, and a volume may be named after a patient
        logger.error("Fusion failed: %s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
        details = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        sentence = str(error) if isinstance(error, MedFusionError) else _("The fusion failed unexpectedly.")
        slicer.util.errorDisplay(sentence, detailedText=details)
        return sentence

    def _lock(self):
        self._isBusy = True
        self.inputs.setEnabled(False)
        self.methods.setEnabled(False)
        self.ui.applyButton.text = _("Cancel")
        self.ui.applyButton.toolTip = _("Stop; nothing is added to the scene.")
        self.ui.progressBar.value = 0
        self.ui.progressBar.visible = True
        self.ui.statusLabel.text = _("Fusing ...")

    def _unlock(self):
        self._isBusy = False
        self.inputs.setEnabled(True)
        self.methods.setEnabled(True)
        self.ui.progressBar.visible = False
        self.refresh()

    def _showProgress(self, done, total, secondsLeft):
        self.ui.progressBar.maximum = total
        self.ui.progressBar.value = done
        if secondsLeft is not None and secondsLeft > 2:
            self.ui.statusLabel.text = _("About {seconds:.0f} s left").format(seconds=secondsLeft)

    def _rememberMethod(self):
        if self.parameters is not None:
            chosen = self.methods.values()
            self.parameters.method = chosen["method"] or ""
            self.parameters.mode, self.parameters.device = chosen["mode"], chosen["device"]
            self.parameters.register = chosen["register"]
