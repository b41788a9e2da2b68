"""Segmentation by all sources at once, from a click or a box, and the command."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

import MedFusionLib as mf
from MedFusionLib import units
from MedFusionLib.cli import main
from MedFusionLib.errors import NotAligned, NotSupported, UnreadableFile, UsageError
from MedFusionLib.io import read_labels
from MedFusionLib.io.markups import read_roi
from MedFusionLib.io.segmentation_file import read_segmentation, save_segmentation
from MedFusionLib.region import BoxRegion, LabelRegion, box_around
from MedFusionLib.segment import Marks, is_method, measure_agreement, segment
from MedFusionLib.segment.catalogue import MULTI_SOURCE
from MedFusionLib.segment.consistency import best_offset_mm, trust_sources
from MedFusionLib.segment.graph_cut import cheapest_cut
from MedFusionLib.segment.kernel_fcm import kernel_fuzzy_means
from MedFusionLib.segment.nlem import euclidean_medians
from MedFusionLib.segment.random_walker import conductances, walk
from MedFusionLib.segment.stack import stack_sources
from MedFusionLib.segmentation import Segmentation, segment_type, segment_types
from MedFusionLib.volume import Case, Geometry, Volume
from phantoms import oblique_geometry, upright_geometry

CENTRE = (6.0, -4.0, 2.0)


def grid(spacing, extent=96.0) -> Geometry:
    shape = tuple(int(extent / s) for s in spacing[::-1])
    return upright_geometry(shape, spacing, tuple(-s * (n - 1) / 2 for s, n in zip(spacing, shape[::-1])))


def away(geometry, centre=CENTRE):
    k, j, i = np.indices(geometry.shape)
    return np.linalg.norm(geometry.to_ras(np.stack([i, j, k], axis=-1)) - np.asarray(centre), axis=-1)


def leg():
    """CT, PET and MR of a leg with a bone and a ball of 20 mm whose middle is cold in PET; three grids."""
    rng = np.random.default_rng(5)
    ct_grid, pet_grid, mr_grid = grid((2.0, 2.0, 3.0)), grid((5.0, 5.0, 4.0)), grid((1.5, 1.5, 4.0))

    def tissue(geometry, outside, muscle, bone, tumour):
        array = np.where(away(geometry, (0, 0, 0))[..., None] > 46, [outside], [muscle])[..., 0].astype(float)
        array[away(geometry, (-28, 10, 0)) <= 10] = bone
        array[away(geometry) <= 20] = tumour
        return array

    ct = tissue(ct_grid, -1000, 50, 800, 25) + rng.normal(0, 10, ct_grid.shape)
    mr = tissue(mr_grid, 0, 300, 20, 420) + rng.normal(0, 15, mr_grid.shape)
    pet = tissue(pet_grid, 0.05, 0.8, 0.6, 6.0)
    pet[away(pet_grid) <= 10] = 1.0
    pet = np.maximum(ndimage.gaussian_filter(pet, 0.5) + rng.normal(0, 0.05, pet_grid.shape), 0)
    return (
        Volume(ct, ct_grid, "CT", units.HOUNSFIELD, "CT"),
        Volume(pet, pet_grid, "PT", units.SUV_BODY_WEIGHT, "PET"),
        Volume(mr, mr_grid, "MR", units.ARBITRARY, "MR"),
    )


@pytest.fixture(scope="module")
def sources():
    return leg()


def dice_of(found: Segmentation, radius=20.0) -> float:
    truth = away(found.geometry) <= radius
    return measure_agreement(found.labels > 0, truth, found.geometry).dice


@pytest.mark.parametrize("mark", [{"seed": (20.0, -4.0, 2.0)}, {"region": BoxRegion(CENTRE, (60, 60, 60))}])
def test_the_default_takes_the_cold_middle_into_the_tumour_and_answers_on_the_first_grid(sources, mark):
    found = segment(sources, "auto", Marks(**mark))
    assert found.geometry.same_grid(sources[0].geometry)
    assert dice_of(found) > 0.9
    assert found.evidence["method"] == "random-walker" and found.evidence["leading_modality"] == "PT"
    assert sum(one["edge_share"] for one in found.evidence["sources"]) == pytest.approx(1)
    assert "leans on PT" in " ".join(found.source.notes)


@pytest.mark.parametrize("name", MULTI_SOURCE)
def test_every_method_outlines_the_tumour_in_mr_and_ct(sources, name):
    box = BoxRegion(CENTRE, (60, 60, 60))
    found = segment((sources[2], sources[0]), name, Marks(seed=CENTRE, region=box))
    assert dice_of(found) > 0.8


@pytest.mark.parametrize("name", [name for name in MULTI_SOURCE if name not in ("region-growing", "lesion-net")])
def test_every_method_takes_the_cold_middle_with_pet(sources, name):
    least = 0.8 if name == "kfcm" else 0.85
    assert dice_of(segment(sources, name, Marks(region=BoxRegion(CENTRE, (60, 60, 60))))) > least


def test_a_cut_is_the_cheapest_of_all():
    rng = np.random.default_rng(3)
    values, ratio = rng.random((2, 2, 3, 2)), rng.normal(0, 1.5, (2, 3, 2))
    lesion, rest = np.zeros((2, 3, 2), bool), np.zeros((2, 3, 2), bool)
    lesion[0, 0, 0], rest[1, 2, 1] = True, True
    weights, open_voxels = np.array([1.0, 0.5]), ~(lesion | rest)
    first, second, face = conductances(values, open_voxels.ravel(), weights)

    def cost(mask):
        flat = mask.ravel()
        return face[flat[first] != flat[second]].sum() - ratio[mask & open_voxels].sum()

    def masks():
        for number in range(2 ** int(open_voxels.sum())):
            mask = lesion.copy()
            mask[open_voxels] = [bool(number >> bit & 1) for bit in range(int(open_voxels.sum()))]
            yield mask

    assert cost(cheapest_cut(values, ratio, lesion, rest, weights)) == pytest.approx(min(map(cost, masks())), abs=2e-3)


def test_a_cut_needs_seeds_and_decides_nothing_where_nothing_is_open():
    values, none, one = np.zeros((1, 2, 2, 2)), np.zeros((2, 2, 2), bool), np.zeros((2, 2, 2), bool)
    one[0] = True
    with pytest.raises(UsageError, match="seeds"):
        cheapest_cut(values, values[0], none, one, np.ones(1))
    assert np.array_equal(cheapest_cut(values, values[0], one, ~one, np.ones(1)), one)


def test_clusters_find_a_small_lesion_in_a_large_region(sources):
    mr = sources[2]
    small = Volume(np.where(away(mr.geometry) <= 8, 900, mr.array), mr.geometry, "MR", units.ARBITRARY, "MR")
    assert dice_of(segment((small,), "kfcm", Marks(seed=CENTRE)), radius=8) > 0.8


def test_the_network_says_that_it_is_experimental_and_minds_no_order(sources):
    marks = Marks(region=BoxRegion(CENTRE, (60, 60, 60)))
    found = segment(sources, "lesion-net", marks)
    assert any("experimental" in note for note in found.source.notes)
    assert dice_of(found) > 0.6 and dice_of(segment(sources[::-1], "lesion-net", marks)) > 0.6


def test_the_network_refuses_where_there_is_nothing_to_see(sources):
    flat = Volume(np.full(sources[0].array.shape, 5.0), sources[0].geometry, "MR", units.ARBITRARY, "MR")
    with pytest.raises(UsageError, match="are equal"):
        segment((flat,), "lesion-net", Marks(region=BoxRegion(CENTRE, (60, 60, 60))))


def test_the_default_is_the_same_for_every_order_and_repeats_exactly(sources):
    marks = Marks(region=BoxRegion(CENTRE, (60, 60, 60)))
    first, again = (segment(sources, "auto", marks).labels for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = segment((sources[0], *sources[:0:-1]), "auto", marks).labels
    assert (first != other).mean() < 1e-4


def test_clicks_and_boxes_near_each_other_give_nearly_one_tumour(sources):
    rng = np.random.default_rng(2)
    volumes = []
    for _ in range(4):
        box = BoxRegion(np.add(CENTRE, rng.uniform(-4, 4, 3)), rng.uniform(56, 66, 3))
        seed = tuple(np.add(CENTRE, rng.uniform(-8, 8, 3)))
        volumes += [segment(sources, "auto", marks).labels.sum() for marks in (Marks(region=box), Marks(seed=seed))]
    assert max(volumes) / min(volumes) < 1.2


def test_a_source_that_lies_elsewhere_counts_less(sources):
    ct, pet, mr = sources
    moved = mr.geometry.ijk_to_ras.copy()
    moved[1, 3] -= 12
    shifted = Volume(mr.array, Geometry(mr.geometry.shape, moved), "MR", units.ARBITRARY, "MR")
    box = BoxRegion(CENTRE, (60, 60, 60))
    straight, crooked = (
        trust_sources(stack_sources((ct, pet, one), region=box), tolerance_mm=7) for one in (mr, shifted)
    )
    assert [one.weight for one in straight] == [1, 1, 1]
    assert crooked[2].weight < 0.4 and crooked[2].offset_ras_mm == pytest.approx((0, 12, 0), abs=4)
    found = segment((ct, pet, shifted), "auto", Marks(region=box))
    assert dice_of(found) > 0.88 and any("matches the anatomy better" in note for note in found.source.notes)


def test_offsets_are_found_and_unrelated_images_have_none(sources):
    ct, _, mr = sources
    assert np.abs(best_offset_mm(ct, mr, grid((4.0, 4.0, 4.0)))).max() == 0
    far = Volume(mr.array, Geometry(mr.geometry.shape, np.eye(4) + np.diag([0, 0, 0], -1)), "MR")
    lonely = Volume(far.array, upright_geometry(far.array.shape, origin=(900, 0, 0)), "MR")
    assert best_offset_mm(ct, lonely, grid((4.0, 4.0, 4.0))) is None


def test_a_walker_stays_on_its_side_of_an_edge():
    values = np.zeros((1, 3, 3, 12))
    values[..., 7:] = 1
    lesion, rest = np.zeros((3, 3, 12), bool), np.zeros((3, 3, 12), bool)
    lesion[:, :, 0] = rest[:, :, -1] = True
    probability = walk(values, lesion, rest, np.ones(1))
    assert (probability[..., :7] > 0.5).all() and (probability[..., 7:] < 0.5).all()
    flat = walk(values, lesion, rest, np.zeros(1))
    np.testing.assert_allclose(flat[1, 1], np.linspace(1, 0, 12), atol=1e-3)
    with pytest.raises(UsageError, match="without seeds"):
        walk(values, lesion, rest & False, np.ones(1))


def test_clusters_part_two_levels_exactly_and_the_spatial_term_removes_salt():
    image = np.zeros((1, 8, 8, 8))
    image[:, :, :, 4:] = 1
    salted = image.copy()
    salted[0, 4, 4, 1] = 0.7
    inside = np.ones((8, 8, 8), bool)
    found = kernel_fuzzy_means(image, inside, clusters=2, spatial=0)
    assert sorted(found.centres.ravel().round(2).tolist()) == [0, 1]
    np.testing.assert_allclose(found.memberships.sum(axis=0), 1)
    parts = kernel_fuzzy_means(salted, inside, clusters=2, spatial=4).memberships.argmax(axis=0).reshape(8, 8, 8)
    assert len(np.unique(parts[:, :, :4])) == 1
    with pytest.raises(UsageError, match="equal"):
        kernel_fuzzy_means(image * 0, inside)
    with pytest.raises(UsageError, match="clusters"):
        kernel_fuzzy_means(image, inside, clusters=1)


def test_euclidean_medians_take_noise_away_and_leave_an_edge():
    clean = np.zeros((10, 12, 14), np.float32)
    clean[:, :, 7:] = 10
    noisy = clean + np.random.default_rng(0).normal(0, 0.5, clean.shape).astype(np.float32)
    found = euclidean_medians(noisy)
    assert np.abs(found - clean).mean() < 0.6 * np.abs(noisy - clean).mean()
    assert (found[:, :, 7] - found[:, :, 6]).mean() > 8
    np.testing.assert_array_equal(euclidean_medians(clean), clean)


@pytest.mark.parametrize(
    "marks, words",
    [
        (Marks(), "a region or a seed"),
        (Marks(seed=(500, 0, 0)), "outside"),
        (Marks(seed=(44, 44, 44)), "does not stand out"),
        (Marks(region=BoxRegion((500, 0, 0), (9, 9, 9))), "outside"),
        (Marks(seed=(40, 0, 0), region=BoxRegion(CENTRE, (20, 20, 20))), "outside the region"),
    ],
)
def test_marks_that_mark_nothing_are_refused(sources, marks, words):
    with pytest.raises(UsageError, match=words):
        segment((sources[2], sources[0]), "auto", marks)


def test_a_seed_in_plain_tissue_is_refused(sources):
    with pytest.raises(UsageError, match="does not stand out"):
        segment((sources[2],), "auto", Marks(seed=(10.0, 30.0, 0.0)))


def test_names_are_known_or_refused(sources):
    for name in ("auto", "kfcm", "suv3.5", "suvmax42", "percist", "gradient"):
        assert is_method(name)
    assert not is_method("mask.nii.gz") and not is_method("magic")
    with pytest.raises(NotSupported, match="random-walker"):
        segment(sources, "magic")
    with pytest.raises(UsageError, match="PET source in SUVbw"):
        segment((sources[0],), "suvmax41", Marks(seed=CENTRE))


@pytest.mark.parametrize("seed", range(4))
def test_a_box_holds_the_same_points_on_any_grid(seed):
    geometry = oblique_geometry(seed, (12, 13, 14))
    centre = geometry.to_ras((6, 6, 6))
    turned = oblique_geometry(seed + 9).directions
    box = BoxRegion(centre, (9.0, 14.0, 11.0), turned)
    k, j, i = np.indices(geometry.shape)
    local = (geometry.to_ras(np.stack([i, j, k], axis=-1)) - centre) @ turned
    np.testing.assert_array_equal(box.mask_on(geometry), (np.abs(local) <= np.array([4.5, 7, 5.5])).all(axis=-1))


def test_regions_know_their_bounds_and_refuse_nonsense():
    geometry = upright_geometry((10, 10, 10), (2.0, 2.0, 2.0), (0, 0, 0))
    labels = np.zeros(geometry.shape, np.uint8)
    labels[2:4, 3:6, 5:9] = 3
    box = box_around(LabelRegion(labels, geometry), margin_mm=1)
    np.testing.assert_allclose(np.stack(box.bounds_ras()), [(8, 4, 2), (18, 12, 8)])
    np.testing.assert_array_equal(box_around(LabelRegion(labels, geometry)).mask_on(geometry), labels > 0)
    with pytest.raises(UsageError, match="empty"):
        LabelRegion(labels * 0, geometry)
    for size, axes in (((0, 1, 1), None), ((1, 1, 1), np.ones((3, 3)))):
        with pytest.raises(UsageError):
            BoxRegion((0, 0, 0), size, axes)


@pytest.mark.parametrize(
    "text, error",
    [
        ("no json", UnreadableFile),
        ('{"markups": []}', NotSupported),
        ('{"markups": [{"type": "ROI"}]}', UnreadableFile),
        ('{"markups": [{"type": "ROI", "roiType": "Sphere", "center": [0,0,0], "size": [1,1,1]}]}', NotSupported),
        ('{"markups": [{"type": "ROI", "insideOut": true, "center": [0,0,0], "size": [1,1,1]}]}', NotSupported),
        ("[" * 100000, UnreadableFile),
    ],
)
def test_markups_files_that_hold_no_box_are_refused(tmp_path, text, error):
    path = tmp_path / "roi.mrk.json"
    path.write_text(text)
    with pytest.raises(error):
        read_roi(path)
    with pytest.raises(UnreadableFile):
        read_roi(tmp_path / "missing.mrk.json")


def test_a_markups_box_in_lps_lies_where_it_was_drawn(tmp_path):
    path = tmp_path / "roi.mrk.json"
    roi = {"type": "ROI", "coordinateSystem": "LPS", "center": [-6, 4, 2], "size": [10, 20, 30]}
    path.write_text(json.dumps({"markups": [roi]}))
    box = read_roi(path)
    np.testing.assert_allclose(np.stack(box.bounds_ras()), [(1, -14, -13), (11, 6, 17)])


def test_types_carry_their_codes_and_the_file_keeps_them(tmp_path, sources):
    assert set(segment_types()) >= {"mass", "primary", "secondary", "oedema", "necrosis", "enhancing", "physiological"}
    assert segment_type("secondary").type_code.value == "14799000"
    with pytest.raises(NotSupported, match="secondary"):
        segment_type("magic")


@pytest.fixture
def files(tmp_path, sources):
    paths = [str(tmp_path / name) for name in ("ct.nii.gz", "pet.nii.gz", "mr.nii.gz")]
    for volume, path in zip(sources, paths):
        mf.write_volume(volume, path)
    return paths


def call(capsys, *arguments):
    code = main([str(a) for a in arguments])
    return code, capsys.readouterr()


def test_the_command_writes_measures_and_says_what_it_leans_on(capsys, files, tmp_path):
    roi = tmp_path / "roi.mrk.json"
    markup = {"type": "ROI", "coordinateSystem": "RAS", "center": CENTRE, "size": [60, 60, 60]}
    roi.write_text(json.dumps({"markups": [markup]}))
    out = tmp_path / "t.seg.nrrd"
    arguments = ["segment", *files, "--unit", "HU,SUVbw,a.u.", "--roi", roi, "--type", "primary", "--out", out]
    code, printed = call(capsys, *arguments, "--compare", "--json")
    document = json.loads(printed.out)
    assert code == 0
    found = document["segments"][0]
    assert {"name", "volume_ml", "suv_max", "suv_mean", "suv_peak", "tlg_g", "axial_long_mm"} <= set(found)
    assert found["volume_ml"] == pytest.approx(33.5, rel=0.15)
    assert document["evidence"]["leading_modality"] == "PT" and document["units"]["tlg_g"] == "g"
    assert document["comparison"]["largest_ml"] > document["comparison"]["smallest_ml"] > 0
    written = read_segmentation(out)
    assert written.segments[0].type_code.value == "86049000"
    assert (written.labels > 0).sum() * written.geometry.voxel_volume_ml == pytest.approx(found["volume_ml"])
    assert call(capsys, *arguments)[0] == 2
    code, printed = call(capsys, *arguments, "--overwrite")
    assert code == 0 and "SUVpeak" in printed.out and "leans on PT" in printed.out


@pytest.mark.parametrize("seed", [["--seed", "-6,-4,2"], ["--seed=-6,-4,2"]])
def test_a_point_may_start_with_a_minus(capsys, files, tmp_path, seed):
    out = tmp_path / "x.nii.gz"
    code, printed = call(capsys, "segment", files[1], "--unit", "SUVbw", "--method", "suv2.5", "--out", out, *seed)
    assert code == 0, printed.err


def test_the_command_keeps_candidates_and_writes_a_label_map(capsys, files, tmp_path):
    out = tmp_path / "labels.nii.gz"
    base = ["segment", files[1], "--unit", "SUVbw", "--method", "suv2.5", "--out", out, "--json"]
    code, printed = call(capsys, *base, "--keep", "1")
    assert code == 0 and len(json.loads(printed.out)["segments"]) == 1
    labels, geometry = read_labels(out)
    assert labels.max() == 1 and geometry.shape == labels.shape


@pytest.mark.parametrize(
    "extra, code",
    [
        (["--method", "magic"], 6),
        (["--method", "suvmax41"], 2),
        (["--method", "percist"], 2),
        (["--type", "magic", "--seed", "6,-4,2"], 6),
        (["--seed", "900,0,0"], 2),
        (["--roi", "missing.nii.gz"], 3),
        (["--method", "suv2.5", "--keep", "x"], 2),
    ],
)
def test_the_command_refuses_with_the_right_code_and_leaves_nothing(capsys, files, tmp_path, extra, code):
    out = tmp_path / "x.seg.nrrd"
    assert call(capsys, "segment", *files[:2], "--unit", "HU,SUVbw", "--out", out, *extra)[0] == code
    assert not out.exists()


def test_a_segmentation_is_written_to_known_types_only(tmp_path, sources):
    found = segment(sources[1:2], "suv4", Marks(seed=CENTRE))
    for name, error in (("x.png", NotSupported), ("nowhere/x.nii.gz", UsageError)):
        with pytest.raises(error):
            save_segmentation(found, tmp_path / name)


def test_a_seed_tells_two_lesions_of_one_region_apart():
    geometry = grid((3.0, 3.0, 3.0))
    array = np.ones(geometry.shape)
    array[away(geometry, (-20, 0, 0)) <= 14] = array[away(geometry, (22, 0, 0)) <= 10] = 8
    pet = Volume(array, geometry, "PT", units.SUV_BODY_WEIGHT)
    box = BoxRegion((0, 0, 0), (80, 60, 60))
    for seed, centre, radius in (((22, 0, 0), (22, 0, 0), 10), (None, (-20, 0, 0), 14)):
        found = segment((pet,), "auto", Marks(seed=seed, region=box)).labels > 0
        assert measure_agreement(found, away(geometry, centre) <= radius, geometry).dice > 0.85


@pytest.mark.parametrize("level", [3.0, 200.0])
def test_one_click_finds_a_ball_without_noise_however_hot_it_is(level):
    geometry = grid((3.0, 3.0, 3.0))
    array = np.where(away(geometry) <= 12, level, 1.0)
    for modality, unit in (("PT", units.SUV_BODY_WEIGHT), ("MR", units.ARBITRARY)):
        found = segment((Volume(array, geometry, modality, unit),), "auto", Marks(seed=(8.0, -4.0, 2.0)))
        assert dice_of(found, 12) > 0.9


def test_a_lesion_that_goes_on_beyond_the_search_is_noted():
    geometry = upright_geometry((12, 40, 80), (4.0, 4.0, 4.0), (0, 0, 0))
    array = np.ones(geometry.shape) + np.random.default_rng(0).normal(0, 0.05, geometry.shape)
    array[4:8, 15:25, 2:78] = 6
    pet = Volume(array, geometry, "PT", units.SUV_BODY_WEIGHT)
    found = segment((pet,), "auto", Marks(seed=(160.0, 80.0, 24.0)))
    assert any("mark a region" in note for note in found.source.notes)


def test_a_case_that_does_not_line_up_is_refused_unless_forced(sources):
    ct, pet, _ = sources
    other, mine = (replace(one.source, frame_of_reference=name) for one, name in ((ct, "a"), (pet, "b")))
    case = Case([ct.with_array(ct.array, source=mine), pet.with_array(pet.array, source=other)])
    with pytest.raises(NotAligned, match="frames of reference differ"):
        mf.segment_tumour(case, "suvmax41", seed=(20.0, -4.0, 2.0))
    assert mf.segment_tumour(case, "suvmax41", seed=(20.0, -4.0, 2.0), force=True).measures[0]["suv_max"] > 5


def test_uptake_leads_in_spect_too(sources):
    ct, pet, _ = sources
    spect = Volume(pet.array * 137, pet.geometry, "NM", units.COUNTS, "SPECT")
    found = segment((ct, spect), "auto", Marks(region=BoxRegion(CENTRE, (60, 60, 60))))
    assert found.evidence["leading_modality"] == "NM" and dice_of(found) > 0.9


def test_fusing_measures_the_tumour_in_the_fused_volume_too(sources, tmp_path):
    result = mf.fuse(Case(sources), "average", tumour="auto", roi=BoxRegion(CENTRE, (60, 60, 60)))
    measures = result.tumour.measures[0]
    assert measures["suv_max"] > 5 and measures["fused"]["difference"] > 0.05
    assert [one["modality"] for one in measures["sources"]] == ["CT", "PT", "MR"]
    assert all("contrast" in one for one in measures["sources"])
    again = mf.load_result(mf.save_result(result, tmp_path / "out")).tumour
    assert again.evidence == json.loads(json.dumps(result.tumour.evidence))
    assert again.source.notes == result.tumour.source.notes and again.measures[0]["suv_peak"] == measures["suv_peak"]
