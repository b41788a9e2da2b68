"""The registration verdict on phantoms with a known answer and on real pairs."""

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from MedFusionLib import units
from MedFusionLib.align import check_alignment
from MedFusionLib.align.pose import rigid_matrix
from MedFusionLib.align.similarity import BINS, Partner, normalised_mutual_information, sample_points, shrunk
from MedFusionLib.align.transform import to_transform
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
        ((16, 0, 0), "to the patient's left"),
        ((-16, 0, 0), "to the patient's right"),
        ((0, 7, 0), "to posterior"),
        ((0, -7, 0), "to anterior"),
        ((0, 0, 16), "to inferior"),
        ((0, 0, -16), "to superior"),
    ],
)
def test_a_moved_image_raises_doubt_and_the_way_back_is_named(move_mm, way_back):
    verdict = _judge(_phantom(frame="a"), _phantom(modality="PT", frame="a", move_mm=move_mm))
    assert verdict.status == "doubt"
    assert way_back in verdict.reasons[0]
    better = verdict.evidence["pairs"][0]["better"]
    assert better["move_mm"] == pytest.approx([-x for x in move_mm], abs=1)
    assert better["rotation_deg"] < 1.5
    assert better["confidence"] > 0.95


@pytest.mark.parametrize("axis", range(3))
def test_a_turned_image_raises_doubt_with_the_angle(axis):
    pet = _phantom(modality="PT")
    numbers = np.zeros(6)
    numbers[3 + axis] = 7
    turned = Geometry(pet.geometry.shape, rigid_matrix(numbers, np.full(3, 60.0)) @ pet.geometry.ijk_to_ras)
    verdict = _judge(_phantom(), Volume(pet.array, turned, "PT", pet.unit))
    assert verdict.status == "doubt"
    assert "turned by" in verdict.reasons[0]
    assert verdict.evidence["pairs"][0]["better"]["rotation_deg"] == pytest.approx(7, abs=1)


def test_a_millimetre_is_no_reason_for_doubt():
    verdict = _judge(_phantom(), _phantom(modality="PT", move_mm=(1, 0, 0)))
    assert verdict.status == "pass"
    assert any("can be told apart" in reason for reason in verdict.reasons)


def test_slices_that_slide_against_each_other_raise_doubt():
    pet = _phantom(modality="PT")
    sheared = np.stack([np.roll(one, round((k - 30) * 0.4), axis=1) for k, one in enumerate(pet.array)])
    verdict = _judge(_phantom(), pet.with_array(sheared))
    assert verdict.status == "doubt"
    assert verdict.evidence["pairs"][0]["drift_mm"] > 12


def test_a_source_that_is_not_a_number_everywhere_fails_and_is_named():
    broken = _phantom().array.copy()
    broken[3, 3, 3] = np.nan
    verdict = _judge(_phantom(), _phantom().with_array(broken, name="broken"))
    assert verdict.status == "fail"
    assert "broken holds values that are not finite" in verdict.reasons[0]


def test_a_transform_that_mirrors_or_scales_fails():
    sitk = pytest.importorskip("SimpleITK")
    for diagonal, words in (((-1, 1, 1), "mirrors"), ((1.5, 1, 1), "scales")):
        wrong = sitk.AffineTransform(3)
        wrong.SetMatrix(np.diag(np.array(diagonal, float)).ravel().tolist())
        verdict = _judge(_phantom(), _phantom(modality="PT"), transforms=[wrong])
        assert verdict.status == "fail"
        assert words in verdict.reasons[0]


def test_bodies_of_very_different_size_raise_doubt():
    small = Volume(np.random.default_rng(0).random((12, 12, 12)), Geometry((12, 12, 12), np.eye(4)), "MR")
    verdict = _judge(_phantom(), small)
    assert verdict.status == "doubt"
    assert any("differ in size by a factor" in reason for reason in verdict.reasons)


def test_a_mirrored_image_raises_doubt():
    verdict = _judge(_phantom(), _phantom(modality="PT", mirror=True))
    assert verdict.status == "doubt"
    assert "mirrored left to right" in verdict.reasons[0]


@pytest.mark.parametrize("axes, words", [((1, 2), "about the long axis"), ((0, 2), "about the front-back axis")])
def test_an_image_turned_by_180_degrees_raises_doubt(axes, words):
    pet = _phantom(modality="PT")
    verdict = _judge(_phantom(), pet.with_array(np.flip(pet.array, axes)))
    assert verdict.status == "doubt"
    assert any("turned by 180 degrees " + words in reason for reason in verdict.reasons)


def test_a_transform_that_turns_a_lying_patient_far_raises_doubt_with_the_angle():
    mr, pet = _phantom(), _phantom(modality="PT")
    matrix = rigid_matrix((0, 0, 0, 35, 0, 0), np.full(3, 60.0))
    turned = Volume(pet.array, Geometry(pet.geometry.shape, matrix @ pet.geometry.ijk_to_ras), "PT", pet.unit)
    verdict = _judge(mr, turned, transforms=[to_transform(matrix)])
    assert verdict.status == "doubt"
    assert "turns the patient by 35 degrees" in verdict.reasons[0]


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
    first, second = (BINS - 1) * np.random.default_rng(2).random((2, 200_000))
    whole = np.rint(first)
    assert normalised_mutual_information(Partner(whole).count(whole)) == pytest.approx(2)
    assert normalised_mutual_information(Partner(first).count(second)) == pytest.approx(1, abs=2e-3)
    assert np.isnan(normalised_mutual_information(np.zeros((BINS, BINS))))


def test_samples_lie_within_the_volume_and_are_the_same_every_time():
    fine = Geometry((59, 202, 198), np.diag([0.977, 0.977, 3.27, 1.0]))
    points = sample_points(fine, 5000)
    assert 3000 < len(points) <= 5000
    low, high = np.reshape(fine.bounds_ras(), (3, 2)).T
    assert (points >= low).all() and (points <= high).all()
    assert np.array_equal(points, sample_points(fine, 5000))


def test_a_shrunk_volume_keeps_its_place():
    ramp = np.broadcast_to(np.arange(40.0), (40, 40, 40))
    array, geometry = shrunk(Volume(ramp, Geometry((40, 40, 40), np.eye(4))), 4.0)
    assert geometry.shape == (10, 10, 10)
    assert geometry.spacing_mm == (4.0, 4.0, 4.0)
    assert array[5, 5, 5] == pytest.approx(geometry.to_ras((5, 5, 5))[0], abs=0.01)


MNI = {"T2": "MR", "PD": "MR", "PET": "PT", "SPECT": "NM"}


@pytest.mark.parametrize("name", MNI)
def test_real_brains_in_one_space_pass_and_6_mm_off_do_not(data_folder, name):
    folder = data_folder / "mni_multimodal"
    reference = _read(folder / "spm_T1.nii.gz", "MR")
    path = folder / f"spm_{name}.nii.gz"
    assert _judge(reference, _read(path, MNI[name])).status == "pass"
    for move in ((6, 0, 0), (0, -6, 0), (0, 0, 6), (0, 0, -6)):
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


@settings(max_examples=25, deadline=None)
@given(
    shapes=st.tuples(*[st.tuples(*[st.integers(1, 7)] * 3)] * 2),
    kinds=st.tuples(*[st.sampled_from(("noise", "one voxel", "huge", "tiny", "constant", "nan", "infinite"))] * 2),
    seed=st.integers(0, 99),
)
def test_whatever_two_images_hold_the_answer_is_a_verdict(shapes, kinds, seed):
    rng = np.random.default_rng(seed)
    volumes = []
    for shape, kind in zip(shapes, kinds):
        values = rng.random(shape).astype(np.float32)
        if kind == "one voxel":
            values = np.zeros(shape, np.float32)
            values.flat[0] = 1
        values = {"huge": values * 3e37, "tiny": values * 1e-38, "constant": values * 0 + 2}.get(kind, values)
        if kind in ("nan", "infinite"):
            values.flat[-1] = np.nan if kind == "nan" else np.inf
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = turn * rng.uniform(0.05, 20, 3), rng.normal(0, 10 ** rng.uniform(0, 4), 3)
        volumes.append(Volume(values, Geometry(shape, matrix), rng.choice(("MR", "CT", "PT"))))
    verdict = _judge(*volumes)
    assert verdict.status in ("pass", "doubt", "fail") and all(verdict.reasons)
    if set(kinds) & {"constant", "nan", "infinite"}:
        assert verdict.status == "fail"


def test_a_head_and_a_thigh_raise_doubt(data_folder):
    head = _read(data_folder / "mni_multimodal" / "spm_T1.nii.gz", "MR")
    for name, modality in (("CT", "CT"), ("MR_T1", "MR"), ("PET", "PT")):
        thigh = _read(data_folder / "sts_001" / "nifti" / f"{name}_image.nii.gz", modality)
        matrix = thigh.geometry.ijk_to_ras.copy()
        matrix[:3, 3] += np.mean(np.reshape(head.geometry.bounds_ras(), (3, 2)), axis=1)
        matrix[:3, 3] -= np.mean(np.reshape(thigh.geometry.bounds_ras(), (3, 2)), axis=1)
        assert _judge(head, Volume(thigh.array, Geometry(thigh.geometry.shape, matrix), modality)).status != "pass"
