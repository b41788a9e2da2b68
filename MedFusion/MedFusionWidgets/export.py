"""The section for writing results: folder, volumes, report, pictures, DICOM."""

import os

import slicer
from slicer.i18n import tr as _

SCREENSHOT = "views.png"


class ExportSection:
    """What of the newest result is written, and where.

    panel - Has `parameters`, `result` and `work`.
    """

    def __init__(self, ui, panel):
        self.ui, self.panel = ui, panel
        ui.exportButton.connect("clicked()", self.onExport)
        ui.exportDicomCheckBox.connect("toggled(bool)", lambda checked: self.refresh())

    def setEnabled(self, enabled):
        """Lock or free the section."""
        for name in ("Result", "Volumes", "Report", "Screenshot", "Dicom"):
            getattr(self.ui, f"export{name}CheckBox").enabled = enabled
        self.ui.exportFolderButton.enabled = self.ui.exportReferenceButton.enabled = enabled
        self.ui.exportButton.enabled = enabled
        if enabled:
            self.refresh()

    def close(self):
        """Offer nothing: the scene of the result goes away."""
        self.ui.exportButton.enabled = False

    def refresh(self):
        """Enable what can be written here, and say why the rest cannot."""
        from MedFusionScene.deliver import dicom_problem, report_problem

        ui, problems = self.ui, []
        views = (
            "" if slicer.util.mainWindow() is not None else _("Without a main window there are no views to picture.")
        )
        for box, problem in (
            (ui.exportDicomCheckBox, dicom_problem()),
            (ui.exportReportCheckBox, report_problem()),
            (ui.exportScreenshotCheckBox, views),
        ):
            box.enabled, box.toolTip = not problem, problem
            if problem:
                box.checked = False
                problems.append(problem)
        ui.exportReferenceButton.enabled = ui.exportDicomCheckBox.checked
        why = "" if self._nodes() is not None else _("Fuse first: there is no result to export.")
        ui.exportButton.enabled, ui.exportButton.toolTip = not why, why
        ui.exportProblemLabel.text = "\n".join(problems)
        ui.exportProblemLabel.visible = bool(problems)

    def onExport(self):
        """Write what is chosen, or cancel it."""
        self.panel.work.press(self.ui.exportButton, self.ui.exportLabel, _("Exporting ..."), self._export)

    def _export(self, run):
        from MedFusionLib.errors import UsageError
        from MedFusionScene.deliver import deliver, kinds_for
        from MedFusionScene.restore import result_from_nodes

        nodes, folder = self._nodes(), self.ui.exportFolderButton.directory
        if nodes is None:
            raise UsageError("There is no result to export", "a result in the scene", "Fuse first")
        picture = os.path.join(folder, SCREENSHOT)
        if self.ui.exportScreenshotCheckBox.checked and os.path.exists(picture):
            raise UsageError(f"{SCREENSHOT} lies in that folder already", "a folder without it")
        made = self.panel.resultNodes
        isNewest = made is not None and made.fused is nodes.fused
        # the tumour may have been edited since: there the scene has the last word
        result = result_from_nodes(nodes, self.panel.result if isNewest else None)
        wishes = self._wishes(kinds_for(result))
        written = []
        if any((wishes.volumes, wishes.result, wishes.report, wishes.dicom)):
            written += run(lambda progress, cancelled: deliver(result, folder, wishes, cancelled=cancelled))
        if self.ui.exportScreenshotCheckBox.checked:
            self._takePicture(picture)
            written.append(picture)
        if not written:
            raise UsageError("Nothing was chosen to export", "at least one kind")
        names = ", ".join(os.path.basename(str(path)) for path in written)
        return _("Written to {folder}: {names}").format(folder=folder, names=names)

    def _wishes(self, kinds):
        from MedFusionScene.deliver import Wishes

        ui, isDicom = self.ui, self.ui.exportDicomCheckBox.checked
        return Wishes(
            volumes=ui.exportVolumesCheckBox.checked,
            result=ui.exportResultCheckBox.checked,
            report=ui.exportReportCheckBox.checked,
            dicom=kinds if isDicom else (),
            reference=ui.exportReferenceButton.directory if isDicom else "",
        )

    def _takePicture(self, path):
        import ScreenCapture

        os.makedirs(os.path.dirname(path), exist_ok=True)
        ScreenCapture.ScreenCaptureLogic().captureImageFromView(None, path)

    def _nodes(self):
        """The nodes of the newest result, when it is whole."""
        from MedFusionScene.restore import result_nodes

        parameters = self.panel.parameters
        fused = parameters.fusedVolume if parameters is not None else None
        return result_nodes(slicer.mrmlScene, fused) if fused is not None else None
