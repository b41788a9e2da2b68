"""The panel: its sections, and the Apply button that fuses."""

import shutil

import slicer
from slicer.i18n import tr as _

from MedFusionWidgets.alignment import AlignmentSection
from MedFusionWidgets.choices import say
from MedFusionWidgets.dependencies import ensureDependencies
from MedFusionWidgets.export import ExportSection
from MedFusionWidgets.inputs import InputsSection
from MedFusionWidgets.loading import LoadingSection
from MedFusionWidgets.methods import MethodSection
from MedFusionWidgets.preview import PreviewSection
from MedFusionWidgets.shortcuts import Shortcuts
from MedFusionWidgets.tumour import TumourSection
from MedFusionWidgets.view import ViewSection
from MedFusionWidgets.work import Work

REMEMBERED = ("method", "mode", "device", "precision")


class Panel:
    """Connects the widgets of the .ui file with the parameter node and the work.

    result, resultNodes - The newest fusion and its nodes, for the sections after it; None before the first one.
    """

    def __init__(self, ui, logic):
        self.ui, self.logic = ui, logic
        self.parameters = None
        self.result = self.resultNodes = None
        self._guiTag = None
        self.work = Work(self._showBusy)
        self.inputs = InputsSection(ui, self.refresh)
        self.loading = LoadingSection(ui, self.work, self.inputs)
        self.methods = MethodSection(ui, self._rememberMethod, self._showMethods)
        self.alignment = AlignmentSection(ui, self.work, self._onMoved)
        self.preview = PreviewSection(ui, self.inputs.nodes, self.methods)
        self.tumour = TumourSection(ui, self.work, self)
        self.view = ViewSection(ui, self)
        self.export = ExportSection(ui, self)
        self.shortcuts = Shortcuts(ui.viewCollapsibleButton, self.view, lambda: ui.compareButton.click())
        self._sections = [
            self.inputs, self.loading, self.methods, self.alignment, self.preview, self.tumour, self.export
        ]  # fmt: skip
        ui.applyButton.connect("clicked()", self.onApplyButton)
        for label in (ui.inputsStatusLabel, ui.compareLabel, ui.previewLabel, ui.tumourLabel, ui.statusLabel):
            say(label, "")
        ui.progressBar.visible = False

    def attach(self, parameters):
        """Connect the widgets to a parameter node."""
        self.disconnectGui()
        self.parameters = parameters
        self.view.welcome(parameters)
        self._guiTag = parameters.connectGui(self.ui)
        self.methods.show(**{name: getattr(parameters, name) for name in REMEMBERED})
        self.tumour.show(parameters.tumourMethod)
        self.view.show(parameters)
        self.refresh()

    def disconnectGui(self):
        """Stop following the parameter node."""
        if self.parameters is not None and self._guiTag is not None:
            self.parameters.disconnectGui(self._guiTag)
        self._guiTag = None

    def detach(self):
        """Cancel the work and let go of the parameter node and of every node of its scene."""
        self.work.drop()
        self.preview.off()
        self.preview.close()
        self.alignment.close()
        self.tumour.close()
        self.view.close()
        self.export.close()
        self.disconnectGui()
        self.parameters = None
        self.result = self.resultNodes = None

    def close(self):
        """Detach for good: the widgets are about to go."""
        self.work.close()
        self.methods.close()
        self.detach()

    def refresh(self):
        """Say what is chosen, and enable Apply or say why not."""
        if self.work.isBusy or self.parameters is None:
            return
        problem = self.inputs.refresh()
        self.ui.applyButton.enabled = not problem
        self.ui.applyButton.toolTip = problem or _("Fuse the chosen volumes.")
        say(self.ui.statusLabel, problem)
        nodes = self.inputs.nodes()
        self.loading.refresh()
        self.methods.setSources(nodes)
        self.alignment.setSources(nodes, problem)
        self.preview.refresh()
        self.tumour.refresh()
        self.view.setSources(nodes)
        self.export.refresh()

    def onApplyButton(self):
        """Start the fusion, or cancel the one that runs."""
        self.work.press(self.ui.applyButton, self.ui.statusLabel, _("Fusing ..."), self._apply, self.ui.progressBar)

    def _apply(self, run):
        return self._installWhatIsMissing() or self._fuse(run)

    def _installWhatIsMissing(self):
        """Why the fusion cannot run; empty when it can."""
        problem = ensureDependencies()
        if not problem and self.methods.fill():
            self._showMethods()
        return problem

    def _fuse(self, run):
        """Fuse in a thread or a process, then show the result in the main thread."""
        from MedFusionLib.errors import UsageError
        from MedFusionScene.logic import case_of, show, take_snapshots
        from MedFusionScene.nodes import world_geometry
        from MedFusionScene.segmentations import on_grid_of, segmentation_from_node

        nodes, options, parameters = self.inputs.nodes(), self.methods.values(), self.parameters
        options["force"] = bool(self.ui.forceCheckBox.checked)
        drawn = self.tumour.segmentation()
        grids = [world_geometry(node) for node in nodes]
        tumour = None if drawn is None else on_grid_of(segmentation_from_node(drawn), grids)
        snapshots, fuse = take_snapshots(nodes), _fuseDetached if self.ui.processCheckBox.checked else _fuseHere

        def work(progress, cancelled):
            case, transforms = case_of(snapshots)
            return fuse(case, transforms, tumour=tumour, progress=progress, cancelled=cancelled, **options)

        kept = nodes if drawn is None else [*nodes, drawn]
        result = run(work, kept)
        self.preview.off()
        self.alignment.comparison.close()
        say(self.ui.statusLabel, _("Showing ..."))
        made = show(result, nodes, segmentation_node=drawn, breathe=slicer.app.processEvents)
        if self.parameters is not parameters:
            raise UsageError("The scene was closed meanwhile; the result was dropped")
        self.result, self.resultNodes = result, made
        parameters.fusedVolume = made.main
        self.view.showResult()
        return _("Alignment {verdict}: {reason} Fused in {seconds:.1f} s.").format(
            verdict=result.alignment.status, reason=result.alignment.reasons[0], seconds=result.timings["total"]
        )

    def _showMethods(self):
        """Now that the list is there, show what was chosen before."""
        if self.parameters is not None:
            self.methods.show(**{name: getattr(self.parameters, name) for name in REMEMBERED})
            self.refresh()

    def _showBusy(self, isBusy):
        for section in self._sections:
            section.setEnabled(not isBusy)
        if isBusy:
            self.ui.applyButton.enabled = False
        else:
            self.refresh()

    def _onMoved(self):
        """A volume lies elsewhere now: what was fused of it before is old."""
        self.preview.refresh()

    def _rememberMethod(self):
        if self.parameters is not None:
            chosen = self.methods.values()
            for name in REMEMBERED:
                setattr(self.parameters, name, chosen[name] or "")
        self.preview.refresh()


def _fuseHere(case, transforms, **options):
    import MedFusionLib

    return MedFusionLib.fuse(case, transform=transforms, **options)


def _fuseDetached(case, transforms, **options):
    from MedFusionLib.detached import fuse_detached

    # inside Slicer the interpreter of other processes is called PythonSlicer
    return fuse_detached(case, transforms=transforms, python=shutil.which("PythonSlicer"), **options)
