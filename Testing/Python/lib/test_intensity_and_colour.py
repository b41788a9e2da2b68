import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MedFusionLib import colour, units
from MedFusionLib.errors import UsageError
from MedFusionLib.intensity import Window, default_window, denormalise, normalise, percentile_window, preset_window
from MedFusionLib.volume import Geometry, Volume
from phantoms import head_pair, upright_geometry


def volume_of(values, modality="OT", unit=units.UNKNOWN):
    array = np.asarray(values, dtype=np.float32).reshape(1, 1, -1)
    return Volume(array, Geometry(array.shape, np.eye(4)), modality, unit, "values")


def test_ct_in_hu_and_pet_in_suv_have_fixed_windows():
    assert default_window(volume_of([-1000, 500], "CT", units.HOUNSFIELD)) == preset_window("soft-tissue")
    assert default_window(volume_of([0, 66], "PT", units.SUV_BODY_WEIGHT)) == preset_window("suv-10")


def test_pet_without_a_unit_is_never_given_a_suv_window():
    window = default_window(volume_of(np.linspace(0, 4000, 500), "PT"))
    assert window.preset.startswith("percentile")
    assert window.unit == ""
    assert window.lower == 0


def test_a_single_hot_voxel_does_not_decide_the_window():
    values = np.concatenate([np.zeros(500), np.linspace(100, 200, 1000), [1e6]])
    window = percentile_window(volume_of(values, "MR"))
    assert window.upper < 250


def test_a_constant_volume_has_no_window():
    with pytest.raises(UsageError, match="constant"):
        default_window(volume_of(np.full(50, 7.0), "MR"))


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (2.0, 1.0), (0.0, np.inf)])
def test_a_window_needs_two_finite_bounds_in_order(bounds):
    with pytest.raises(UsageError):
        Window(*bounds)


@given(st.floats(-1000, 1000), st.floats(1, 2000), st.lists(st.floats(0, 1, width=32), min_size=2, max_size=20))
def test_normalising_can_be_undone_within_the_window(lower, width, shares):
    window = Window(lower, lower + width)
    values = np.float32(lower) + np.float32(width) * np.array(shares, np.float32)
    back = denormalise(normalise(volume_of(values), window), window)
    assert np.allclose(
        back.ravel(), np.clip(values, lower, lower + width), atol=1e-3 * max(1, abs(lower) / 100, width / 100)
    )


def test_values_outside_the_window_are_clipped():
    window = Window(0, 10)
    assert normalise(volume_of([-5, 0, 5, 10, 20]), window).ravel().tolist() == [0, 0, 0.5, 1, 1]
    assert (window.width, window.level) == (10, 5)


@pytest.mark.parametrize("name", colour.table_names())
def test_every_table_starts_dark_and_gets_brighter(name):
    table = colour.lookup_table(name)
    luma = table @ colour.LUMA_WEIGHTS
    assert table.shape == (256, 3)
    assert luma[0] < 0.02
    assert luma[-1] > 0.9
    assert table.min() >= 0 and table.max() <= 1


def test_opacity_zero_shows_anatomy_only_and_one_function_only():
    anatomy, function = np.full((2, 3), 0.2), np.full((2, 3), 0.8)
    assert np.array_equal(colour.blend(anatomy, function, 0), anatomy)
    assert np.array_equal(colour.blend(anatomy, function, 1), function)
    assert np.allclose(colour.blend(anatomy, function, 0.25), 0.35)
    with pytest.raises(UsageError):
        colour.blend(anatomy, function, 1.1)


def test_the_brightness_of_a_colour_volume_is_the_fused_index():
    rng = np.random.default_rng(0)
    fused, function = rng.random((4, 5, 6)), rng.random((4, 5, 6))
    luma = colour.compose(fused, function) @ colour.LUMA_WEIGHTS / 255
    assert np.abs(luma - fused).max() < 1.5 / 255


def test_anatomy_without_uptake_stays_grey():
    rgb = colour.compose(np.full((1, 1, 4), 0.6), np.array([[[0.0, 0.05, 0.1, 0.9]]]))
    assert np.ptp(rgb[0, 0, :3].astype(int), axis=-1).max() == 0
    assert np.ptp(rgb[0, 0, 3].astype(int)) > 30


def test_colours_survive_the_way_to_ycbcr_and_back():
    rgb = np.random.default_rng(1).random((5, 3))
    assert np.allclose(colour.from_ycbcr(colour.to_ycbcr(rgb)), rgb, atol=1e-9)
    assert np.allclose(colour.to_ycbcr([1.0, 1.0, 1.0]), [1, 0, 0], atol=1e-6)


def test_replacing_the_luma_by_itself_changes_nothing():
    rgb = np.random.default_rng(2).random((5, 3))
    assert np.allclose(colour.replace_luma(rgb, rgb @ colour.LUMA_WEIGHTS), rgb, atol=1e-6)


def test_colours_of_a_palette_are_shaded_and_keep_their_hue():
    red, black = np.array([1.0, 0.2, 0.0]), np.zeros(3)
    assert np.array_equal(colour.shaded(red, 0.9, 0.9), red)
    assert np.allclose(colour.shaded(red, 0.8, 0.4), red / 2)
    assert np.allclose(colour.shaded(red, 0.6, 0.8), [1.0, 0.4, 0.2])
    assert np.allclose(colour.shaded(black, 0.0, 0.3), 0.3)


def test_replacing_the_intensity_keeps_the_differences_of_channels():
    rgb = np.array([[0.3, 0.5, 0.4]])
    brighter = colour.replace_intensity(rgb, np.array([0.6]))
    assert np.allclose(brighter.mean(), 0.6)
    assert np.allclose(np.diff(brighter), np.diff(rgb))


def test_an_unknown_table_is_refused():
    with pytest.raises(UsageError, match="pet-heat"):
        colour.lookup_table("nothing")


def test_the_phantom_is_on_the_grid_that_it_says():
    mr, pet = head_pair()
    assert mr.geometry.same_grid(upright_geometry())
    assert pet.is_functional and not mr.is_functional
