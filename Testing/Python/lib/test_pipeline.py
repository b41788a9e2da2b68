import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

import MedFusionLib as mf
from MedFusionLib import units
from MedFusionLib.align.transform import to_transform, write_transform
from MedFusionLib.errors import Cancelled, NotAligned, UnreadableFile, UsageError
from MedFusionLib.io.results import check_target, describe_result
from MedFusionLib.volume import Case, Geometry, Origin, Volume
from MedFusionLib.weights import card
from phantoms import head_pair, upright_geometry


@pytest.fixture(scope="module")
def result():
    return mf.fuse(Case(head_pair()), "laplacian", tumour="suvmax41", seed=lesion_ras())


def lesion_ras():
    _, pet = head_pair()
    return tuple(pet.geometry.to_ras(np.argwhere(pet.array > 6)[:, ::-1]).mean(axis=0))


def test_a_result_holds_everything_on_the_reference_grid(result):
    mr, pet = head_pair()
    assert result.fused.geometry.same_grid(mr.geometry)
    assert result.fused.unit == units.FUSION_INDEX
    assert result.fused.array.min() >= 0
    assert result.fused.array.max() <= 1
    assert [s.unit for s in result.sources] == [mr.unit, pet.unit]
    assert np.array_equal(result.sources[1].array, pet.array)
    assert result.colour.shape == (*mr.geometry.shape, 3)
    assert result.contribution.shape == (2, *mr.geometry.shape)
    assert {"en", "mi", "nmi", "ssim", "qabf", "sd", "sf", "ag"} <= set(result.metrics)
    assert result.timings["total"] > 0


def test_the_hue_comes_from_the_functional_source_and_grey_pairs_have_none(result):
    assert result.functional_index == 1
    mr, _ = head_pair()
    other = Volume(mr.array[::-1], mr.geometry, "MR", mr.unit, "other")
    assert mf.fuse(Case([mr, other])).colour is None


def test_three_sources_on_three_grids_are_fused():
    mr, pet = head_pair()
    coarse = upright_geometry((12, 16, 14), (4.0, 4.0, 5.0), (-27.0, -31.0, -28.75))
    small = Volume(pet.array[::2, ::2, ::2], coarse, "NM", units.COUNTS, "SPECT")
    found = mf.fuse(Case([mr, pet, small]), "average")
    assert len(found.sources) == 3
    assert found.sources[2].source.native_spacing_mm == (4.0, 4.0, 5.0)
    assert np.allclose(found.contribution.sum(axis=0)[found.fused.array > 0.05], 1, atol=1e-5)


def test_slice_mode_goes_across_the_thick_slices():
    geometry = upright_geometry((24, 32, 28), (2.0, 6.0, 2.0))
    mr, pet = head_pair(geometry=geometry)
    found = mf.fuse(Case([mr, pet]), "laplacian", mode="slice")
    single = mf.fuse(Case([
        Volume(v.array[:, 10:11], Geometry((24, 1, 28), shifted(geometry, 10)), v.modality, v.unit) for v in (mr, pet)
    ]), "laplacian", mode="slice", windows=found.windows)  # fmt: skip
    assert np.array_equal(single.fused.array[:, 0], found.fused.array[:, 10])


def shifted(geometry, j):
    matrix = geometry.ijk_to_ras.copy()
    matrix[:3, 3] += j * matrix[:3, 1]
    return matrix


def test_a_transform_moves_the_second_source_back(tmp_path):
    mr, pet = head_pair()
    matrix = pet.geometry.ijk_to_ras.copy()
    matrix[:3, 3] += (12, 0, 0)
    moved = Volume(pet.array, Geometry(pet.geometry.shape, matrix), "PT", pet.unit)
    back = sitk.TranslationTransform(3, (-12.0, 0.0, 0.0))  # reference LPS to moving LPS
    sitk.WriteTransform(back, str(tmp_path / "T.tfm"))
    found = mf.fuse(Case([mr, moved]), "average", transform=tmp_path / "T.tfm")
    assert np.abs(found.sources[1].array - pet.array).max() < 1e-3


@pytest.mark.parametrize(
    "method, parameters, weights",
    [
        ("average", {}, None),
        ("convex", {}, "convex"),
        ("convex", {"trained": "free"}, "convex-free"),
        ("tumour-gan", {"trained": "unguided"}, "tumour-gan-unguided"),
        ("ifcnn", {}, "ifcnn"),
        ("ifcnn", {"join": "sum"}, "ifcnn-sum"),
        ("ifcnn", {"join": "mean"}, "ifcnn-mean"),
    ],
)
def test_the_record_names_the_weights_that_were_used(method, parameters, weights):
    record = mf.fuse(Case(head_pair((8, 24, 20))), method, parameters=parameters).provenance["parameters"]
    assert record["weights_sha256"] == (weights and card(weights)["sha256"])


def test_sources_in_different_frames_are_refused_unless_forced():
    mr, pet = (
        Volume(v.array, v.geometry, v.modality, v.unit, v.name, Origin(frame_of_reference=frame))
        for v, frame in zip(head_pair(), "ab")
    )
    with pytest.raises(NotAligned, match="frames of reference differ"):
        mf.fuse(Case([mr, pet]))
    forced = mf.fuse(Case([mr, pet]), "average", force=True)
    assert forced.provenance["parameters"]["forced"] is True
    assert forced.alignment.status == "fail"


def test_sources_that_do_not_overlap_are_refused():
    mr, pet = head_pair()
    matrix = pet.geometry.ijk_to_ras.copy()
    matrix[2, 3] += 1000
    with pytest.raises(NotAligned, match="different places"):
        mf.fuse(Case([mr, Volume(pet.array, Geometry(pet.geometry.shape, matrix), "PT", pet.unit)]))


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        ({"method": "magic"}, UsageError, "Unknown method"),
        ({"mode": "4d"}, UsageError, "slice, volume"),
        ({"device": "tpu"}, UsageError, "auto, cpu, cuda"),
        ({"register": "magic"}, UsageError, "none, rigid, affine, bspline"),
        ({"maps": ["magic"]}, UsageError, "loss, stability"),
        ({"windows": [None]}, UsageError, "one window per source"),
        ({"transform": ["a", "b"]}, UsageError, "one per moving source"),
        ({"transform": "missing.h5"}, UnreadableFile, "missing.h5"),
        ({"tumour": "suvmax41"}, UsageError, "region or a seed"),
        ({"tumour": "missing.nii.gz"}, UnreadableFile, "missing.nii.gz"),
    ],
)
def test_wrong_wishes_are_refused_by_name(arguments, error, words):
    with pytest.raises(error, match=words):
        mf.fuse(Case(head_pair()), **arguments)


def test_one_source_or_a_constant_one_cannot_be_fused():
    mr, pet = head_pair()
    with pytest.raises(UsageError, match="at least two"):
        mf.fuse(Case([mr]))
    with pytest.raises((UsageError, NotAligned), match="constant"):
        mf.fuse(Case([mr, pet.with_array(pet.array * 0)]))


def test_one_slice_is_refused_in_volume_mode_and_taken_as_a_slice_otherwise():
    mr, pet = head_pair()
    geometry = Geometry((1, *mr.geometry.shape[1:]), mr.geometry.ijk_to_ras)
    thin = Case([Volume(v.array[12:13], geometry, v.modality, v.unit, v.name) for v in (mr, pet)])
    with pytest.raises(UsageError, match="Use mode slice"):
        mf.fuse(thin, mode="volume")
    assert mf.fuse(thin).provenance["parameters"]["mode"] == "slice"
    assert mf.fuse(thin, mode="slice").fused.array.shape[0] == 1


def test_a_cancel_leaves_nothing():
    asked = []

    def cancelled():
        asked.append(1)
        return len(asked) > 2

    with pytest.raises(Cancelled):
        mf.fuse(Case(head_pair()), cancelled=cancelled)


def test_progress_runs_to_a_hundred_and_never_back():
    seen = []
    mf.fuse(Case(head_pair()), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (100, 100)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_result_survives_its_folder(result, tmp_path):
    folder = mf.save_result(result, tmp_path / "out")
    again = mf.load_result(folder)
    assert np.array_equal(again.fused.array, result.fused.array)
    assert again.fused.geometry.same_grid(result.fused.geometry)
    assert np.array_equal(again.colour, result.colour)
    assert np.abs(again.contribution - result.contribution).max() <= 0.5 / 255 + 1e-6
    inside = result.contribution.sum(axis=0) > 0
    assert np.abs(again.contribution.sum(axis=0)[inside] - 1).max() <= len(result.sources) / 510 + 1e-6
    assert not again.contribution[:, ~inside].any()
    assert np.array_equal(again.invention, result.invention)
    assert np.array_equal(again.tumour.labels, result.tumour.labels)
    assert again.tumour.segments == result.tumour.segments
    assert again.tumour.measures == tuple(json.loads(json.dumps(result.tumour.measures)))
    assert again.windows == result.windows
    assert [s.unit for s in again.sources] == [s.unit for s in result.sources]
    assert describe_result(again)["alignment"] == describe_result(result)["alignment"]


def test_float_maps_are_exact(result, tmp_path):
    folder = mf.save_result(result, tmp_path / "out", maps="float")
    assert np.array_equal(mf.load_result(folder).contribution, result.contribution)


def test_the_json_of_a_result_has_no_file_names_and_no_nan(result, tmp_path):
    text = (mf.save_result(result, tmp_path / "out") / "result.json").read_text()
    record = json.loads(text, parse_constant=pytest.fail)
    assert record["provenance"]["statement"].startswith("Research use only")
    assert "phantom" not in text


def test_an_existing_result_is_kept_unless_overwriting_is_allowed(result, tmp_path):
    folder = mf.save_result(result, tmp_path / "out")
    before = (folder / "result.json").read_bytes()
    with pytest.raises(UsageError, match="allow overwriting"):
        mf.save_result(result, folder)
    assert (folder / "result.json").read_bytes() == before
    mf.save_result(result, folder, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_a_folder_of_other_things_is_never_replaced(result, tmp_path):
    (tmp_path / "holiday.jpg").write_text("x")
    with pytest.raises(UsageError, match="not a result"):
        mf.save_result(result, tmp_path, overwrite=True)
    with pytest.raises(UsageError, match="is a file"):
        check_target(tmp_path / "holiday.jpg")


def test_a_full_disk_leaves_nothing_behind_and_keeps_the_old_result(result, tmp_path, monkeypatch):
    from MedFusionLib.io import results

    folder = mf.save_result(result, tmp_path / "out")
    before = sorted((p.name, p.read_bytes()) for p in folder.iterdir())

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results, "write_segmentation", full)
    with pytest.raises(mf.MedFusionError, match="No space left"):
        mf.save_result(result, folder, overwrite=True)
    assert sorted((p.name, p.read_bytes()) for p in folder.iterdir()) == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_incomplete_folder_is_not_a_result(result, tmp_path):
    folder = mf.save_result(result, tmp_path / "out")
    (folder / "fused.nii.gz").unlink()
    with pytest.raises(UnreadableFile):
        mf.load_result(folder)
    with pytest.raises(UnreadableFile, match=r"result\.json"):
        mf.load_result(tmp_path)


def test_the_sarcoma_patient_keeps_his_numbers(data_folder):
    folder = data_folder / "sts_001" / "nifti"
    case = Case([
        mf.read_volume(folder / "CT_image.nii.gz", unit="HU"),
        mf.read_volume(folder / "MR_T1_image.nii.gz"),
        mf.read_volume(folder / "PET_image.nii.gz", unit="{SUVbw}g/ml"),
    ])  # fmt: skip
    found = mf.fuse(case, "laplacian", tumour=folder / "PET_gtv.nii.gz")
    assert found.alignment.status != "fail"
    measures = found.tumour.measures[0]
    assert measures["suv_max"] == pytest.approx(7.9107, abs=1e-4)
    assert measures["suv_mean"] == pytest.approx(2.5551, abs=1e-4)
    assert measures["volume_ml"] == pytest.approx(366.08, abs=0.01)
    labels, _ = mf.io.read_labels(folder / "CT_gtv.nii.gz")
    on_ct = found.sources[2].array[labels > 0]
    assert on_ct.mean() == pytest.approx(2.5551, rel=0.01)
    assert on_ct.max() == pytest.approx(7.9107, rel=0.03)


def test_the_tumour_of_the_sarcoma_patient_is_hot_in_the_colour_volume(data_folder):
    folder = data_folder / "sts_001" / "nifti"
    ct = mf.read_volume(folder / "CT_image.nii.gz", unit="HU")
    pet = mf.read_volume(folder / "PET_image.nii.gz", unit="{SUVbw}g/ml")
    found = mf.fuse(Case([ct, pet]), "average", windows=[None, mf.Window(0, 5)])
    labels, _ = mf.io.read_labels(folder / "CT_gtv.nii.gz")
    saturation = np.ptp(found.colour.astype(int), axis=-1)
    assert saturation[labels > 0].mean() > 5 * saturation[labels == 0].mean()


def test_a_result_does_not_depend_on_the_number_of_threads():
    one = mf.fuse(Case(head_pair()), "dwt", workers=1)
    two = mf.fuse(Case(head_pair()), "dwt", workers=2)
    assert np.array_equal(one.fused.array, two.fused.array)
    assert np.array_equal(one.contribution, two.contribution)


def test_a_transform_that_scales_or_bends_leaves_the_numbers_of_a_lesion_as_they_were(tmp_path):
    import SimpleITK as sitk

    from MedFusionLib.segment import segmentation_from_labels

    mr, pet = head_pair()
    hot = pet.array > 0.6 * pet.array.max()
    drawn = segmentation_from_labels(hot.astype(np.uint8), pet.geometry)
    plain = mf.fuse(Case([mr, pet]), "average", tumour=drawn, force=True).tumour.measures[0]
    scaled = np.diag([1.08, 0.95, 1.05, 1.0])  # reference to moving
    away = replace(pet, geometry=Geometry(pet.geometry.shape, scaled @ pet.geometry.ijk_to_ras))
    linear = write_transform(to_transform(scaled), tmp_path / "scaled.h5")
    bent = sitk.BSplineTransformInitializer(sitk.GetImageFromArray(np.zeros((60, 60, 60), np.float32)), [3, 3, 3])
    centre = (np.array(pet.geometry.bounds_ras()[::2]) + np.array(pet.geometry.bounds_ras()[1::2])) / 2 * [-1, -1, 1]
    bent.SetTransformDomainOrigin((centre - 150).tolist())
    bent.SetTransformDomainPhysicalDimensions([300.0] * 3)
    bent.SetParameters(np.random.default_rng(0).uniform(-3, 3, len(bent.GetParameters())).tolist())
    both = sitk.CompositeTransform([to_transform(scaled), bent])  # bent first
    for transform in (linear, both):
        moved = mf.fuse(Case([mr, away]), "average", transform=[transform], tumour=drawn, force=True).tumour.measures[0]
        voxels = [one["sources"][1]["voxels"] for one in (moved, plain)]
        assert moved["mtv_ml"] == pytest.approx(voxels[0] * away.geometry.voxel_volume_ml)  # the scanner's own voxels
        assert set(np.float32([moved["suv_max"]])) <= set(pet.array.ravel())  # ... and its own values
        if transform is linear:
            assert voxels[0] == voxels[1]
            for key in ("suv_max", "suv_mean", "suv_median", "suv_sd"):
                assert moved[key] == pytest.approx(plain[key], rel=1e-6)
            assert moved["suv_peak_ras_mm"] == pytest.approx(plain["suv_peak_ras_mm"], abs=3)
        assert moved["volume_ml"] == plain["volume_ml"]  # the drawn labels stay what they are


def test_labels_carried_through_a_bend_and_back_are_where_they_were():
    import SimpleITK as sitk

    from MedFusionLib.align import labels_in_moving_space, points_in_reference_space
    from MedFusionLib.align.transform import map_points

    grid = Geometry((40, 40, 40), np.diag([2.0, 2, 2, 1]))
    k, j, i = np.indices(grid.shape)
    ball = ((k - 20) ** 2 + (j - 18) ** 2 + (i - 22) ** 2 < 81).astype(np.uint8)
    bent = sitk.BSplineTransformInitializer(sitk.GetImageFromArray(np.zeros((60, 60, 60), np.float32)), [2, 2, 2])
    bent.SetTransformDomainOrigin([-120.0, -120.0, -40.0])
    bent.SetTransformDomainPhysicalDimensions([160.0] * 3)
    bent.SetParameters(np.random.default_rng(1).uniform(-20, 20, len(bent.GetParameters())).tolist())
    inside = grid.to_ras(np.argwhere(ball)[::50, ::-1])
    there = map_points(bent, inside)
    assert np.linalg.norm(there - inside, axis=1).max() > 2
    assert np.abs(points_in_reference_space(there, ball, grid, bent) - inside).max() < 0.1
    carried = labels_in_moving_space(ball, grid, grid, bent)
    hit = grid.to_ijk(there).round().astype(int)
    assert carried[tuple(hit[:, ::-1].T)].mean() > 0.97  # what was inside is inside
    assert labels_in_moving_space(np.zeros_like(ball), grid, grid, bent).sum() == 0
    far = Geometry(
        (4, 4, 4), np.diag([2.0, 2, 2, 1]) + np.eye(4)[:, 3:] * 0 + np.array([[0, 0, 0, 900]] + 3 * [[0] * 4])
    )
    assert labels_in_moving_space(ball, grid, far, bent).sum() == 0


def test_a_rigid_transform_leaves_the_numbers_of_a_lesion_as_they_were(tmp_path):
    mr, pet = head_pair()
    plain = mf.fuse(Case([mr, pet]), "average", tumour="suv2.5", force=True)
    moved = np.eye(4)
    moved[:3, 3] = 7.3, -4.1, 2.6
    away = replace(pet, geometry=Geometry(pet.geometry.shape, moved @ pet.geometry.ijk_to_ras))
    path = write_transform(to_transform(moved), tmp_path / "moved.h5")
    back = mf.fuse(Case([mr, away]), "average", transform=path, tumour="suv2.5", force=True)
    for one, other in zip(plain.tumour.measures, back.tumour.measures, strict=True):
        for key in ("suv_max", "suv_mean", "suv_peak", "mtv_ml", "tlg_g"):
            assert other[key] == pytest.approx(one[key], rel=1e-6)
        assert other["centroid_ras_mm"] == pytest.approx(one["centroid_ras_mm"], abs=1e-4)
