"""The tutorial, from the first button to the export, and back out of a saved scene."""

import importlib.metadata
import json

import pytest
import slicer.util

from MedFusionLib.io import load_result
from MedFusionScene.bundle import open_bundle, save_bundle
from MedFusionScene.demo import PACKAGE
from MedFusionScene.layouts import current_protocol, layout_node
from MedFusionScene.restore import result_nodes
from tutorial import Data, Tutorial

CELL_PIXELS = 80


def test_the_tutorial_can_be_walked(widget, stage, application, tmp_path):
    try:
        importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{PACKAGE} is not installed")
    data = Data()
    application.boot_layouts()
    scene, ui = application.scene, widget.ui
    walk = Tutorial(stage, widget, application, data, tmp_path, CELL_PIXELS)

    nodes = walk.load()
    assert [node.GetName() for node in nodes] == ["T1", "PET"] and ui.applyButton.enabled
    assert walk.judge().startswith("The volumes line up.")
    walk.choose_tumour()
    assert ui.tumourTable.rowCount == 1

    made = walk.fuse("laplacian")
    assert "Fused in" in ui.statusLabel.text, stage.dialogs
    fused = slicer.util.arrayFromVolume(made.fused)
    assert 0 <= fused.min() < fused.max() <= 1
    walk.look("three-planes")
    assert current_protocol(scene).name == "three-planes"
    picture = walk.picture("three_planes")
    assert picture is None or picture.stat().st_size > 10_000
    told = walk.point_at(data.lesion_ras).splitlines()
    assert len(told) == 1 + len(nodes) and not any("outside" in line for line in told)
    cut = scene.GetSingletonNode("MedFusion-fused-Axial", "vtkMRMLSliceNode").GetSliceToRAS()
    assert abs(cut.GetElement(2, 3) - data.lesion_ras[2]) < 3  # the views cut through the tumour

    assert "Written to" in walk.export(tmp_path / "out", "Result")
    record = json.loads((tmp_path / "out" / "result" / "result.json").read_text(encoding="utf-8"))
    assert record["provenance"]["parameters"]["method"] == "laplacian"
    assert load_result(tmp_path / "out" / "result").tumour is not None

    walk.close_views()
    path = save_bundle(scene, tmp_path / "scene.mrb")
    scene.Clear(0)
    layout_node(scene).SetViewArrangement(3)
    widget.parent.isEntered = True
    open_bundle(scene, path)
    assert current_protocol(scene).name == "three-planes"
    assert ui.protocolComboBox.currentData == "three-planes"
    assert [node.GetName() for node in result_nodes(scene).sources] == [node.GetName() for node in walk.nodes()]
    assert ui.exportButton.enabled
    assert not stage.dialogs
