import numpy as np
import pytest

from MedFusionLib import units
from MedFusionLib.align import resample_labels_to
from MedFusionLib.engine import EngineOptions, choose_mode, run
from MedFusionLib.errors import NotSupported, UsageError
from MedFusionLib.methods.catalogue import create_method, methods
from MedFusionLib.segment import measure_lesions, parse_threshold, segmentation_from_labels, threshold_segmentation
from MedFusionLib.segmentation import MASS, Segment, Segmentation
from MedFusionLib.trust import contribution_map, foreground_of, invention_map, invention_summary
from MedFusionLib.volume import Volume
from phantoms import head_pair, noise_stack, upright_geometry

NAMES = [info.name for info in methods()]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [2, 3])
def test_shares_sum_to_one_in_the_foreground_and_vanish_outside(name, count):
    stack = noise_stack((count, 12, 20, 18))
    stack[:, :, :, :6] = 0
    method = create_method(name)
    mode = choose_mode("auto", method.info.dims, stack.shape[1:])
    output = run(method, stack, options=EngineOptions(mode, with_parts=True))
    foreground = foreground_of(stack)
    shares = contribution_map(output.parts, foreground)
    assert shares.min() >= 0
    assert np.abs(shares.sum(axis=0)[foreground] - 1).max() < 1e-5
    assert not shares[:, ~foreground].any()


def test_the_share_of_the_only_source_with_content_is_one():
    stack = np.zeros((2, 8, 8, 8), np.float32)
    stack[1] = 0.5
    for name in ("average", "maximum"):
        output = run(create_method(name), stack, options=EngineOptions(with_parts=True))
        shares = contribution_map(output.parts, foreground_of(stack))
        assert np.allclose(shares[1], 1)


def test_shares_do_not_leak_across_slices_in_slice_mode():
    parts = np.zeros((2, 3, 5, 5), np.float32)
    parts[0, 0], parts[1, 1:] = 1, 1
    shares = contribution_map(parts, np.ones((3, 5, 5), bool), slice_axis=0)
    assert np.array_equal(np.unique(shares), [0, 1])


def test_selecting_and_averaging_invent_nothing():
    stack = noise_stack((2, 10, 12, 14))
    for name in ("average", "weighted", "maximum", "pca"):
        fused = run(create_method(name), stack).fused
        assert invention_map(fused, stack).max() < 1e-6


def test_a_planted_blob_is_found_where_it_is_and_as_high_as_it_is():
    stack = np.full((2, 9, 9, 9), 0.3, np.float32)
    fused = stack[0].copy()
    fused[4, 4, 4] = 0.8
    invention = invention_map(fused, stack)
    assert invention[4, 4, 4] == pytest.approx(0.5, abs=1e-6)
    # the voxel itself, and the edges that it makes for its six neighbours
    assert np.count_nonzero(invention > 1e-6) == 7
    summary = invention_summary(invention, np.ones_like(fused, bool))
    assert summary["fraction"] == pytest.approx(7 / 729)


def test_the_envelope_reaches_one_voxel_and_in_slice_mode_not_to_the_next_slice():
    stack = np.zeros((2, 3, 5, 5), np.float32)
    stack[0, 1, 2, 2] = 1
    fused = np.zeros((3, 5, 5), np.float32)
    fused[0, 2, 2] = fused[1, 2, 3] = 1
    within = invention_map(fused, stack)
    assert within[0, 2, 2] == 0 and within[1, 2, 3] == 0
    across = invention_map(fused, stack, slice_axis=0)
    assert across[0, 2, 2] == 1 and across[1, 2, 3] == 0


def test_an_empty_foreground_has_no_invention():
    assert invention_summary(np.ones((2, 2, 2)), np.zeros((2, 2, 2), bool))["fraction"] == 0


def test_labels_become_masses_and_never_neoplasms():
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[1, 1, 1], labels[2, 2, 2] = 1, 4
    found = segmentation_from_labels(labels, upright_geometry((4, 4, 4)), names={4: "rim"})
    assert [(s.label, s.name, s.type_code) for s in found.segments] == [(1, "Lesion 1", MASS), (4, "rim", MASS)]
    with pytest.raises(UsageError, match="empty"):
        segmentation_from_labels(labels * 0, upright_geometry((4, 4, 4)))


def test_a_segmentation_must_name_every_label():
    with pytest.raises(UsageError, match="no segment"):
        Segmentation(np.full((2, 2, 2), 3), upright_geometry((2, 2, 2)), (Segment(1, "one"),))


@pytest.mark.parametrize(
    "name, value, relative", [("suv2.5", 2.5, False), ("suvmax41", 0.41, True), ("suv4", 4, False)]
)
def test_threshold_names(name, value, relative):
    rule = parse_threshold(name)
    assert (rule.value, rule.is_relative, rule.name) == (pytest.approx(value), relative, name)


@pytest.mark.parametrize("name", ["magic", "suv", "suvmax", "suv-3"])
def test_other_names_are_not_supported(name):
    with pytest.raises(NotSupported):
        parse_threshold(name)
    with pytest.raises(UsageError):
        parse_threshold("suvmax100")


def hot_ball(radius_mm=8.0, peak=10.0):
    """A ball of SUV `peak` at RAS 0, 0, 0 in a background of SUV 1."""
    geometry = upright_geometry((24, 32, 28))
    k, j, i = np.indices(geometry.shape)
    distance = np.linalg.norm(geometry.to_ras(np.stack([i, j, k], axis=-1)), axis=-1)
    array = np.where(distance <= radius_mm, peak, 1.0)
    return Volume(array, geometry, "PT", units.SUV_BODY_WEIGHT, "ball"), distance <= radius_mm


def test_a_relative_threshold_without_region_or_seed_is_refused():
    volume, _ = hot_ball()
    with pytest.raises(UsageError, match="usually not the tumour"):
        threshold_segmentation(volume, parse_threshold("suvmax41"))


def test_thresholds_find_the_ball_from_a_seed_and_in_a_region():
    volume, ball = hot_ball()
    for name in ("suvmax41", "suv2.5"):
        found = threshold_segmentation(volume, parse_threshold(name), seed=(9.0, 0.0, 0.0))
        assert np.array_equal(found.labels > 0, ball)
    region = np.zeros(ball.shape, bool)
    region[:, :, 14:] = True
    found = threshold_segmentation(volume, parse_threshold("suvmax41"), region=region)
    assert np.array_equal(found.labels > 0, ball & region)
    assert "to be reviewed" in found.source.notes[0]


def test_a_seed_far_from_uptake_or_outside_is_refused():
    volume, _ = hot_ball()
    with pytest.raises(UsageError, match="within 15 mm"):
        threshold_segmentation(volume, parse_threshold("suv2.5"), seed=(-26.0, 25.0, 25.0))
    with pytest.raises(UsageError, match="outside"):
        threshold_segmentation(volume, parse_threshold("suv2.5"), seed=(500.0, 0.0, 0.0))


def test_a_seeded_lesion_that_runs_into_hotter_tissue_is_refused():
    volume, _ = hot_ball(peak=5.0)
    array = volume.array.copy()
    array[12, 16, :] = 6.0
    array[12, 16, 27] = 30.0
    joined = volume.with_array(array)
    with pytest.raises(UsageError, match="hotter tissue"):
        threshold_segmentation(joined, parse_threshold("suvmax41"), seed=(0.0, 0.0, 0.0))


def test_only_suv_is_thresholded():
    volume, _ = hot_ball()
    for other in (
        Volume(volume.array, volume.geometry, "PT", units.BECQUEREL_PER_ML),
        Volume(volume.array, volume.geometry, "PT"),
        Volume(volume.array, volume.geometry, "MR", units.ARBITRARY),
    ):
        with pytest.raises(UsageError, match="PET in SUVbw"):
            threshold_segmentation(other, parse_threshold("suv2.5"))


def test_nothing_above_the_threshold_says_what_the_highest_is():
    volume, _ = hot_ball()
    with pytest.raises(UsageError, match=r"highest is 10\.00"):
        threshold_segmentation(volume, parse_threshold("suv50"))


def test_measures_come_from_native_grids():
    mr, _ = head_pair()
    coarse = upright_geometry((12, 16, 14), (4.0, 4.0, 5.0), (-27.0, -31.0, -28.75))
    native = Volume(np.arange(coarse.number_of_voxels).reshape(coarse.shape), coarse, "PT", units.SUV_BODY_WEIGHT)
    labels = np.zeros(coarse.shape, np.uint8)
    labels[3:5, 4:6, 5:7] = 1
    found = measure_lesions(segmentation_from_labels(labels, coarse), [mr, native], resample_labels_to)
    measures = found.measures[0]
    inside = native.array[labels == 1]
    assert measures["volume_ml"] == pytest.approx(8 * 4 * 4 * 5 / 1000)
    assert measures["suv_max"] == inside.max()
    assert measures["suv_mean"] == pytest.approx(inside.mean(), rel=1e-6)
    assert measures["tlg_g"] == pytest.approx(inside.mean() * measures["volume_ml"], rel=1e-6)
    assert [s["modality"] for s in measures["sources"]] == ["MR", "PT"]
    assert measures["sources"][0]["voxels"] == 64
    assert measures["centroid_ras_mm"] == pytest.approx(coarse.to_ras([5.5, 4.5, 3.5]).tolist())
