"""The user's own segmentation models: a folder with metadata and weights, no code."""

import hashlib
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

import MedFusionLib as mf
from MedFusionLib import cli, units
from MedFusionLib.errors import NotSupported, ResourcesExhausted, UnreadableFile, UsageError
from MedFusionLib.io.segmentation_file import read_segmentation
from MedFusionLib.networks.encoders import NetworkSpec, create_network
from MedFusionLib.networks.sliding import slide
from MedFusionLib.region import BoxRegion
from MedFusionLib.segment import model_folder
from MedFusionLib.volume import Case, Geometry

HOT = 6.0


@pytest.fixture
def pet():
    """Two hot balls in a PET of 3 mm; the first one larger."""
    geometry = Geometry((24, 30, 36), np.diag([3.0, 3, 3, 1]))
    k, j, i = np.indices(geometry.shape)
    array = np.full(geometry.shape, 1.0, np.float32)
    array[(k - 12) ** 2 + (j - 10) ** 2 + (i - 9) ** 2 <= 16] = HOT
    array[(k - 12) ** 2 + (j - 22) ** 2 + (i - 28) ** 2 <= 9] = HOT
    return mf.Volume(array, geometry, "PT", units.SUV_BODY_WEIGHT, "pet")


def metadata(**changes):
    text = {
        "name": "threshold", "version": "0.1.0",
        "network_data_format": {
            "inputs": {"image": {"num_channels": 1, "spatial_shape": [16, 16, 8], "modality": "PT",
                                 "channel_def": {"0": "image"}}},
            "outputs": {"pred": {"num_channels": 2, "channel_def": {"0": "background", "1": "hot"}}},
        },
        "medfusion": {"spacing_mm": [3, 3, 3], "intensity": {"0": [0, 10]}, "types": {"1": "primary"}, **changes},
    }  # fmt: skip
    return text


def onnx_bytes(channels=1, classes=2, axes=5, *, outside=False):
    """A model that says "hot" above a quarter: logits (0, 100 (x - 0.25)), by one convolution."""
    from onnx import TensorProto, helper, numpy_helper

    weight = np.zeros((classes, channels, *(1,) * (axes - 2)), np.float32)
    weight[-1, 0] = 100
    bias = np.zeros(classes, np.float32)
    bias[-1] = -25
    constants = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")]
    if outside:
        constants[0].ClearField("raw_data")
        constants[0].data_location = TensorProto.EXTERNAL
        entry = constants[0].external_data.add()
        entry.key, entry.value = "location", "/etc/hostname"
    shapes = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, c, *(None,) * (axes - 2)])
              for n, c in (("image", channels), ("pred", classes))]  # fmt: skip
    node = helper.make_node("Conv", ["image", "w", "b"], ["pred"])
    graph = helper.make_graph([node], "threshold", shapes[:1], shapes[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString()


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "metadata.json").write_text(json.dumps(metadata()))
    (path / "model.onnx").write_bytes(onnx_bytes())
    return path


def rewrite(folder, **changes):
    (folder / "metadata.json").write_text(json.dumps(metadata(**changes)))


def test_an_onnx_model_segments_with_the_names_and_types_of_its_metadata(pet, folder):
    found = mf.segment_tumour(Case([pet]), f"model:{folder}")
    assert np.array_equal(found.labels > 0, pet.array > 3)
    assert found.segments[0].name == "hot" and found.segments[0].type_code.meaning == "Neoplasm, Primary"
    assert found.measures[0]["suv_max"] == HOT
    assert found.evidence["model"] == "threshold"


def test_a_seed_or_a_region_keeps_what_they_mark(pet, folder):
    small = pet.geometry.to_ras((28, 22, 12))
    for marks in ({"seed": tuple(small)}, {"roi": BoxRegion(small, (30, 30, 30))}):
        found = mf.segment_tumour(Case([pet]), f"model:{folder}", **marks)
        assert found.labels[12, 22, 28] == 1 and found.labels[12, 10, 9] == 0
    with pytest.raises(UsageError, match="finds nothing"):
        mf.segment_tumour(Case([pet]), f"model:{folder}", roi=BoxRegion(pet.geometry.to_ras((18, 3, 4)), (9, 9, 9)))
    with pytest.raises(UsageError, match="outside"):
        mf.segment_tumour(Case([pet]), f"model:{folder}", seed=(900.0, 0.0, 0.0))


@pytest.mark.parametrize("axes", ["RAS", "SAR"])
@pytest.mark.parametrize("spacing", [[3, 3, 3], [2, 2, 4]])
def test_the_answer_lies_where_the_image_lies_whatever_grid_the_model_wants(pet, folder, axes, spacing):
    rewrite(folder, axes=axes, spacing_mm=spacing)
    turned = np.array([[0, -3, 0, 40], [2.9, 0, 0.4, 10], [0.4, 0, -2.9, 60], [0, 0, 0, 1.0]])
    oblique = mf.Volume(pet.array, Geometry(pet.geometry.shape, turned), "PT", units.SUV_BODY_WEIGHT, "pet")
    for one in (pet, oblique):
        found = mf.segment_tumour(Case([one]), f"model:{folder}").labels > 0
        truth = one.array > 3
        assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.85


def test_our_own_networks_come_as_safetensors(pet, folder):
    spec = NetworkSpec("unet", 1, 2, 3, 0.05)
    torch.manual_seed(0)
    network = create_network(spec)
    with torch.no_grad():
        network.network.head.bias[:] = torch.tensor([0.0, 50.0])  # everything is a lesion
    content = save(network.state_dict())
    (folder / "model.onnx").unlink()
    (folder / "model.safetensors").write_bytes(content)
    own = {"name": "unet", "width": 0.05}
    rewrite(folder, network=own, sha256=hashlib.sha256(content).hexdigest())
    found = mf.segment_tumour(
        Case([pet]), f"model:{folder}", roi=BoxRegion(pet.geometry.to_ras((9, 10, 12)), (20,) * 3)
    )
    assert found.labels[12, 10, 9] == 1
    rewrite(folder, network=own, sha256="0" * 64)
    with pytest.raises(UnreadableFile, match="not the file"):
        mf.segment_tumour(Case([pet]), f"model:{folder}")
    for wrong in ({"name": "unet", "width": 0.1}, {"name": "vnet", "width": 0.05}):
        rewrite(folder, network=wrong)
        with pytest.raises(UnreadableFile, match="do not fit"):
            mf.segment_tumour(Case([pet]), f"model:{folder}")
    rewrite(folder, network={"name": "os.system"})
    with pytest.raises(NotSupported, match=r"os\.system"):
        mf.segment_tumour(Case([pet]), f"model:{folder}")
    (folder / "model.safetensors").write_bytes(b"\xff" * 64)
    rewrite(folder, network=own)
    with pytest.raises(UnreadableFile):
        mf.segment_tumour(Case([pet]), f"model:{folder}")


@pytest.mark.parametrize("name", ["model.pt", "model.ts", "models/model.pth", "model.pkl"])
def test_files_that_may_hold_code_are_refused_unopened(pet, folder, name):
    (folder / "model.onnx").unlink()
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"cos\nsystem\n(S'touch /tmp/x'\ntR.")
    with pytest.raises(NotSupported, match="may run any code"):
        mf.segment_tumour(Case([pet]), f"model:{folder}")


@pytest.mark.parametrize(
    "content",
    [b"", b"not onnx", onnx_bytes(channels=3), onnx_bytes(classes=5), onnx_bytes(axes=4), onnx_bytes(outside=True)],
    ids=["empty", "text", "channels", "classes", "planar", "other files"],
)
def test_an_onnx_file_that_is_not_what_it_should_be_is_refused(pet, folder, content):
    (folder / "model.onnx").write_bytes(content)
    with pytest.raises(UnreadableFile):
        mf.segment_tumour(Case([pet]), f"model:{folder}")


def test_weights_and_grids_have_caps(pet, folder, monkeypatch):
    rewrite(folder, spacing_mm=[0.05, 0.05, 0.05])
    with pytest.raises(ResourcesExhausted, match="GiB"):
        mf.segment_tumour(Case([pet]), f"model:{folder}")
    rewrite(folder)
    monkeypatch.setattr(model_folder, "MOST_WEIGHT_BYTES", 10)
    with pytest.raises(UnreadableFile, match="at most"):
        mf.segment_tumour(Case([pet]), f"model:{folder}")
    (folder / "metadata.json").write_text(" " * (2 << 20))
    with pytest.raises(UnreadableFile, match="1 MB"):
        mf.segment_tumour(Case([pet]), f"model:{folder}")


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"spacing_mm": None}, UnreadableFile), ({"spacing_mm": [3, 3]}, UnreadableFile),
     ({"spacing_mm": [3, 3, -1]}, UnreadableFile), ({"axes": "LPS"}, NotSupported),
     ({"activation": "magic"}, NotSupported), ({"types": {"1": "pizza"}}, NotSupported),
     ({"types": {"9": "mass"}}, NotSupported), ({"intensity": {"0": [5, 5]}}, UnreadableFile),
     ({"channels": ["CT", "PT"]}, UnreadableFile), ({"channels": ["CT"]}, UsageError),
     ({"overlap": 2}, UsageError)],
)  # fmt: skip
def test_metadata_that_makes_no_sense_is_refused_by_name(pet, folder, changes, error):
    rewrite(folder, **changes)
    with pytest.raises(error):
        mf.segment_tumour(Case([pet]), f"model:{folder}")


@pytest.mark.parametrize("text", ["", "[]", "{}", "{" * 9999, '{"network_data_format": 3}', "\x00\xff"])
def test_a_metadata_file_that_is_none_is_refused(pet, folder, text):
    (folder / "metadata.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(UnreadableFile):
        mf.segment_tumour(Case([pet]), f"model:{folder}")


def test_a_missing_folder_and_a_missing_runtime_are_named(pet, folder, monkeypatch, tmp_path):
    with pytest.raises(UnreadableFile, match="nowhere"):
        mf.segment_tumour(Case([pet]), f"model:{tmp_path / 'nowhere'}")
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(NotSupported, match="onnx"):
        mf.segment_tumour(Case([pet]), f"model:{folder}")


def test_the_command_takes_a_model(capsys, folder, pet, tmp_path):
    from MedFusionLib.io import write_volume

    path = write_volume(pet, tmp_path / "pet.nii.gz")
    out = tmp_path / "hot.seg.nrrd"
    call = ["segment", str(path), "--modality", "PT", "--unit", "{SUVbw}g/ml", "--method", f"model:{folder}"]
    assert cli.main([*call, "--out", str(out), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert out.is_file() and document["segments"][0]["name"] == "hot"
    assert read_segmentation(out).segments[0].type_code.meaning == "Neoplasm, Primary"
    assert cli.main([*call, "--out", str(out), "--overwrite", "--type", "secondary", "--json"]) == 0
    assert read_segmentation(out).segments[0].type_code.meaning == "Neoplasm, Secondary"


@settings(max_examples=25, deadline=None)
@given(st.tuples(*[st.integers(1, 20)] * 3), st.tuples(*[st.integers(1, 9)] * 3), st.sampled_from([0, 0.25, 0.5, 0.75]))
def test_windows_that_change_nothing_give_the_image_itself(shape, window, overlap):
    image = np.random.default_rng(0).random((2, *shape), dtype=np.float32)
    assert np.abs(slide(lambda part: part, image, window, overlap) - image).max() < 1e-5


def test_windows_of_a_local_network_agree_with_the_whole():
    torch.manual_seed(0)
    layer = torch.nn.Conv3d(1, 2, 3, padding=1)

    def predict(part):
        with torch.inference_mode():
            return layer(torch.from_numpy(part)[None])[0].numpy()

    image = np.random.default_rng(1).random((1, 20, 22, 24), dtype=np.float32)
    found, whole = slide(predict, image, (12, 12, 12), 0.5), predict(image)
    middle = (slice(None), *(slice(2, -2),) * 3)
    assert np.abs(found - whole)[middle].max() < 0.01 * np.abs(whole).max()  # a window's border weighs next to nothing
    with pytest.raises(UsageError, match="answers with"):
        slide(lambda part: part[:, 1:], image, (12, 12, 12))
    with pytest.raises(UsageError, match="window"):
        slide(predict, image, (0, 4, 4))
