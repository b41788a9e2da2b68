"""Registration: known movements are found, transforms are right, bad input is refused."""

import json
import threading

import numpy as np
import pytest
import SimpleITK as sitk

import MedFusionLib as mf
from MedFusionLib import cli
from MedFusionLib.align import (
    nudge_transform,
    nudged,
    ras_matrix,
    read_transform,
    register,
    resample_to,
    write_transform,
)
from MedFusionLib.align.pose import climb, displacement_mm, rigid_matrix, rotation_degrees
from MedFusionLib.align.refine import refine
from MedFusionLib.align.transform import map_points, to_transform
from MedFusionLib.errors import Cancelled, NotSupported, UnreadableFile, UsageError
from MedFusionLib.interrupt import asking
from MedFusionLib.volume import Case, Geometry, Volume
from phantoms import head_pair, noise_stack, oblique_geometry, upright_geometry

MOVE = (14.0, -9.0, 6.0, 8.0, -5.0, 10.0)
SHAPE = (36, 44, 40)


def pair():
    return head_pair(SHAPE, upright_geometry(SHAPE, (3.0, 3.0, 3.5), (-60.0, -66.0, -63.0)))


def textured():
    """Two modalities of one textured ball, so that every direction and every place can be told."""
    mr, pet = pair()
    k, j, i = (np.linspace(-1, 1, n)[g] for n, g in zip(SHAPE, np.ix_(*(range(n) for n in SHAPE))))
    texture = noise_stack(SHAPE, 4) * (k**2 + j**2 + i**2 < 0.8)
    return mr.with_array(1000 * texture), pet.with_array(5 * np.exp(-2 * texture) * (texture > 0))


def moved(volume, matrix):
    geometry = Geometry(volume.geometry.shape, matrix @ volume.geometry.ijk_to_ras)
    return Volume(volume.array, geometry, volume.modality, volume.unit, volume.name, volume.source)


def body(volume):
    return volume.geometry.to_ras(np.argwhere(volume.array > 200)[::7, ::-1])


def error_mm(found, true, points):
    """Mean target error: `found` and `true` map reference points to moving points."""
    return np.linalg.norm(map_points(found, points) - (points @ true[:3, :3].T + true[:3, 3]), axis=1).mean()


@pytest.fixture(scope="module")
def rigid():
    mr, pet = pair()
    true = rigid_matrix(MOVE, np.zeros(3))
    steps = []
    found = register(mr, moved(pet, true), progress=lambda done, total: steps.append((done, total)))
    return mr, true, found, steps


def test_a_known_movement_is_found_within_a_third_of_a_voxel(rigid):
    mr, true, found, _ = rigid
    assert error_mm(found.transform, true, body(mr)) < 1
    assert found.applied
    assert found.metric_after > found.metric_before
    assert found.verdict.status == "pass"


def test_the_matrix_leads_from_the_moving_image_to_the_reference(rigid):
    mr, true, found, _ = rigid
    points = body(mr)
    there = points @ true[:3, :3].T + true[:3, 3]
    back = there @ found.ras_to_ras[:3, :3].T + found.ras_to_ras[:3, 3]
    assert np.linalg.norm(back - points, axis=1).mean() < 1


def test_progress_only_grows(rigid):
    done = [one for one, _ in rigid[3]]
    assert done == sorted(done) and done[-1] <= rigid[3][-1][1]


def test_the_same_images_give_the_same_bits(rigid):
    mr, true, found, _ = rigid
    again = register(mr, moved(pair()[1], true))
    assert np.array_equal(again.ras_to_ras, found.ras_to_ras)


def test_a_transform_file_gives_the_same_voxels_as_the_transform(rigid, tmp_path):
    mr, true, found, _ = rigid
    pet = moved(pair()[1], true)
    for name in ("T.h5", "T.tfm"):
        path = write_transform(found.transform, tmp_path / name)
        assert np.allclose(resample_to(pet, mr.geometry, transform=path).array,
                           resample_to(pet, mr.geometry, transform=found.transform).array, atol=1e-4)  # fmt: skip
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_start_is_contained_in_the_result():
    mr, pet = pair()
    true = rigid_matrix(MOVE, np.zeros(3))
    start = to_transform(rigid_matrix((11, -8, 6, 8, -5, 8), np.zeros(3)))
    found = register(mr, moved(pet, true), initial=start)
    assert error_mm(found.transform, true, body(mr)) < 1


def test_affine_finds_a_scale():
    mr, pet = textured()
    true = rigid_matrix((5, 3, -4, 4, 0, -3), np.zeros(3)) @ np.diag([1.06, 0.95, 1.04, 1.0])
    found = register(mr, moved(pet, true), "affine")
    assert error_mm(found.transform, true, body(mr)) < 1.5


def test_bspline_brings_a_bent_image_closer_and_does_not_fold():
    mr, pet = textured()
    k, j, i = np.indices(SHAPE)
    bend = 2.0 * np.sin(np.pi * k / SHAPE[0])
    from scipy import ndimage

    bent = pet.with_array(ndimage.map_coordinates(pet.array, [k, j + bend, i], order=1, mode="nearest"))
    found = register(mr, bent, "bspline")
    assert found.applied
    assert found.ras_to_ras is None
    assert found.as_json()["ras_to_ras"] is None
    before = np.abs(bent.array - pet.array).mean()
    after = np.abs(resample_to(bent, mr.geometry, transform=found.transform).array - pet.array).mean()
    assert after < 0.6 * before
    folded = sitk.DisplacementFieldJacobianDeterminant(
        sitk.TransformToDisplacementField(
            found.transform, sitk.sitkVectorFloat64, [20] * 3, [-55.0, -60.0, -60.0], [6.0] * 3
        )
    )
    assert sitk.GetArrayFromImage(folded).min() > 0


def test_masks_keep_a_metal_artefact_out():
    mr, pet = textured()
    true = rigid_matrix((8, 0, 0, 0, 0, 0), np.zeros(3))
    array = pet.array.copy()
    array[:, :10] = 40 * np.random.default_rng(0).random(array[:, :10].shape)
    mask = np.ones(SHAPE, bool)
    mask[:, :12] = False
    found = register(mr, moved(pet.with_array(array), true), moving_mask=mask)
    assert error_mm(found.transform, true, body(mr)) < 1.5


def test_nothing_better_is_reported_and_not_applied():
    rng = np.random.default_rng(0)
    geometry = upright_geometry((20, 20, 20), (4.0, 4.0, 4.0))
    mr = Volume(rng.random((20, 20, 20)), geometry, "MR", name="noise")
    found = register(mr, mr.with_array(mr.array.copy()))
    # an image is aligned with itself: interpolating it can only lose
    assert displacement_mm(np.linalg.inv(found.ras_to_ras), geometry.corners_ras()) < 1
    if not found.applied:
        assert np.array_equal(found.ras_to_ras, np.eye(4))
        assert "not applied" in found.verdict.reasons[0]


def test_a_single_slice_is_moved_within_its_plane():
    mr, pet = (Volume(v.array[18:19], Geometry((1, 44, 40), v.geometry.ijk_to_ras), v.modality, v.unit) for v in pair())
    true = rigid_matrix((7, -5, 0, 0, 0, 9), np.zeros(3))
    found = register(mr, moved(pet, true))
    assert error_mm(found.transform, true, body(mr)) < 1.5
    matrix = ras_matrix(found.transform)
    assert matrix[2] == pytest.approx([0, 0, 1, 0], abs=1e-6)
    with pytest.raises(NotSupported, match="single slice"):
        register(mr, pet, "affine")


def test_a_cancel_stops_the_search():
    mr, pet = pair()
    asked = []
    with pytest.raises(Cancelled), asking(lambda: asked.append(1) or len(asked) > 3):
        register(mr, moved(pet, rigid_matrix(MOVE, np.zeros(3))))
    assert len(asked) == 4


def test_a_cancel_does_not_wait_for_an_iteration_of_the_spline():
    mr, pet = head_pair((14, 16, 15), upright_geometry((14, 16, 15), (8.0, 8.0, 8.0), (-60.0, -64.0, -56.0)))
    workers = []

    def cancelled():
        workers.extend(t for t in threading.enumerate() if t.name == "medfusion-spline")
        return bool(workers)

    with pytest.raises(Cancelled), asking(cancelled):
        refine(mr, pet, "bspline", to_transform(np.eye(4)))
    assert len(workers) == 1
    workers[0].join()


@pytest.mark.parametrize(
    "change, words",
    [
        ({"model": "magic"}, "rigid, affine, bspline"),
        ({"moving": "constant"}, "constant"),
        ({"moving": "nan"}, "not finite"),
        ({"reference_mask": np.zeros(SHAPE, bool)}, "0 voxels"),
        ({"moving_mask": np.ones((2, 2, 2), bool)}, "mask of shape"),
    ],
)
def test_what_cannot_be_registered_is_refused_by_name(change, words):
    mr, pet = pair()
    moving = change.pop("moving", None)
    if moving:
        pet = pet.with_array(np.full(SHAPE, np.nan if moving == "nan" else 3.0), name=moving)
    with pytest.raises(UsageError, match=words):
        register(mr, pet, **change)


def test_images_of_different_places_end_with_a_verdict_and_no_exception():
    mr, _ = pair()
    rng = np.random.default_rng(2)
    other = Volume(rng.random((15, 18, 16)), upright_geometry((15, 18, 16), (7.0, 7.0, 7.0), (300.0, 0, 0)), "PT")
    found = register(mr, other)
    assert found.verdict.status in ("doubt", "fail")


def test_a_nudge_moves_the_moving_image_as_it_says():
    mr, _ = pair()
    nudge = nudge_transform(mr.geometry, (5, 0, 0))
    shifted = resample_to(mr, mr.geometry, transform=nudged(None, nudge))
    centre = [np.average(np.arange(40), weights=v.array.sum(axis=(0, 1))) for v in (mr, shifted)]
    assert (centre[1] - centre[0]) * 3.0 == pytest.approx(5, abs=0.3)
    turn = nudged(nudged(None, nudge), nudge_transform(mr.geometry, rotation_degrees=(0, 0, 90)))
    middle = mr.geometry.to_ras((19.5, 21.5, 17.5))
    # a point 10 mm anterior of the centre shows what lay to its right, 5 mm less for the first nudge
    assert map_points(turn, middle[None] + np.array((0, 10, 0))) == pytest.approx(middle[None] + np.array((5, 0, 0)))


@pytest.mark.parametrize("axis, turned", [(0, (0, 0, 1)), (1, (0, 1, 0)), (2, (-1, 0, 0))])
def test_a_nudge_turns_by_the_right_hand_about_the_middle_of_the_reference(axis, turned):
    geometry = oblique_geometry(3)
    middle = geometry.to_ras((np.array(geometry.shape[::-1]) - 1) / 2)
    shift = np.array((1.0, 2.0, 3.0))
    matrix = nudge_transform(geometry, shift, 90.0 * np.eye(3)[axis])
    assert matrix.dtype == np.float64
    assert matrix @ (*middle, 1) == pytest.approx(np.append(middle + shift, 1))
    assert matrix[:3, :3] @ (0, 1, 0) == pytest.approx(turned, abs=1e-12)


def test_a_nudge_of_nothing_is_the_identity_and_of_nonsense_refused():
    geometry = oblique_geometry(4)
    assert nudge_transform(geometry) == pytest.approx(np.eye(4), abs=1e-12)
    with pytest.raises(UsageError, match="translation"):
        nudge_transform(geometry, (1, 2))
    with pytest.raises(UsageError, match="rotation"):
        nudge_transform(geometry, rotation_degrees=(0, np.nan, 0))


def test_six_numbers_and_a_matrix_say_the_same():
    matrix = rigid_matrix((1, 2, 3, 0, 0, 30), np.array([10.0, 0, 0]))
    assert rotation_degrees(matrix) == pytest.approx(30)
    assert matrix @ (10, 0, 0, 1) == pytest.approx([11, 2, 3, 1])
    assert ras_matrix(to_transform(matrix)) == pytest.approx(matrix)


def test_a_climb_finds_the_top_of_a_hill():
    top = np.array([7, -3, 2, 1, -4, 9.0])
    found = climb(lambda x: -float(((x - top) ** 2).sum()), np.zeros(6))
    assert found.numbers == pytest.approx(top, abs=0.3)
    still = climb(lambda x: -float(((x - top) ** 2).sum()), np.zeros(6), axes=(0, 1))
    assert still.numbers[2:] == (0, 0, 0, 0)


def test_fuse_registers_and_keeps_the_transform(tmp_path):
    mr, pet = pair()
    far = moved(pet, rigid_matrix(MOVE, np.zeros(3)))
    result = mf.fuse(Case([mr, far]), "average", register="rigid")
    inside = mr.array > 200
    assert np.abs(result.sources[1].array - pet.array)[inside].mean() < 0.2
    assert result.provenance["parameters"]["registrations"][0]["applied"] is True
    mf.save_result(result, tmp_path / "out")
    assert (tmp_path / "out" / "transform_1.h5").is_file()
    again = mf.load_result(tmp_path / "out")
    assert ras_matrix(again.transforms[0]) == pytest.approx(ras_matrix(result.transforms[0]))


def test_the_command_registers_and_says_so_in_json(tmp_path, capsys):
    mr, pet = pair()
    for name, volume in (("mr", mr), ("pet", moved(pet, rigid_matrix((9, 0, 0, 0, 0, 6), np.zeros(3))))):
        mf.write_volume(volume, tmp_path / f"{name}.nii.gz")
    words = ["register", str(tmp_path / "mr.nii.gz"), str(tmp_path / "pet.nii.gz"), "--out", str(tmp_path / "T.h5")]
    assert cli.main([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {"ras_to_ras", "metric_before", "metric_after", "status"} <= set(document)
    assert document["applied"] is True
    inverse = np.linalg.inv(ras_matrix(read_transform(tmp_path / "T.h5")))
    assert inverse == pytest.approx(np.array(document["ras_to_ras"]), abs=1e-6)
    assert cli.main(words) == 2
    assert cli.main([*words[:-1], str(tmp_path / "T.txt"), "--overwrite"]) == 2


def test_a_transform_that_is_none_is_refused(tmp_path):
    (tmp_path / "T.h5").write_text("nothing")
    for path, words in ((tmp_path / "T.h5", "cannot be read"), (tmp_path / "missing.h5", "missing.h5")):
        with pytest.raises(UnreadableFile, match=words):
            read_transform(path)
