"""The tutorial, from the first button to the export, and back out of a saved scene."""

import importlib.metadata
import json
import os
from pathlib import Path

import numpy as np
import pytest
import slicer.util

from MedFusionLib.io import load_result
from MedFusionScene.bundle import open_bundle, save_bundle
from MedFusionScene.demo import PACKAGE
from MedFusionScene.layouts import current_protocol, layout_node
from MedFusionScene.restore import result_nodes
from MedFusionScene.segmentations import segmentation_from_node
from tutorial import Data, Tutorial, sarcoma, templates

CELL_PIXELS = 80


def sample_data():
    try:
        importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{PACKAGE} is not installed")
    return Data()


def folder_of(*parts):
    folder = Path(os.environ.get("MEDFUSION_TEST_DATA", "/nowhere")).joinpath(*parts)
    if not folder.is_dir():
        pytest.skip("the folder with real data is not there")
    return folder


CASES = {
    "sample-data": sample_data,
    "sarcoma": lambda: sarcoma(folder_of("sts_001", "nifti")),
    "templates": lambda: templates(folder_of("mni_multimodal")),
}


@pytest.mark.parametrize("case", CASES)
def test_the_tutorial_can_be_walked(widget, stage, application, tmp_path, case):
    data = CASES[case]()
    application.boot_layouts()
    scene, ui = application.scene, widget.ui
    walk = Tutorial(stage, widget, application, data, tmp_path, CELL_PIXELS)

    nodes = walk.load()
    assert len(nodes) == len(data.files or (1, 2)) and ui.applyButton.enabled
    verdict = walk.judge()
    assert ("doubtful" in verdict) == (case == "sarcoma")  # its MR lies 12 mm too far back
    tumour = walk.choose_tumour() if case != "templates" else None
    if tumour is not None:
        assert ui.tumourTable.rowCount == 1
        labels = segmentation_from_node(tumour)
        centre = labels.geometry.to_ras(np.argwhere(labels.labels)[:, ::-1]).mean(axis=0)
        assert np.linalg.norm(centre - data.lesion_ras) < 25

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
    if case == "sarcoma":
        assert told[1].endswith(" HU") and told[2].endswith(" SUVbw g/ml") and told[3].endswith(" a.u.")

    assert "Written to" in walk.export(tmp_path / "out", "Result")
    record = json.loads((tmp_path / "out" / "result" / "result.json").read_text(encoding="utf-8"))
    assert record["provenance"]["parameters"]["method"] == "laplacian"
    assert (load_result(tmp_path / "out" / "result").tumour is not None) == (tumour is not None)

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
