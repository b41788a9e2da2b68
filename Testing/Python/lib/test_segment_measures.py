"""Measures of lesions against what is known exactly, and agreement between masks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from MedFusionLib import units
from MedFusionLib.align import resample_labels_to
from MedFusionLib.errors import NotSupported, UsageError
from MedFusionLib.segment import (
    carry_labels,
    carry_segmentation,
    close_mask,
    combine,
    contrast,
    fill_holes,
    keep_islands,
    measure_agreement,
    measure_lesions,
    segmentation_from_labels,
    smooth_mask,
    total_of,
)
from MedFusionLib.segment.measures import UNITS
from MedFusionLib.segment.peak import SPHERE_RADIUS_MM, peak_mean
from MedFusionLib.volume import Geometry, Volume
from phantoms import oblique_geometry, upright_geometry

MASKS = hnp.arrays(bool, (6, 7, 8))


def distances(geometry: Geometry, centre) -> np.ndarray:
    k, j, i = np.indices(geometry.shape)
    return np.linalg.norm(geometry.to_ras(np.stack([i, j, k], axis=-1)) - np.asarray(centre), axis=-1)


def sphere(radius=10.0, spacing=(1.0, 1.0, 1.0), centre=(0.3, -0.2, 0.4), shape=(40, 40, 40)):
    geometry = upright_geometry(shape, spacing, tuple(-s * (n - 1) / 2 for s, n in zip(spacing, shape[::-1])))
    return distances(geometry, centre) <= radius, geometry


def measured(mask, geometry, *sources):
    return measure_lesions(
        segmentation_from_labels(mask.view(np.uint8), geometry), sources, resample_labels_to
    ).measures


def test_a_sphere_has_its_volume_surface_and_diameters():
    mask, geometry = sphere()
    found = measured(mask, geometry)[0]
    assert found["volume_ml"] == pytest.approx(4 / 3 * np.pi, rel=0.01)
    assert found["surface_cm2"] == pytest.approx(4 * np.pi, rel=0.02)
    for key in ("longest_3d_mm", "axial_long_mm", "axial_short_mm"):
        assert found[key] == pytest.approx(20, abs=1.0)
    assert found["centroid_ras_mm"] == pytest.approx((0.3, -0.2, 0.4), abs=0.1)


def test_a_box_has_its_diagonals_as_diameters():
    geometry = upright_geometry((20, 20, 20), (2.0, 1.0, 3.0), (0, 0, 0))
    mask = np.zeros(geometry.shape, bool)
    mask[4:8, 3:15, 5:11] = True
    found = measured(mask, geometry)[0]
    # points lie on the faces' middles: half a voxel short of the corners on two of three sides
    assert found["longest_3d_mm"] == pytest.approx(np.linalg.norm((12 - 2, 12, 12 - 3)), rel=0.1)
    assert found["axial_long_mm"] == pytest.approx(np.hypot(12, 12), rel=0.1)


def test_two_islands_in_a_slice_never_make_one_axial_diameter():
    geometry = upright_geometry((5, 20, 60), (1.0, 1.0, 1.0), (0, 0, 0))
    mask = np.zeros(geometry.shape, bool)
    mask[2, 5:9, 2:6] = mask[2, 5:9, 50:58] = True
    found = measured(mask, geometry)[0]
    assert found["axial_long_mm"] < 10 < 50 < found["longest_3d_mm"]


@pytest.mark.parametrize("seed", range(3))
def test_diameters_do_not_depend_on_how_the_grid_lies(seed):
    upright = upright_geometry((24, 26, 28), (1.5, 1.5, 1.5), (0, 0, 0))
    rotation = oblique_geometry(seed).directions
    turned = np.eye(4)
    turned[:3, :3] = rotation * 1.5
    mask = distances(upright, (18, 18, 18)) <= 12
    for key, tolerance in (("longest_3d_mm", 1e-6), ("volume_ml", 1e-9), ("surface_cm2", 1e-6)):
        straight, oblique = (measured(mask, g)[0][key] for g in (upright, Geometry(upright.shape, turned)))
        assert oblique == pytest.approx(straight, rel=tolerance)


def test_statistics_agree_with_simpleitk():
    import SimpleITK as sitk

    mask, geometry = sphere(7.0, (2.0, 2.0, 3.0), shape=(20, 20, 20))
    values = np.random.default_rng(3).gamma(3.0, 1.0, geometry.shape).astype(np.float32)
    found = measured(mask, geometry, Volume(values, geometry, "PT", units.SUV_BODY_WEIGHT))[0]
    statistics = sitk.LabelStatisticsImageFilter()
    statistics.Execute(sitk.GetImageFromArray(values), sitk.GetImageFromArray(mask.view(np.uint8)))
    assert found["suv_max"] == pytest.approx(statistics.GetMaximum(1), rel=1e-6)
    assert found["suv_mean"] == pytest.approx(statistics.GetMean(1), rel=1e-6)
    assert found["suv_sd"] == pytest.approx(statistics.GetSigma(1), rel=1e-6)
    assert found["sources"][0]["min"] == pytest.approx(statistics.GetMinimum(1), rel=1e-6)
    assert found["sources"][0]["voxels"] == statistics.GetCount(1)
    assert found["suv_median"] == pytest.approx(np.median(values[mask]), rel=1e-6)
    assert found["tlg_g"] == pytest.approx(values[mask].sum(dtype=np.float64) * 0.012, rel=1e-6)
    assert found["mtv_ml"] == pytest.approx(statistics.GetCount(1) * 0.012)


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (4.0, 4.0, 4.0), (4.7, 4.7, 3.3)])
@pytest.mark.parametrize("centre", [(0.0, 0.0, 0.0), (1.3, -0.9, 0.7)])
def test_suv_peak_is_the_mean_in_an_analytic_sphere_within_two_percent(spacing, centre):
    shape = tuple(int(60 / s) | 1 for s in spacing[::-1])
    geometry = upright_geometry(shape, spacing, tuple(-s * (n - 1) / 2 for s, n in zip(spacing, shape[::-1])))
    squared = distances(geometry, centre) ** 2
    parabola = Volume(10 - 0.02 * squared, geometry, "PT", units.SUV_BODY_WEIGHT)
    value, place = peak_mean(parabola, squared <= 100)
    assert value == pytest.approx(10 - 0.02 * 0.6 * SPHERE_RADIUS_MM**2, rel=0.02)
    assert np.linalg.norm(np.subtract(place, centre)) < 1.0
    uniform = Volume(np.where(squared <= 15**2, 8.0, 1.0), geometry, "PT", units.SUV_BODY_WEIGHT)
    assert peak_mean(uniform, squared <= 15**2)[0] == pytest.approx(8, rel=0.02)


def test_suv_peak_never_exceeds_the_maximum_and_may_reach_beyond_a_small_lesion():
    mask, geometry = sphere(3.0, (2.0, 2.0, 2.0), shape=(20, 20, 20))
    volume = Volume(np.where(mask, 9.0, 1.0), geometry, "PT", units.SUV_BODY_WEIGHT)
    value, _ = peak_mean(volume, mask)
    assert 1 < value < 3
    noise = volume.with_array(np.random.default_rng(0).gamma(2, 1, geometry.shape))
    assert peak_mean(noise, np.ones(geometry.shape, bool))[0] < noise.array.max()


def test_suv_peak_at_the_edge_of_the_image_counts_what_is_inside():
    geometry = upright_geometry((10, 10, 10), (3.0, 3.0, 3.0), (0, 0, 0))
    volume = Volume(np.full(geometry.shape, 4.0), geometry, "PT", units.SUV_BODY_WEIGHT)
    corner = np.zeros(geometry.shape, bool)
    corner[0, 0, 0] = True
    assert peak_mean(volume, corner)[0] == pytest.approx(4)


def test_contrast_is_against_ten_millimetres_around_without_other_lesions():
    mask, geometry = sphere(6.0, (2.0, 2.0, 2.0))
    far = distances(geometry, (0.3, -0.2, 0.4))
    values = np.where(mask, 5.0, np.where(far <= 16, np.where(far < 11, 1.0, 2.0), 100.0))
    volume = Volume(values, geometry, "PT", units.SUV_BODY_WEIGHT)
    found = contrast(volume, mask)
    assert 1 < found["shell_mean"] < 2 and found["difference"] == pytest.approx(5 - found["shell_mean"])
    assert found["cnr"] == pytest.approx(found["difference"] / found["shell_sd"])
    other = (far >= 11) & ~mask
    assert contrast(volume, mask, other)["shell_mean"] == 1 and contrast(volume, mask, other)["cnr"] is None


def test_totals_add_up():
    mask, geometry = sphere(6.0, (2.0, 2.0, 2.0))
    labels = np.where(mask, np.where(np.arange(40) < 20, 1, 2), 0).astype(np.uint8)
    volume = Volume(np.where(mask, 5.0, 1.0), geometry, "PT", units.SUV_BODY_WEIGHT)
    measures = measure_lesions(segmentation_from_labels(labels, geometry), [volume], resample_labels_to).measures
    total = total_of(measures)
    assert total["lesions"] == 2
    assert total["volume_ml"] == pytest.approx(mask.sum() * 0.008)
    assert total["tlg_g"] == pytest.approx(5 * mask.sum() * 0.008) and total["suv_mean"] == pytest.approx(5)
    assert set(measures[0]) - {"name", "sources"} <= set(UNITS)


def test_shifted_cubes_have_the_known_agreement():
    first = np.zeros((30, 30, 30), bool)
    first[5:15, 5:15, 5:15] = True
    geometry = upright_geometry((30, 30, 30), (1.0, 1.0, 2.0))
    found = measure_agreement(np.roll(first, 5, axis=0), first, geometry)
    assert (found.dice, found.jaccard) == (0.5, pytest.approx(1 / 3))
    assert (found.hd_mm, found.hd95_mm, found.volume_error) == (10, 10, 0)
    assert measure_agreement(first, first, geometry, tolerance_mm=0).nsd == 1


def test_empty_masks_have_stated_values():
    empty, full = np.zeros((4, 4, 4), bool), np.ones((4, 4, 4), bool)
    geometry = upright_geometry((4, 4, 4))
    both = measure_agreement(empty, empty, geometry)
    assert (both.dice, both.nsd) == (1, 1) and np.isnan(both.hd95_mm)
    one = measure_agreement(full, empty, geometry)
    assert (one.dice, one.nsd, one.hd95_mm) == (0, 0, np.inf) and one.as_json()["hd95_mm"] is None


def test_masks_on_different_grids_are_refused():
    mask = np.ones((4, 4, 4), bool)
    geometry = upright_geometry((4, 4, 4))
    with pytest.raises(UsageError, match="first voxel lies"):
        measure_agreement(mask, mask, geometry, reference_geometry=upright_geometry((4, 4, 4), origin=(0, 0, 0)))
    with pytest.raises(UsageError, match="different grids"):
        measure_agreement(mask, mask[:2], geometry)


@settings(max_examples=30, deadline=None)
@given(MASKS, MASKS)
def test_agreement_is_symmetric_where_it_should_be(first, second):
    geometry = upright_geometry((6, 7, 8))
    a, b = measure_agreement(first, second, geometry), measure_agreement(second, first, geometry)
    assert a.dice == b.dice and a.nsd == pytest.approx(b.nsd)
    np.testing.assert_allclose([a.hd_mm, a.hd95_mm, a.assd_mm], [b.hd_mm, b.hd95_mm, b.assd_mm])
    assert np.isnan(a.hd_mm) or a.hd95_mm <= a.hd_mm
    assert a.jaccard == pytest.approx(a.dice / (2 - a.dice))


def test_nearest_labels_are_those_of_the_resampler():
    mask, geometry = sphere(9.0, (4.0, 4.0, 3.0), shape=(14, 14, 14))
    target = upright_geometry((50, 40, 42), (1.1, 1.3, 0.9), (-20, -21, -22))
    expected = resample_labels_to(mask.view(np.uint8), geometry, target)
    np.testing.assert_array_equal(carry_labels(mask.view(np.uint8), geometry, target), expected)


def test_a_contour_carried_by_its_shape_is_nearer_to_the_truth_than_by_the_nearest_voxel():
    mask, coarse = sphere(12.0, (4.0, 4.0, 4.0), shape=(16, 16, 16))
    fine = upright_geometry((60, 60, 60), (1.0, 1.0, 1.0), (-30, -30, -30))
    truth = distances(fine, (0.3, -0.2, 0.4)) <= 12
    dice = {
        way: measure_agreement(carry_labels(mask.view(np.uint8), coarse, fine, way=way) > 0, truth, fine).dice
        for way in ("nearest", "shape")
    }
    assert dice["shape"] > dice["nearest"] + 0.02 and dice["shape"] > 0.9
    with pytest.raises(NotSupported):
        carry_labels(mask.view(np.uint8), coarse, fine, way="magic")


def test_a_carried_segmentation_keeps_its_names_and_drops_its_measures():
    mask, geometry = sphere(9.0, (4.0, 4.0, 3.0), shape=(14, 14, 14))
    found = measure_lesions(segmentation_from_labels(mask.view(np.uint8), geometry), [], resample_labels_to)
    carried = carry_segmentation(found, upright_geometry((30, 30, 30), origin=(-30, -30, -36)))
    assert carried.segments == found.segments and carried.measures == () and carried.labels.any()


@settings(max_examples=25, deadline=None)
@given(MASKS, st.floats(0, 6))
def test_smoothing_keeps_the_number_of_voxels(mask, width):
    assert smooth_mask(mask, upright_geometry((6, 7, 8)), width_mm=width).sum() == mask.sum()


@settings(max_examples=25, deadline=None)
@given(MASKS, MASKS)
def test_combining_follows_the_sets(first, second):
    whole = combine(first, second, "union").sum()
    assert whole == first.sum() + combine(second, first, "difference").sum()
    assert combine(first, second, "exclusive").sum() == whole - combine(first, second, "intersection").sum()


def test_masks_are_filled_closed_and_freed_of_islands():
    mask, geometry = sphere(10.0)
    hollow = mask & ~sphere(5.0)[0]
    np.testing.assert_array_equal(fill_holes(hollow), mask)
    cut = mask.copy()
    cut[:, :, 19:21] = False
    assert close_mask(cut, geometry, radius_mm=3).sum() > 0.98 * mask.sum()
    speckled = mask.copy()
    speckled[0, 0, 0] = speckled[1:4, 1:4, 1:4] = True
    np.testing.assert_array_equal(keep_islands(speckled, geometry, most=1), mask)
    assert keep_islands(speckled, geometry, smallest_ml=0.01).sum() == mask.sum() + 28
    np.testing.assert_array_equal(keep_islands(speckled, geometry, smallest_ml=0.1), mask)
    with pytest.raises(UsageError):
        smooth_mask(mask, geometry, width_mm=-1)
    with pytest.raises(UsageError, match="one grid"):
        combine(mask, mask[:3], "union")


def test_empty_masks_pass_through():
    empty, geometry = np.zeros((6, 6, 6), bool), upright_geometry((6, 6, 6))
    assert not fill_holes(empty).any() and not close_mask(empty, geometry, radius_mm=5).any()
    assert not smooth_mask(empty, geometry, width_mm=2).any() and not keep_islands(empty, geometry, most=1).any()
