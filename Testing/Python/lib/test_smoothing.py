"""Windows, smoothers and denoisers against what SciPy and the definitions say."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from MedFusionLib.transforms.filters import box_mean, gaussian, per_axis
from MedFusionLib.transforms.frequency import extended_lengths
from MedFusionLib.transforms.phase_congruency import phase_congruency
from MedFusionLib.transforms.smoothing import (
    frequency_base,
    guided_filter,
    l0_smoothing,
    rolling_guidance,
    squared_gradient,
    tikhonov,
)
from MedFusionLib.transforms.total_variation import TotalGeneralisedVariation, derivative_matrix, noise_level


def noise(shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random(shape, dtype=np.float32))


@pytest.mark.parametrize("radius", [1, 2, 3, 4, 11, 60])
def test_a_box_takes_the_mean_of_what_lies_inside(radius):
    image = noise((40, 33))
    window = np.ones((2 * radius + 1,) * 2)
    inside = ndimage.convolve(np.ones(image.shape), window, mode="constant")
    expected = ndimage.convolve(image.double().numpy(), window, mode="constant") / inside
    assert np.allclose(box_mean(image, radius, 2), expected, atol=1e-6)


def test_a_box_may_have_another_size_on_every_axis():
    image = noise((9, 20, 20))
    assert torch.allclose(box_mean(image, (0, 3, 0), 3), box_mean(image.movedim(1, 2), 3, 1).movedim(2, 1), atol=1e-6)
    assert per_axis(45, (3.0, 1.0, 1.0)) == (15, 45, 45)


def test_the_gaussian_is_that_of_scipy():
    image = noise((31, 40))
    expected = ndimage.gaussian_filter(image.numpy(), 2, mode="nearest", truncate=3)
    assert np.allclose(gaussian(image, 2.0, 2), expected, atol=1e-5)


def test_the_guided_filter_keeps_the_edges_of_its_guide_and_flattens_noise():
    step = torch.zeros(40, 40)
    step[:, 20:] = 1.0
    noisy = step + 0.05 * torch.randn(40, 40, generator=torch.Generator().manual_seed(0))
    smooth = guided_filter(noisy, noisy, 4, 0.05**2 * 4, 2)
    assert (smooth[:, 2:14] - step[:, 2:14]).std() < 0.025
    assert (smooth[:, 21] - smooth[:, 18]).mean() > 0.9
    assert (guided_filter(step, step, 4, 1e-9, 2) - step).abs().max() < 1e-4


def test_rolling_guidance_removes_small_spots_and_keeps_large_edges():
    image = torch.zeros(64, 64)
    image[:, 32:] = 1.0
    spots = image.clone()
    spots[8:56:8, 8:24:8] = 0.6
    smooth = rolling_guidance(spots, 3.0, 0.01, 2)
    assert smooth[8:56:8, 8:24:8].max() < 0.2
    assert (smooth[:, 36] - smooth[:, 27]).min() > 0.7


def test_tikhonov_solves_its_equation():
    image = noise((36, 30))
    base = tikhonov(image, 5.0, (1.0, 1.0), (36, 30)).double()
    laplacian = sum(base.roll(1, a) + base.roll(-1, a) - 2 * base for a in (0, 1))
    assert (base - 5.0 * laplacian - image).abs().max() < 1e-5


def test_a_frequency_base_halves_its_cutoff():
    x = torch.arange(64.0)
    wave = torch.cos(2 * np.pi * 0.125 * x).expand(64, 64)
    base = frequency_base(wave, 0.125, (1.0, 1.0), (64, 64))
    assert torch.allclose(base, wave / 2, atol=1e-5)


def test_l0_smoothing_flattens_noise_and_keeps_a_step():
    step = torch.zeros(1, 48, 48)
    step[..., 24:] = 0.8
    noisy = step + 0.02 * torch.randn(step.shape, generator=torch.Generator().manual_seed(0))
    smooth = l0_smoothing(noisy, 0.02, (1.0, 1.0), extended_lengths(noisy, 2, 16))
    assert (smooth[..., 2:20]).std() < 0.005
    assert smooth[..., 28:44].mean() - smooth[..., 4:20].mean() == pytest.approx(0.8, abs=0.03)


def test_the_gradient_window_is_that_of_forward_differences():
    image = noise((12, 10)).double()
    energy = sum((image.roll(-1, a) - image).square().sum() for a in (0, 1))
    window = squared_gradient((1, 1), (12, 10))
    spectrum = torch.fft.rfft2(image).abs().square() * window
    twice = torch.full((6,), 2.0, dtype=torch.float64)
    twice[[0, -1]] = 1
    assert float((spectrum * twice).sum() / 120) == pytest.approx(float(energy))


@pytest.mark.parametrize("order", [1.0, 1.2, 1.7])
def test_a_constant_has_no_derivative_of_any_order(order):
    assert np.abs(derivative_matrix(30, order) @ np.ones(30)).max() < 1e-12


def test_order_one_is_the_plain_difference():
    values = np.random.default_rng(0).random(20)
    assert np.allclose((derivative_matrix(20, 1.0) @ values)[1:], np.diff(values))


def test_total_generalised_variation_converges():
    image = noise((16, 14)).double()
    steps = [TotalGeneralisedVariation(4.0, order=1.0, steps=n).denoise(image, (1, 1)) for n in (200, 1500, 3000)]
    assert (steps[1] - steps[2]).abs().mean() < 0.5 * (steps[0] - steps[2]).abs().mean()


def test_a_ramp_with_noise_becomes_a_ramp_without_stairs():
    ramp = torch.linspace(0, 1, 48).double().expand(32, 48)
    noisy = ramp + 0.05 * torch.randn(32, 48, generator=torch.Generator().manual_seed(0)).double()
    smooth = TotalGeneralisedVariation(1 / 0.05, order=1.0, steps=400).denoise(noisy, (1, 1))
    assert (smooth - ramp).square().mean().sqrt() < 0.02
    steps = smooth[:, 4:-4].diff(dim=1)
    assert steps.std() < 0.5 * steps.mean()


@pytest.mark.parametrize("sigma", [2, 10, 40])
def test_the_noise_level_is_found_in_smooth_images_and_not_in_empty_background(sigma):
    y, x = np.mgrid[:128, :128]
    clean = 120 + 50 * np.sin(x / 15) * np.cos(y / 20)
    noisy = clean + np.random.default_rng(0).normal(0, sigma, clean.shape)
    noisy[:60] = 0
    assert float(noise_level(torch.from_numpy(noisy), 2)) == pytest.approx(sigma, rel=0.1)
    assert float(noise_level(torch.zeros(1, 32, 32), 2)) == 0


def test_phase_congruency_is_high_at_edges_of_any_contrast_and_low_elsewhere():
    image = torch.zeros(64, 96)
    image[:, 32:] = 0.1
    image[:, 64:] = 1.0
    found = phase_congruency(image, 2)[8:-8]
    assert found[:, 31:33].max(dim=1).values.min() > 0.5
    assert found[:, 63:65].max(dim=1).values.min() > 0.5
    assert found[:, 45:52].max() < 0.2
    assert found.min() >= 0 and found.max() <= 1


def test_phase_congruency_works_in_space():
    volume = torch.zeros(24, 24, 24)
    volume[12:] = 0.5
    found = phase_congruency(volume, 3)
    assert found[11:13, 8:16, 8:16].amax(dim=0).min() > 0.4
    assert found[4:8, 8:16, 8:16].max() < 0.2


def ball(spacing):
    """A soft ball of 20 mm in noise-free space, sampled at some spacing in mm."""
    axes = [(np.arange(round(64 / step)) + 0.5) * step - 32 for step in spacing]
    distance = np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij")))
    return torch.from_numpy(1 / (1 + np.exp((distance - 20) / 2))).float()


def lengths_for(volume):
    return extended_lengths(volume[None], 3, 16)


SPLITS = {
    "tikhonov": lambda v, mm: tikhonov(v, 30.0, mm, lengths_for(v)),
    "frequency": lambda v, mm: frequency_base(v, 0.08, mm, lengths_for(v)),
    "guided": lambda v, mm: guided_filter(v, v, per_axis(8, mm), 0.01, 3),
    "rolling": lambda v, mm: rolling_guidance(v, [3 * min(mm) / step for step in mm], 0.01, 3, radius=per_axis(4, mm)),
    "variation": lambda v, mm: TotalGeneralisedVariation(2.0, order=1.0, steps=60).denoise(v, mm),
}


@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
def test_a_split_of_a_volume_follows_millimetres_not_slices(split):
    cubic, thick = (2.0, 2.0, 2.0), (4.0, 2.0, 2.0)
    thin = split(ball(cubic), cubic)
    wanted = (thin[::2] + thin[1::2]) / 2
    apart = (split(ball(thick), thick) - wanted).abs().mean()
    assert apart < 0.003
    assert apart < 0.5 * (split(ball(thick), cubic) - wanted).abs().mean()


def test_l0_smoothing_keeps_edges_and_flattens_noise_in_thick_slices():
    clean = (ball((4.0, 2.0, 2.0)) > 0.5).float()[None]
    noisy = clean + 0.03 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    smooth = l0_smoothing(noisy, 0.02, (4.0, 2.0, 2.0), extended_lengths(noisy, 3, 16))
    assert (smooth - clean).abs().mean() < 0.5 * (noisy - clean).abs().mean()
    assert (smooth[0, 8, 16, 16] - smooth[0, 0, 0, 0]) > 0.9
