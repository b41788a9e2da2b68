"""The section for the tumour: find it or choose it, measure it, style it, hand it to the Segment Editor."""

import qt
import slicer
from slicer.i18n import tr as _

from MedFusionWidgets.choices import fill, isChosen, say, show
from MedFusionWidgets.dependencies import ensureLibraries
from MedFusionWidgets.observers import Observers

METHODS = ("auto", "suvmax41", "suvmax50", "suv2.5", "suv4", "adaptive", "nestle", "otsu", "gradient", "random-walker",
           "graph-cut", "level-set", "kfcm", "region-growing", "lesion-net")  # fmt: skip


HEADER_PIXELS, ROW_PIXELS = 46, 30


class TumourSection:
    """A segmentation, its table of measures, and what keeps both together.

    panel - Gives the sources and the newest result, whose record notes edits.
    """

    def __init__(self, ui, work, panel):
        self.ui, self.work, self.panel = ui, work, panel
        self.rows = None
        self._measures, self._wasEdited = (), False
        self._observers = Observers()
        self._isEnabled = True
        fill(ui.tumourMethodComboBox, [(_("automatic"), "auto"), *((name, name) for name in METHODS[1:])])
        ui.tumourMethodComboBox.toolTip = _(
            "Automatic: a random walker over all sources (Grady 2006). suvmax41: 41 % of the maximum (Boellaard 2015). "
            "suv2.5, suv4: fixed SUV. adaptive, nestle, otsu, gradient: further PET rules. The others look at all "
            "sources; lesion-net is experimental. Every outcome is to be reviewed."
        )
        isChosen(ui.tumourMethodComboBox, self._remember)
        for selector in (ui.tumourSegmentation, ui.tumourSeed, ui.tumourRoi):
            selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: self.refresh())
        ui.findTumourButton.connect("clicked()", self.onFind)
        ui.crosshairSeedButton.connect("clicked()", self.onCrosshairSeed)
        ui.compareThresholdsButton.connect("clicked()", self.onCompareThresholds)
        ui.measureButton.connect("clicked()", self.onMeasure)
        ui.copyTableButton.connect("clicked()", self.onCopy)
        ui.editTumourButton.connect("clicked()", self.onEdit)
        for box in (ui.outlineCheckBox, ui.fillCheckBox, ui.surfaceCheckBox):
            box.connect("clicked(bool)", lambda checked: self._style())

    def close(self):
        """Observe no segmentation any more."""
        self._observers.clear()

    def show(self, method):
        """Show a method that was chosen before."""
        show(self.ui.tumourMethodComboBox, method)

    def setEnabled(self, enabled):
        """Lock or free the section."""
        self._isEnabled = enabled
        self.refresh()

    def segmentation(self):
        """The chosen segmentation node, or None."""
        return self.ui.tumourSegmentation.currentNode()

    def refresh(self):
        """Enable what can be done with what is chosen."""
        node, ui = self.segmentation(), self.ui
        sources = bool(self.panel.inputs.nodes())
        isMarked = ui.tumourSeed.currentNode() is not None or ui.tumourRoi.currentNode() is not None
        ui.findTumourButton.enabled = self._isEnabled and sources and isMarked
        ui.compareThresholdsButton.enabled = self._isEnabled and sources and isMarked
        ui.measureButton.enabled = self._isEnabled and sources and node is not None
        ui.editTumourButton.enabled = self._isEnabled and node is not None
        ui.copyTableButton.enabled = self.rows is not None
        ui.tumourTable.visible = self.rows is not None
        for box in (ui.outlineCheckBox, ui.fillCheckBox, ui.surfaceCheckBox):
            box.enabled = node is not None
        if node is not None and node.GetDisplayNode() is not None:
            display = node.GetDisplayNode()
            ui.outlineCheckBox.checked = bool(display.GetVisibility2DOutline())
            ui.fillCheckBox.checked = bool(display.GetVisibility2DFill())
            ui.surfaceCheckBox.checked = bool(display.GetVisibility3D())
        self._follow(node)

    def onFind(self):
        """Segment at the seed or in the region."""
        self.work.press(self.ui.findTumourButton, self.ui.tumourLabel, _("Looking for the tumour ..."), self._find)

    def onCompareThresholds(self):
        """All PET rules side by side."""
        self.work.press(self.ui.compareThresholdsButton, self.ui.tumourLabel, _("Comparing ..."), self._compare)

    def onMeasure(self):
        """Measure again, and record an edit."""
        self.work.press(self.ui.measureButton, self.ui.tumourLabel, _("Measuring ..."), self._measure)

    def onCrosshairSeed(self):
        """Put the seed where the crosshair is."""
        node = self.ui.tumourSeed.currentNode()
        if node is None:
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", _("Seed"))
            node.CreateDefaultDisplayNodes()
        crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        node.RemoveAllControlPoints()
        node.AddControlPointWorld(list(crosshair.GetCrosshairRAS()))
        self.ui.tumourSeed.setCurrentNode(node)
        self.refresh()

    def onCopy(self):
        """Copy the table for a spreadsheet."""
        qt.QApplication.clipboard().setText(self.rows.as_text())
        say(self.ui.tumourLabel, _("The table is in the clipboard."))

    def onEdit(self):
        """Open the Segment Editor with the reference as source and the fused volume in the views."""
        from MedFusionScene.display import composite_nodes, set_layers

        nodes, made = self.panel.inputs.nodes(), self.panel.resultNodes
        if made is not None and made.main.GetScene() is not None and nodes:
            for composite in composite_nodes(slicer.mrmlScene):
                set_layers(composite, nodes[0], made.main, 1.0)
        slicer.util.selectModule("SegmentEditor")
        editor = slicer.util.getModuleWidget("SegmentEditor").editor
        editor.setSegmentationNode(self.segmentation())
        if nodes:
            editor.setSourceVolumeNode(nodes[0])

    def _find(self, run):
        problem = ensureLibraries()
        if problem:
            return problem
        from MedFusionScene.logic import case_of
        from MedFusionScene.segmentations import node_from_segmentation
        from MedFusionScene.snapshot import take_snapshot

        nodes, method, marks = self.panel.inputs.nodes(), self.ui.tumourMethodComboBox.currentData, self._marks()
        snapshots = [take_snapshot(node) for node in nodes]

        def work(progress, cancelled):
            from MedFusionLib.tumour import segment_tumour

            case, transforms = case_of(snapshots)
            return segment_tumour(case, method, transforms=transforms, **marks)

        found = run(work, nodes)
        name = _("Tumour by {method}").format(method=method)
        node = node_from_segmentation(found, slicer.mrmlScene, name=name, reference=nodes[0])
        self.ui.tumourSegmentation.setCurrentNode(node)
        self._take(node, found)
        return "\n".join([_("Found, to be reviewed."), *found.source.notes])

    def _measure(self, run):
        problem = ensureLibraries()
        if problem:
            return problem
        from MedFusionScene.logic import case_of
        from MedFusionScene.segmentations import segmentation_from_node
        from MedFusionScene.snapshot import take_snapshot

        nodes, node = self.panel.inputs.nodes(), self.segmentation()
        snapshots, drawn = [take_snapshot(one) for one in nodes], segmentation_from_node(node)

        def work(progress, cancelled):
            from MedFusionLib.tumour import tumour_of

            case, transforms = case_of(snapshots)
            return tumour_of(case, drawn, transforms=transforms)

        found = run(work, [*nodes, node])
        before, wasEdited = self._measures, self._wasEdited
        self._take(node, found)
        if wasEdited and self._record(node, before, found.measures):
            return _("Measured; the edit is in the record of the fusion.")
        return _("Measured.")

    def _compare(self, run):
        problem = ensureLibraries()
        if problem:
            return problem
        from MedFusionLib.errors import UsageError
        from MedFusionScene.snapshot import take_snapshot
        from MedFusionScene.tumour import THRESHOLDS_NAME, table_node, threshold_rows

        pets = [one for one in map(take_snapshot, self.panel.inputs.nodes()) if one.modality == "PT"]
        if not pets:
            raise UsageError("No PET is among the sources", "a PET in SUVbw")
        marks = self._marks()

        def work(progress, cancelled):
            from MedFusionLib.segment import compare_rules
            from MedFusionLib.segment.spot import check_suv

            pet = pets[0].volume(copied=True)
            check_suv(pet)
            region = None if marks["roi"] is None else marks["roi"].mask_on(pet.geometry)
            return compare_rules(pet, region=region, seed=marks["seed"])

        found = run(work)
        self._fillTable(threshold_rows(found))
        table_node(self.rows, slicer.mrmlScene, THRESHOLDS_NAME, reference=self.panel.inputs.nodes()[0])
        return _("Volumes from {smallest:.1f} to {largest:.1f} ml, median {median:.1f} ml.").format(
            smallest=found.smallest_ml, largest=found.largest_ml, median=found.median_ml
        )

    def _marks(self):
        """Seed and region, as the library takes them."""
        from MedFusionScene.tumour import region_from_node, seed_from_node

        seed, roi = self.ui.tumourSeed.currentNode(), self.ui.tumourRoi.currentNode()
        return {
            "seed": None if seed is None else seed_from_node(seed),
            "roi": None if roi is None else region_from_node(roi),
        }

    def _take(self, node, found):
        """Show the measures of a segmentation, in the panel and as a table node."""
        from MedFusionScene.tumour import MEASURES_NAME, measures_rows, table_node

        self._measures, self._wasEdited = found.measures, False
        self._fillTable(measures_rows(found))
        table_node(self.rows, slicer.mrmlScene, MEASURES_NAME, reference=node)

    def _fillTable(self, rows):
        self.rows = rows
        table = self.ui.tumourTable
        table.rowCount, table.columnCount = len(rows.rows), len(rows.columns)
        table.setHorizontalHeaderLabels(rows.columns)
        for number, row in enumerate(rows.rows):
            for column, text in enumerate(row):
                table.setItem(number, column, qt.QTableWidgetItem(text))
        table.resizeColumnsToContents()
        table.maximumHeight = HEADER_PIXELS + ROW_PIXELS * len(rows.rows)

    def _record(self, node, before, after):
        """Note the edit in the record of the newest result; False when there is none."""
        from MedFusionScene.tumour import record_edit

        made = self.panel.resultNodes
        if made is None or made.record.GetScene() is None:
            return False
        record_edit(made.record, node, before, after)
        return True

    def _follow(self, node):
        """Notice edits of the chosen segmentation."""
        self._observers.clear()
        if node is None:
            return
        contents = node.GetSegmentation()
        events = (contents.SourceRepresentationModified, contents.SegmentAdded, contents.SegmentRemoved)
        for event in events:
            self._observers.add(contents, event, lambda *caller: self._edited())

    def _edited(self):
        if self.work.isBusy:
            return
        self._wasEdited = True
        if self._measures:
            say(self.ui.tumourLabel, _("The segmentation has changed: press Measure for its new measures."))

    def _style(self):
        from MedFusionScene.tumour import set_style

        node = self.segmentation()
        if node is not None:
            set_style(node, outline=self.ui.outlineCheckBox.checked, fill=self.ui.fillCheckBox.checked,
                      surface=self.ui.surfaceCheckBox.checked)  # fmt: skip

    def _remember(self):
        if self.panel.parameters is not None:
            self.panel.parameters.tumourMethod = self.ui.tumourMethodComboBox.currentData
