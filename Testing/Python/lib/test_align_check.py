"""The registration verdict on phantoms with a known answer and on real pairs."""

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from MedFusionLib import units
from MedFusionLib.align import check_alignment
from MedFusionLib.align.evidence import coarse_grid, normalised_mutual_information
from MedFusionLib.volume import Case, Geometry, Origin, Volume

SPACING = 2.0


def _phantom(shape=(60, 64, 60), modality="MR", frame="", move_mm=(0, 0, 0), mirror=False, spacing=SPACING):
    """A lopsided head: two modalities show the same shapes with different brightness."""
    matrix = np.diag([spacing, spacing, spacing, 1.0])
    matrix[:3, 3] = move_mm
    texture = ndimage.gaussian_filter(np.random.default_rng(8).normal(size=shape), 3)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"))
    head = (grid**2 / np.array([0.8, 0.9, 0.65])[:, None, None, None] ** 2).sum(axis=0) < 1
    lump = ((grid - np.array([0.2, 0.1, 0.3])[:, None, None, None]) ** 2).sum(axis=0) < 0.04
    values = head * (1 + texture / texture.std() * 0.2) + lump
    if modality == "PT":
        values = np.exp(-values) * head * 5
    if mirror:
        values = values[:, :, ::-1]
    unit = units.SUV_BODY_WEIGHT if modality == "PT" else units.ARBITRARY
    return Volume(values, Geometry(shape, matrix), modality, unit, source=Origin(frame_of_reference=frame))


def _judge(*volumes, **options):
    return check_alignment(Case(volumes), **options)


def test_two_modalities_of_one_place_pass():
    verdict = _judge(_phantom(), _phantom(modality="PT"))
    assert verdict.status == "pass"
    assert any("do not say whether they share a frame" in reason for reason in verdict.reasons)


def test_a_common_frame_of_reference_is_called_a_claim():
    verdict = _judge(_phantom(frame="a"), _phantom(modality="PT", frame="a"))
    assert verdict.status == "pass"
    assert any("Both claim the same frame of reference" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("move_mm", "way_back"),
    [
        ((16, 0, 0), "8 mm to the patient's left"),
        ((-16, 0, 0), "8 mm to the patient's right"),
        ((0, 16, 0), "8 mm to posterior"),
        ((0, -16, 0), "8 mm to anterior"),
        ((0, 0, 16), "8 mm to inferior"),
        ((0, 0, -16), "8 mm to superior"),
    ],
)
def test_a_moved_image_raises_doubt_and_the_way_back_is_named(move_mm, way_back):
    verdict = _judge(_phantom(frame="a"), _phantom(modality="PT", frame="a", move_mm=move_mm))
    assert verdict.status == "doubt"
    assert way_back in verdict.reasons[0]


def test_a_mirrored_image_raises_doubt():
    verdict = _judge(_phantom(), _phantom(modality="PT", mirror=True))
    assert verdict.status == "doubt"
    assert "mirrored left to right" in verdict.reasons[0]


def test_different_frames_of_reference_fail():
    verdict = _judge(_phantom(frame="a"), _phantom(modality="PT", frame="b"))
    assert verdict.status == "fail"
    assert "frames of reference differ" in verdict.reasons[0]


def test_a_transform_replaces_the_frame_of_reference():
    sitk = pytest.importorskip("SimpleITK")
    moved = _phantom(modality="PT", frame="b", move_mm=(16, 0, 0))
    # the moving image lies 16 mm further to the right, which is -16 mm in LPS
    back = sitk.TranslationTransform(3, (-16.0, 0.0, 0.0))
    verdict = _judge(_phantom(frame="a"), moved, transforms=[back])
    assert verdict.status == "pass"
    assert any("transform was given" in reason for reason in verdict.reasons)


def test_images_of_different_places_fail():
    verdict = _judge(_phantom(frame="a"), _phantom(modality="PT", frame="a", move_mm=(0, 0, 500)))
    assert verdict.status == "fail"
    assert verdict.evidence["pairs"][0]["overlap_fraction"] == 0


def test_a_third_of_the_field_of_view_raises_doubt_with_the_share():
    verdict = _judge(_phantom(frame="a"), _phantom(modality="PT", frame="a", move_mm=(0, 0, 80)))
    assert verdict.status == "doubt"
    assert any("share only 33%" in reason for reason in verdict.reasons)


def test_a_constant_source_fails_and_is_named():
    flat = _phantom().with_array(np.full((60, 64, 60), 3.0), name="flat")
    verdict = _judge(_phantom(), flat)
    assert verdict.status == "fail"
    assert "flat is constant" in verdict.reasons[0]


def test_unrelated_images_without_a_frame_of_reference_raise_doubt():
    noise = np.random.default_rng(1).normal(size=(60, 64, 60))
    verdict = _judge(_phantom(), _phantom().with_array(noise))
    assert verdict.status == "doubt"
    assert any("little in common" in reason for reason in verdict.reasons)


def test_a_tiny_volume_cannot_be_judged_and_says_so():
    tiny = Volume(np.arange(8.0).reshape(2, 2, 2), Geometry((2, 2, 2), np.eye(4)))
    verdict = _judge(tiny, tiny)
    assert verdict.status == "doubt"
    assert any("too few voxels" in reason for reason in verdict.reasons)


def test_one_slice_is_judged_like_a_picture():
    head = _phantom().array[30:31].repeat(4, 1).repeat(4, 2)
    slices = Geometry(head.shape, np.diag([1.0, 1.0, 5.0, 1.0]))
    first, second = Volume(head, slices, "MR"), Volume(np.exp(-head) * (head > 0), slices, "PT")
    assert _judge(first, second).status == "pass"
    moved = Volume(np.roll(second.array, 16, axis=2), slices, "PT")
    assert _judge(first, moved).status == "doubt"


def test_three_sources_get_a_verdict_each_and_the_worst_counts():
    verdict = _judge(_phantom(frame="a"), _phantom(modality="PT", frame="a"), _phantom(frame="b"))
    assert verdict.status == "fail"
    assert [pair["status"] for pair in verdict.evidence["pairs"]] == ["pass", "fail"]
    assert any(reason.startswith("Source 2 (MR): ") for reason in verdict.reasons)


def test_the_verdict_is_deterministic_and_plain_json():
    import json

    first, second = (_judge(_phantom(), _phantom(modality="PT", move_mm=(5, 3, 1))) for _ in range(2))
    assert json.dumps(first.as_json(), allow_nan=False) == json.dumps(second.as_json(), allow_nan=False)


def test_normalised_mutual_information_lies_between_independence_and_identity():
    first, second = np.random.default_rng(2).random((2, 200_000))
    assert normalised_mutual_information(first, first) == pytest.approx(2)
    assert normalised_mutual_information(first, second) == pytest.approx(1, abs=1e-3)
    assert normalised_mutual_information(first, -5 * first) == pytest.approx(2, abs=0.01)


def test_the_coarse_grid_covers_the_same_box():
    fine = Geometry((59, 202, 198), np.diag([0.977, 0.977, 3.27, 1.0]))
    coarse = coarse_grid(fine)
    assert max(coarse.shape) <= 64
    np.testing.assert_allclose(coarse.bounds_ras(), fine.bounds_ras(), atol=1e-6)


MNI = {"T2": "MR", "PD": "MR", "PET": "PT", "SPECT": "NM", "Transm": "OT"}


@pytest.mark.parametrize("name", MNI)
def test_real_brains_in_one_space_pass_and_16_mm_off_do_not(data_folder, name):
    folder = data_folder / "mni_multimodal"
    reference = _read(folder / "spm_T1.nii.gz", "MR")
    path = folder / f"spm_{name}.nii.gz"
    assert _judge(reference, _read(path, MNI[name])).status == "pass"
    for move in ((16, 0, 0), (0, 16, 0), (0, 0, -16)):
        assert _judge(reference, _read(path, MNI[name], move)).status == "doubt"


def test_real_glioma_sequences_pass(data_folder):
    volumes = [_read(data_folder / "lgg_du7294" / f"{name}.nii.gz", "MR") for name in ("t1", "t1c", "t2", "flair")]
    assert _judge(*volumes).status == "pass"


def test_a_real_pet_and_ct_pass_and_the_offset_of_their_mr_is_noticed(data_folder):
    folder = data_folder / "sts_001" / "nifti"
    scan, activity, magnetic = (
        _read(folder / f"{name}_image.nii.gz", modality)
        for name, modality in (("CT", "CT"), ("PET", "PT"), ("MR_T1", "MR"))
    )
    assert _judge(scan, activity).status == "pass"
    verdict = _judge(scan, magnetic)
    assert verdict.status == "doubt"
    assert "to anterior" in verdict.reasons[0]


def _read(path, modality, move_mm=(0, 0, 0)):
    image = nibabel.load(path)
    matrix = np.array(image.affine)
    matrix[:3, 3] += move_mm
    values = np.asarray(image.dataobj, np.float32).T
    return Volume(values, Geometry(values.shape, matrix), modality)
