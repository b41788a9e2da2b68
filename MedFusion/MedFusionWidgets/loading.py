"""Loading: DICOM folders, files, sample data, and PET that becomes SUV."""

import os
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from MedFusionWidgets.dependencies import dicomProblem, ensureLibraries

FILES = "NIfTI, NRRD, MHA, PNG, TIFF (*.nii *.nii.gz *.nrrd *.nhdr *.mha *.mhd *.png *.tif *.tiff)"


class LoadingSection:
    """Buttons that bring volumes into the scene; what is loaded is chosen where nothing is chosen yet."""

    def __init__(self, ui, work, inputs):
        self.ui, self.work, self.inputs = ui, work, inputs
        ui.loadFolderButton.connect("clicked()", self.onLoadFolder)
        ui.loadFilesButton.connect("clicked()", self.onLoadFiles)
        ui.sampleDataButton.connect("clicked()", self.onSampleData)
        ui.suvButton.connect("clicked()", self.onSuv)
        ui.suvButton.visible = False
        self.setEnabled(True)

    def setEnabled(self, enabled):
        """Lock or free the section."""
        for button in (self.ui.loadFilesButton, self.ui.sampleDataButton):
            button.enabled = enabled
        problem = dicomProblem()
        for button in (self.ui.loadFolderButton, self.ui.suvButton):
            button.enabled = enabled and not problem
            if problem:
                button.toolTip = problem

    def refresh(self):
        """Offer SUV where a PET is chosen that is not in SUV yet."""
        self.ui.suvButton.visible = self._petNode() is not None

    def onLoadFolder(self):
        """Ask for a folder and load its series."""
        if not self.work.isBusy:
            self._folder = qt.QFileDialog.getExistingDirectory(None, _("Load DICOM folder"))
            if not self._folder:
                return
        self._press(self.ui.loadFolderButton, self._loadFolder)

    def onLoadFiles(self):
        """Ask for files and load them."""
        if not self.work.isBusy:
            self._files = qt.QFileDialog.getOpenFileNames(None, _("Load files"), "", FILES)
            if not self._files:
                return
        self._press(self.ui.loadFilesButton, self._loadFiles)

    def onSampleData(self):
        """Show size and licence, then load the templates."""
        from MedFusionWidgets.sampleData import confirmDownload

        if self.work.isBusy or confirmDownload():
            self._press(self.ui.sampleDataButton, self._loadSampleData)

    def onSuv(self):
        """Ask for the DICOM folder of the PET where its files are not known, and compute SUV from their headers."""
        if not self.work.isBusy:
            self._place = self._placeOf(self._petNode()) or qt.QFileDialog.getExistingDirectory(
                None, _("DICOM folder of this PET series")
            )
            if not self._place:
                return
        self._press(self.ui.suvButton, self._convert)

    def _press(self, button, steps):
        self.work.press(button, self.ui.inputsStatusLabel, _("Loading ..."), steps)

    def _loadFolder(self, run):
        problem = ensureLibraries()
        if problem:
            return problem
        from MedFusionLib.io.read_folder import read_all_series

        folder = self._folder
        volumes, notes = run(lambda progress, cancelled: read_all_series(folder, progress))
        return self._add(volumes, notes)

    def _loadFiles(self, run):
        problem = ensureLibraries()
        if problem:
            return problem
        import MedFusionLib

        files = list(self._files)
        volumes = run(lambda progress, cancelled: [MedFusionLib.read_volume(file) for file in files])
        return self._add(volumes, [])

    def _loadSampleData(self, run):
        problem = ensureLibraries()
        if problem:
            return problem
        from MedFusionScene.segmentations import node_from_segmentation
        from MedFusionWidgets.sampleData import install, readTemplates

        problem = install()
        if problem:
            return problem
        case, lesion = run(lambda progress, cancelled: readTemplates())
        message = self._add(case.sources, [])
        node_from_segmentation(lesion, slicer.mrmlScene, name=_("Synthetic lesion"))
        return message

    def _convert(self, run):
        from MedFusionLib.errors import UsageError
        from MedFusionScene.nodes import node_from_volume
        from MedFusionScene.snapshot import take_snapshot

        problem = ensureLibraries()
        if problem:
            return problem
        from MedFusionLib.io import read_dicom_files, read_volume

        place, node = self._place, self._petNode()
        read = read_dicom_files if isinstance(place, list) else read_volume
        here = take_snapshot(node)
        suv = run(lambda progress, cancelled: read(place, "PT"), [node])
        difference = here.geometry.describe_difference(suv.geometry) if node.GetParentTransformNode() is None else ""
        if difference:
            raise UsageError(f"The folder holds another series than {node.GetName()}: {difference}", "its DICOM files")
        made = node_from_volume(suv, node.GetScene(), name=f"{node.GetName()} SUVbw")
        made.SetAndObserveTransformNodeID(node.GetTransformNodeID())
        for selector in self.inputs.selectors:
            if selector.currentNode() is node:
                selector.setCurrentNode(made)
        return _("{name} is in SUVbw (g/ml); the volume in Bq/ml stays in the scene.").format(name=made.GetName())

    def _add(self, volumes, notes):
        from MedFusionScene.display import show_colours, table_for
        from MedFusionScene.nodes import node_from_volume

        made = []
        for volume in volumes:
            node = node_from_volume(volume, slicer.mrmlScene, window=_windowOf(volume))
            show_colours(node, table_for(volume.modality))
            made.append(node)
            slicer.app.processEvents()
        self.inputs.choose(made)
        loaded = _("{count} volumes loaded.").format(count=len(made))
        return " ".join([loaded, *notes])

    def _petNode(self):
        """The first chosen PET that can become SUV: in Bq/ml, or in no known unit but known to the DICOM database."""
        from MedFusionLib.units import BECQUEREL_PER_ML, UNKNOWN
        from MedFusionScene.database import knows
        from MedFusionScene.nodes import modality_of, unit_of

        for node in self.inputs.nodes():
            unit = unit_of(node)
            if modality_of(node) == "PT" and (unit == BECQUEREL_PER_ML or (unit == UNKNOWN and knows(node))):
                return node
        return None

    def _placeOf(self, node):
        """A node's DICOM files, as the database knows them, else the folder it was read from; empty when unknown."""
        from MedFusionLib.io.dicom_files import is_dicom
        from MedFusionScene.database import files_of

        storage = node.GetStorageNode()
        name = storage.GetFileName() if storage is not None else None
        folder = os.path.dirname(name) if name and os.path.isfile(name) and is_dicom(Path(name)) else ""
        return files_of(node) or folder


def _windowOf(volume):
    from MedFusionLib.errors import UsageError
    from MedFusionLib.intensity import default_window

    try:
        return default_window(volume)
    except UsageError:  # a constant volume has none
        return None
