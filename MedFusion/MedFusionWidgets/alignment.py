"""The section for bringing volumes into line: verdict, registration, undo."""

import qt
from slicer.i18n import tr as _

from MedFusionWidgets.choices import fill, isChosen, show
from MedFusionWidgets.comparison import ComparisonBox
from MedFusionWidgets.nudge import NudgeBox
from MedFusionWidgets.observers import Observers
from MedFusionWidgets.task import Background

SETTLE_MILLISECONDS = 400
"""A volume that is still being moved is not judged yet."""


class AlignmentSection:
    """Whether the sources line up, and what to do when they do not.

    The verdict is computed beside the person's work as soon as sources are chosen or moved.
    """

    def __init__(self, ui, work, onMoved):
        self.ui, self.work = ui, work
        self._onMoved = onMoved
        ui.forceCheckBox.visible = False
        self._nodes, self._moves = [], []
        self._problem, self._note = "", ""
        self._isEnabled, self._isJudged = True, False
        self._verdict = Background(self._showVerdict, self._showProblem)
        self._observers = Observers()
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLE_MILLISECONDS)
        self._timer.connect("timeout()", self._judge)
        fill(ui.modelComboBox, [
            (_("rigid (the same patient, moved)"), "rigid"),
            (_("affine (scaled and sheared, too)"), "affine"),
            (_("B-spline (bent; check the result)"), "bspline"),
        ])  # fmt: skip
        isChosen(ui.movingComboBox, self._showChoices)
        ui.registerButton.connect("clicked()", self.onRegister)
        ui.undoTransformButton.connect("clicked()", self.onUndo)
        self.nudge = NudgeBox(ui, self.movingNode, self.referenceNode, self._moves)
        self.comparison = ComparisonBox(ui, work, self.movingNode, self.referenceNode)

    def close(self):
        """Stop judging and look at no node any more."""
        self._timer.stop()
        self._verdict.close()
        self._observers.clear()
        self.comparison.close()

    def setSources(self, nodes, problem):
        """The chosen sources, reference first, and why they cannot be used (empty when they can)."""
        ids = [node.GetID() for node in nodes]
        if ids != [node.GetID() for node in self._nodes]:
            self.comparison.close()
            self.nudge.forget()
            self._moves.clear()
            self._note, self._isJudged = "", False
            self._offerForce(False)
        self._isJudged = self._isJudged and problem == self._problem
        chosen = self.movingNode()
        self._nodes = list(nodes)
        fill(self.ui.movingComboBox, [(node.GetName(), node.GetID()) for node in nodes[1:]])
        if chosen is not None:
            show(self.ui.movingComboBox, chosen.GetID())
        self._observers.clear()
        for node in nodes:
            self._observers.add(node, node.TransformModifiedEvent, self._moved)
            self._observers.add(node, node.ImageDataModifiedEvent, self._moved)
        self._problem = problem
        self._showChoices()
        self._startJudging()

    def setEnabled(self, enabled):
        """Lock or free the section."""
        self._isEnabled = enabled
        if not enabled:
            self._timer.stop()
            self._verdict.cancel()
        self._showChoices()

    def referenceNode(self):
        """The reference, or None."""
        return self._nodes[0] if self._nodes else None

    def movingNode(self):
        """The volume that is registered, nudged and compared, or None."""
        wanted = self.ui.movingComboBox.currentData
        return next((node for node in self._nodes[1:] if node.GetID() == wanted), None)

    def onRegister(self):
        """Find how the volume has to move, and put it under a transform that does so."""
        self.work.press(self.ui.registerButton, self.ui.alignmentLabel, _("Registering ..."), self._register)

    def onUndo(self):
        """Give the volume back the transform that it had before."""
        move, self._note = self._moves.pop(), ""
        self.nudge.forget()
        undone = move.undo()
        self.ui.alignmentLabel.text = "" if undone else _("The transform of before is gone; nothing was changed.")
        self._showChoices()
        self._onMoved()

    def _register(self, run):
        from MedFusionLib.align import register
        from MedFusionScene.snapshot import take_snapshot
        from MedFusionScene.transforms import put_under

        reference, moving, model = self.referenceNode(), self.movingNode(), self.ui.modelComboBox.currentData
        fixed, moved = take_snapshot(reference), take_snapshot(moving)

        def work(progress, cancelled):
            return register(fixed.volume(copied=True), moved.volume(copied=True), model, initial=moved.transform,
                            progress=progress)  # fmt: skip

        found = run(work, [reference, moving])
        if not found.applied:
            self._note = found.verdict.reasons[0]
            return self._note
        name = _("{moving} onto {reference}").format(moving=moving.GetName(), reference=reference.GetName())
        self.nudge.forget()
        self._moves.append(put_under(moving, found.transform, name))
        self._onMoved()
        words = _("Registered ({model}): similarity {before:.3f} before, {after:.3f} now.")
        self._note = words.format(model=model, before=found.metric_before, after=found.metric_after)
        return self._note

    def _offerForce(self, isFail):
        """Only what was judged to fail may be fused in spite of it, and every case anew."""
        self.ui.forceCheckBox.visible = isFail
        if not isFail:
            self.ui.forceCheckBox.checked = False

    def _moved(self, *event):
        self._isJudged = False
        self._offerForce(False)
        self._showChoices()
        self._startJudging()
        self._onMoved()

    def _startJudging(self):
        if self._isEnabled and not self._isJudged:
            self._timer.start()

    def _judge(self):
        """Compute the verdict beside the person's work."""
        if len(self._nodes) < 2 or self._problem:
            self._verdict.cancel()
            self.ui.alignmentLabel.text = _("Choose two volumes or more to see whether they line up.")
            return
        from MedFusionLib.errors import MedFusionError
        from MedFusionScene.logic import case_of, take_snapshots

        try:
            snapshots = take_snapshots(self._nodes)
        except MedFusionError as error:
            self.ui.alignmentLabel.text = str(error)
            return
        looking = _("Looking whether the volumes line up ...")
        self.ui.alignmentLabel.text = "\n".join(filter(None, [self._note, looking]))

        def work(cancelled):
            from MedFusionLib.align import check_alignment
            from MedFusionLib.interrupt import asking

            with asking(cancelled):
                case, transforms = case_of(snapshots)
                return check_alignment(case, transforms=transforms)

        self._verdict.start(work)

    def _showVerdict(self, verdict):
        words = {
            "pass": _("The volumes line up."),
            "doubt": _("It is doubtful whether the volumes line up: compare them before you trust a fusion."),
            "fail": _("The volumes do not line up and are not fused like this."),
        }
        self._isJudged = True
        self._offerForce(verdict.status == "fail")
        self.ui.alignmentLabel.text = "\n".join(filter(None, [self._note, words[verdict.status], *verdict.reasons]))

    def _showProblem(self, error):
        from MedFusionLib.errors import Cancelled, MedFusionError

        if isinstance(error, Cancelled):
            return
        known = isinstance(error, MedFusionError)
        self.ui.alignmentLabel.text = str(error) if known else _("Whether the volumes line up could not be found out.")

    def _showChoices(self):
        free = self._isEnabled
        moving = self.movingNode() if free else None
        ready = moving is not None and not self._problem
        self.ui.movingComboBox.enabled = free
        self.ui.modelComboBox.enabled = free
        self.ui.registerButton.enabled = ready
        self.ui.undoTransformButton.enabled = free and bool(self._moves)
        self.nudge.setEnabled(ready)
        self.comparison.setEnabled(ready)
