"""Metrics against values that are known in closed form or from independent public implementations."""

import numpy as np
import pytest

from MedFusionLib.metrics import METRICS, evaluate

ROWS, COLUMNS = np.mgrid[:256, :256]
RAMP = COLUMNS.astype(np.float64)
FIRST_DISK = 200.0 * ((COLUMNS - 100) ** 2 + (ROWS - 128) ** 2 < 3600)
SECOND_DISK = 120.0 * ((COLUMNS - 156) ** 2 + (ROWS - 128) ** 2 < 3600)
NAMES = ("en", "sd", "sf", "ag", "mi", "qabf", "ssim")
HALF_A_PRINTED_DIGIT = 0.5001e-4

RAMPS = {
    "first source": (RAMP, (8, 73.9003, 1, 0.7071, 8, 0.4874, 0.8325)),
    "average": ((RAMP + RAMP.T) / 2, (7.5327, 52.2554, 0.7071, 0.5, 1.4320, 0.0013, 0.8670)),
    "maximum": (np.maximum(RAMP, RAMP.T), (7.7214, 60.3395, 1, 0.7063, 6.7527, 0.4852, 0.8328)),
    "constant": (np.full((256, 256), 128.0), (0, 0, 0, 0, 0, 0.0003, 0.7886)),
}
DISKS = {
    "average": ((FIRST_DISK + SECOND_DISK) / 2, (1.2677, 49.6483, 9.9767, 0.6812, 1.3249, 0.4836, 0.8359)),
    "maximum": (np.maximum(FIRST_DISK, SECOND_DISK), (1.0983, 78.5094, 16.4912, 1.0102, 1.1554, 0.6740, 0.8611)),
    "sum": (np.minimum(FIRST_DISK + SECOND_DISK, 255), (1.2677, 87.2589, 17.6401, 1.1716, 1.3249, 0.8705, 0.8533)),
}


MORE = ("scd", "vif", "qabf_legacy", "cc", "psnr")
RAMPS_MORE = {
    "first source": (np.nan, 1.0000, 0.5939, 0.5, 10.7579),
    "average": (1.4142, 0.4876, 0.3912, 0.7071, 13.7682),
    "maximum": (1.2247, 0.9733, 0.6973, 0.6124, 10.7579),
    "constant": (0, 0, 0.2739, np.nan, 10.7577),
}
DISKS_MORE = {
    "average": (1.1121, 1.3942, 0.4833, 0.7958, 16.4949),
    "maximum": (1.6408, 1.4485, 0.6742, 0.7599, 13.4846),
    "sum": (1.9134, 1.6830, 0.8708, 0.7854, 12.7387),
}
FLOAT32 = 2e-4


@pytest.mark.parametrize("fusion", RAMPS)
def test_crossed_ramps_give_the_known_values_of_the_larger_set(fusion):
    found = evaluate([RAMP, RAMP.T], RAMPS[fusion][0], data_range=255, metrics=MORE)
    assert [found[name] for name in MORE] == pytest.approx(list(RAMPS_MORE[fusion]), abs=FLOAT32, nan_ok=True)


@pytest.mark.parametrize("fusion", DISKS)
def test_two_disks_give_the_known_values_of_the_larger_set(fusion):
    found = evaluate([FIRST_DISK, SECOND_DISK], DISKS[fusion][0], data_range=255, metrics=MORE)
    assert [found[name] for name in MORE] == pytest.approx(list(DISKS_MORE[fusion]), abs=FLOAT32)


def test_the_sum_of_two_sources_has_the_largest_sum_of_correlations_of_differences():
    found = evaluate([RAMP / 2, RAMP.T / 2], (RAMP + RAMP.T) / 2, data_range=255, metrics="scd")
    assert found["scd"] == pytest.approx(2)


def test_copies_and_averages_of_equal_images_have_no_artefacts():
    for sources, fused in (([RAMP, RAMP.T], RAMP), ([RAMP, RAMP], RAMP)):
        assert evaluate(sources, fused, data_range=255, metrics="nabf")["nabf"] == 0


@pytest.mark.parametrize("fusion", RAMPS)
def test_crossed_ramps_give_the_known_values(fusion):
    fused, expected = RAMPS[fusion]
    _agree(evaluate([RAMP, RAMP.T], fused, data_range=255), expected)


@pytest.mark.parametrize("fusion", DISKS)
def test_two_disks_give_the_known_values(fusion):
    fused, expected = DISKS[fusion]
    _agree(evaluate([FIRST_DISK, SECOND_DISK], fused, data_range=255), expected)


def test_three_times_the_same_image_reaches_the_maxima():
    found = evaluate([RAMP, RAMP], RAMP, data_range=255)
    most = 0.9994 / (1 + np.exp(-7.5)) * 0.9879 / (1 + np.exp(-4.4))
    assert found["qabf"] == pytest.approx(most, abs=1e-6)
    assert found["mi"] == pytest.approx(16)
    assert found["nmi"] == pytest.approx(2)
    assert found["ssim"] == pytest.approx(1, abs=1e-6)


def test_entropy_of_two_equal_levels_is_one_bit():
    image = np.zeros((16, 16), np.uint8)
    image[:8] = 200
    assert evaluate([image, image], image)["en"] == pytest.approx(1)


def test_an_edge_turned_upside_down_keeps_its_orientation():
    # the gradient's sign must not matter: angles are compared modulo pi
    found = evaluate([RAMP, RAMP], 255 - RAMP, data_range=255)
    assert found["qabf"] == pytest.approx(0.9748, abs=HALF_A_PRINTED_DIGIT)


def test_nearly_opposite_angles_count_as_close():
    # gradients just above and just below the vertical lie at +pi/2 and -pi/2
    steep = np.clip(ROWS * 0.9 + COLUMNS * 0.02, 0, 255)
    mirrored = np.clip(ROWS * 0.9 - COLUMNS * 0.02 + 10, 0, 255)
    assert evaluate([steep, steep], mirrored, data_range=255)["qabf"] > 0.95


def test_ssim_equals_the_usual_implementation_on_a_textured_volume():
    from skimage.metrics import structural_similarity

    first, second, fused = np.random.default_rng(3).integers(0, 256, (3, 2, 40, 56)).astype(np.uint8)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    expected = [
        structural_similarity(source[k].astype(float), fused[k].astype(float), **options)
        for source in (first, second)
        for k in range(2)
    ]
    assert evaluate([first, second], fused)["ssim"] == pytest.approx(np.mean(expected), abs=1e-6)


def test_mutual_information_equals_a_plain_joint_histogram():
    first, second, fused = np.random.default_rng(5).integers(0, 256, (3, 64, 64)).astype(np.uint8)
    expected = sum(_information(source, fused) for source in (first, second))
    assert evaluate([first, second], fused)["mi"] == pytest.approx(expected, abs=1e-9)


def test_every_metric_has_an_entry_that_says_what_it_is():
    found = evaluate([RAMP, RAMP.T], RAMP, data_range=255, metrics="all", roles=("anatomical", "functional"))
    assert list(found) == [metric.name for metric in METRICS]
    for metric in METRICS:
        assert metric.title and metric.unit and metric.definition and metric.citation
        assert metric.way in ("whole", "slices")


def _agree(found, expected):
    for name, value in zip(NAMES, expected):
        assert found[name] == pytest.approx(value, abs=HALF_A_PRINTED_DIGIT), name


def _information(first, second):
    joint = np.histogram2d(first.ravel(), second.ravel(), bins=256, range=((0, 256), (0, 256)))[0] / first.size
    outer = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    held = joint > 0
    return float((joint[held] * np.log2(joint[held] / outer[held])).sum())
