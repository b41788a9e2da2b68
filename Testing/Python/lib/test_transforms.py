import numpy as np
import pytest
import pywt
import torch
from scipy import ndimage

from MedFusionLib.errors import UsageError
from MedFusionLib.transforms.laplacian import LaplacianPyramid, double, halve
from MedFusionLib.transforms.sampling import plan_decimation
from MedFusionLib.transforms.wavelet import WaveletTransform

KERNEL = np.array([1, 4, 6, 4, 1]) / 16
SHAPES = [(37, 23), (64, 64), (5, 4), (9, 31, 20), (1, 16, 17)]


def transforms_for(shape):
    plan = plan_decimation(shape, [1.0] * len(shape), 4)
    return [
        LaplacianPyramid(plan, len(shape)),
        WaveletTransform(plan, len(shape), "bior4.4"),
        WaveletTransform(plan, len(shape), "db2"),
    ]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_transform_gives_back_what_it_got(shape):
    image = torch.from_numpy(np.random.default_rng(0).random((2, 3, *shape), dtype=np.float32))
    for transform in transforms_for(shape):
        assert (transform.synthesise(transform.analyse(image), shape) - image).abs().max() < 1e-5


@pytest.mark.parametrize("shape", SHAPES)
def test_synthesis_is_linear_so_that_parts_add_up(shape):
    rng = np.random.default_rng(1)
    first, second = (torch.from_numpy(rng.random(shape, dtype=np.float32)) for _ in range(2))
    for transform in transforms_for(shape):
        bands = [a + b for a, b in zip(transform.analyse(first), transform.analyse(second))]
        assert (transform.synthesise(bands, shape) - (first + second)).abs().max() < 1e-5


@pytest.mark.parametrize("length", range(1, 18))
def test_halving_smooths_with_the_five_tap_kernel_at_mirrored_borders(length):
    values = np.random.default_rng(length).random((length, 3))
    if length == 1:
        expected = values
    else:
        expected = ndimage.correlate1d(values, KERNEL, axis=0, mode="mirror")[::2]
    if length > 1:
        assert np.allclose(halve(torch.from_numpy(values), -2).numpy(), expected)


@pytest.mark.parametrize("length", range(2, 18))
def test_doubling_interpolates_with_the_same_kernel(length):
    values = np.random.default_rng(length).random(((length + 1) // 2, 3))
    spread = np.zeros((length, 3))
    spread[::2] = values
    expected = ndimage.correlate1d(spread, 2 * KERNEL, axis=0, mode="mirror")
    assert np.allclose(double(torch.from_numpy(values), -2, length).numpy(), expected)


@pytest.mark.parametrize("wavelet", ["db1", "db2", "bior4.4", "sym5", "rbio2.2"])
def test_wavelet_coefficients_equal_those_of_pywavelets(wavelet):
    image = np.random.default_rng(2).random((33, 40))
    ours = WaveletTransform(((0, 1), (0, 1)), 2, wavelet).analyse(torch.from_numpy(image))
    approximation, coarse, fine = pywt.wavedec2(image, wavelet, mode="symmetric", level=2)
    # PyWavelets lists horizontal (low, high on axes 0, 1 swapped), vertical, diagonal
    expected = [fine[1], fine[0], fine[2], coarse[1], coarse[0], coarse[2], approximation]
    for band, other in zip(ours, expected):
        assert np.allclose(band.numpy(), other, atol=1e-9)


def test_a_constant_has_no_detail():
    image = torch.full((20, 24), 0.7)
    for transform in transforms_for((20, 24)):
        assert all(band.abs().max() < 1e-5 for band in transform.analyse(image)[:-1])


def test_thick_slices_wait_until_voxels_are_nearly_cubic():
    plan = plan_decimation((40, 256, 256), (3.27, 0.977, 0.977), 4)
    assert plan == ((1, 2), (1, 2), (0, 1, 2), (0, 1, 2))
    assert LaplacianPyramid(plan, 3).alignment == (4, 16, 16)


def test_short_axes_are_left_alone():
    assert plan_decimation((3, 64), (1, 1), 3) == ((1,), (1,), (1,))
    assert plan_decimation((2, 3), (1, 1), 3) == ()


def test_an_unknown_wavelet_is_refused():
    with pytest.raises(UsageError, match="haarlem"):
        WaveletTransform(((0, 1),), 2, "haarlem").analyse(torch.zeros(8, 8))
