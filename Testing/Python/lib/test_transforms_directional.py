"""Transforms with directions, and undecimated ones: exact, invariant, where they should look."""

import numpy as np
import pytest
import torch

from MedFusionLib.transforms import shearlet3d
from MedFusionLib.transforms.contourlet import Contourlets
from MedFusionLib.transforms.directional import SEAM, Tiling, directional_bank
from MedFusionLib.transforms.dual_tree import DualTree
from MedFusionLib.transforms.frequency import extend, extended_lengths, half_spectrum
from MedFusionLib.transforms.gradient_pyramid import GradientPyramid
from MedFusionLib.transforms.laplacian import LaplacianPyramid
from MedFusionLib.transforms.sampling import plan_decimation
from MedFusionLib.transforms.shearlet3d import ShearletBank
from MedFusionLib.transforms.stationary import StationaryWavelet
from MedFusionLib.transforms.wavelet import WaveletTransform

PLANES, VOLUMES = [(37, 23), (64, 64), (5, 4)], [(9, 31, 20), (2, 16, 17)]
TILINGS = {
    "shearlet": Tiling((16, 16, 8, 8), "slope"),
    "contourlet": Tiling((16, 8, 8, 4), "angle"),
    "curvelet": Tiling((32, 16, 16, 8), "slope", "square"),
}


def noise(shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random(shape, dtype=np.float32))


def pyramids(shape, spacing):
    plan, ndim = plan_decimation(shape, spacing, 3), len(shape)
    made = [
        LaplacianPyramid(plan, ndim),
        WaveletTransform(plan, ndim),
        GradientPyramid(plan, ndim),
        StationaryWavelet(plan, ndim),
        StationaryWavelet(plan, ndim, "bior4.4"),
    ]
    return [*made, DualTree(plan, ndim), *([Contourlets(plan, shape)] if ndim == 2 else [])]


@pytest.mark.parametrize("shape", PLANES + VOLUMES)
@pytest.mark.parametrize("thickness", [1.0, 3.27])
def test_every_pyramid_gives_back_what_it_got(shape, thickness):
    image = noise((2, 3, *shape))
    for transform in pyramids(shape, (thickness, *[1.0] * (len(shape) - 1))):
        bands = transform.analyse(image)
        assert len(bands) == 1 + sum(map(transform.count, range(len(transform.plan))))
        assert (transform.synthesise(bands, shape) - image).abs().max() < 1e-5


@pytest.mark.parametrize("tiling", TILINGS.values(), ids=TILINGS)
@pytest.mark.parametrize("shape", PLANES)
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (3.0, 1.0)])
def test_directional_bands_of_slices_add_up_to_the_image(shape, spacing, tiling):
    image = noise((2, 2, *shape))
    bank = directional_bank(shape, extended_lengths(image, 2, SEAM), spacing, tiling)
    assert len(bank) == sum(tiling.directions) + 1
    assert (sum(bank.bands(image)) - image).abs().max() < 1e-5


@pytest.mark.parametrize("shape", VOLUMES)
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.27, 0.98, 0.98)])
def test_directional_bands_of_a_volume_add_up_to_it(shape, spacing):
    volume = noise((2, *shape))
    bank = ShearletBank(shape, extended_lengths(volume, 3, SEAM), spacing, (3, 2, 2))
    bands = [block(slice(None), slice(None)).clone() for block in bank.bands(volume)]
    assert len(bands) == len(bank) == 3 * (9 + 4 + 4) + 1
    assert (sum(bands) - volume).abs().max() < 1e-5


def test_blocks_of_a_volume_band_are_cut_from_it():
    volume = noise((2, 12, 9, 10))
    bank = ShearletBank((12, 9, 10), (12, 9, 10), (1, 1, 1), (2,))
    for block in bank.bands(volume):
        whole = block(slice(None), slice(None)).clone()
        assert torch.equal(block(slice(3, 8), slice(2, 9)), whole[:, 3:8, 2:9])


def test_a_volume_band_held_in_ranges_is_the_same_as_held_whole(monkeypatch):
    volume = noise((2, 14, 9, 10))
    bank = ShearletBank((14, 9, 10), (20, 9, 16), (1, 1, 1), (2,))
    whole = [block(slice(None), slice(None)).clone() for block in bank.bands(volume)]
    monkeypatch.setattr(shearlet3d, "HELD_SAMPLES", 1)
    monkeypatch.setattr(shearlet3d, "LEAST_ROWS", 6)
    for block, expected in zip(bank.bands(volume), whole):
        for start, stop in ((0, 5), (3, 9), (8, 14), (2, 6)):
            assert torch.equal(block(slice(start, stop), slice(1, 8)), expected[:, start:stop, 1:8])
        assert torch.equal(block(slice(None), slice(None)), expected)


@pytest.mark.parametrize("tiling", TILINGS.values(), ids=TILINGS)
def test_undecimated_bands_move_with_the_image(tiling):
    image = noise((64, 64))
    bank = directional_bank((64, 64), (64, 64), (1, 1), tiling)
    for band, moved in zip(bank.bands(image), bank.bands(image.roll((3, 5), (0, 1)))):
        assert (band.roll((3, 5), (0, 1)) - moved).abs().max() < 1e-5


def test_bands_of_a_volume_move_with_it():
    volume = noise((1, 12, 16, 20))
    bank = ShearletBank((12, 16, 20), (12, 16, 20), (3, 1, 1), (2, 1))
    for block, moved in zip(bank.bands(volume), bank.bands(volume.roll((3, 5, 2), (1, 2, 3)))):
        band = block(slice(None), slice(None)).roll((3, 5, 2), (1, 2, 3))
        assert (band - moved(slice(None), slice(None))).abs().max() < 1e-5


def test_stationary_bands_move_with_the_image():
    image = torch.zeros(96, 96)
    image[40:50, 42:55] = noise((10, 13))
    transform = StationaryWavelet(((0, 1),) * 3, 2)
    for band, moved in zip(transform.analyse(image), transform.analyse(image.roll((3, 5), (0, 1)))):
        assert (band.roll((3, 5), (0, 1)) - moved).abs().max() < 1e-5


def test_stationary_coefficients_equal_those_of_pywavelets_away_from_the_border():
    import pywt

    image = np.random.default_rng(3).random((64, 64))
    ours = StationaryWavelet(((0, 1),) * 2, 2, "db2").analyse(torch.from_numpy(image))
    _, (horizontal, vertical, diagonal) = pywt.swt2(image, "db2", level=2, norm=True)[-1]
    for band, other in zip(ours[:3], (vertical, horizontal, diagonal)):
        # the same filter, at an offset of its own in either implementation
        best = max(
            np.corrcoef(np.roll(other, (dy, dx), (0, 1))[16:48, 16:48].ravel(), band[16:48, 16:48].ravel())[0, 1]
            for dy in range(-4, 5)
            for dx in range(-4, 5)
        )
        assert best > 1 - 1e-9
        assert np.isclose(np.std(other), band[2:66, 2:66].std(correction=0), rtol=0.05)


def test_dual_tree_moduli_hardly_change_under_shifts_where_wavelets_do():
    def spread(transform, first, last):
        energies = []
        for shift in range(16):
            x = np.arange(128)[None, :] + 0.3 * np.arange(128)[:, None]
            edge = torch.from_numpy(1 / (1 + np.exp(-(x - 80 - shift) / 0.7)))
            energies.append([float(b.abs().square().sum()) for b in transform.analyse(edge)[first:last]])
        return np.std(energies, axis=0)[0] / np.mean(energies, axis=0)[0]

    plan = ((0, 1),) * 4
    assert spread(DualTree(plan, 2), 12, 13) < 0.02 < 0.05 < spread(WaveletTransform(plan, 2), 6, 7)


@pytest.mark.parametrize("level", [1, 2])
def test_dual_tree_wavelets_see_one_direction_only(level):
    transform = DualTree(((0, 1),) * 4, 2)
    empty = transform.analyse(torch.zeros(96, 96, dtype=torch.float64))
    for number in range(level * 6, level * 6 + 6):
        responses = []
        for unit in (1, 1j):
            bands = [band.clone() for band in empty]
            height, width = bands[number].shape
            bands[number][height // 2, width // 2] = unit
            responses.append(transform.synthesise(bands, (96, 96)))
        power = torch.fft.fft2(torch.complex(*responses)).abs().square()
        quadrants = [power[1:48, 1:48], power[1:48, 49:], power[49:, 1:48], power[49:, 49:]]
        assert max(float(q.sum() / power.sum()) for q in quadrants) > 0.75


@pytest.mark.parametrize("angle", [0, 30, 60, 90, 120, 150])
def test_a_wave_lands_in_the_band_of_its_direction(angle):
    bank = directional_bank((96, 96), (96, 96), (1, 1), Tiling((6,), "angle"))
    y, x = np.mgrid[:96, :96]
    k = 2 * np.pi * 0.35
    wave = np.cos(k * (np.cos(np.radians(angle)) * x + np.sin(np.radians(angle)) * y)) * np.exp(
        -((x - 48) ** 2 + (y - 48) ** 2) / 300
    )
    energies = [float(b.square().sum()) for b in bank.bands(torch.from_numpy(wave).float())][:-1]
    assert int(np.argmax(energies)) == angle // 30
    assert max(energies) > 0.8 * sum(energies)


def test_a_wave_in_space_lands_in_the_pyramid_around_its_axis():
    bank = ShearletBank((32, 32, 32), (32, 32, 32), (1, 1, 1), (1,))
    grid = torch.meshgrid(*[torch.arange(32.0)] * 3, indexing="ij")
    # pyramids come in the order of the spectrum's layout: last, first, middle axis
    for number, axis in enumerate((2, 0, 1)):
        wave = torch.cos(2 * np.pi * 0.375 * grid[axis])[None]
        energies = [float(block(slice(None), slice(None)).square().sum()) for block in bank.bands(wave)][:-1]
        assert int(np.argmax(energies)) == number


def test_an_axis_whose_ends_meet_is_not_extended_and_any_other_is_without_a_step():
    image = torch.zeros(1, 40, 50)
    image[:, 5:-5, :] = torch.linspace(0.2, 0.8, 50)
    lengths = extended_lengths(image, 2, 16)
    assert lengths[0] == 40 and lengths[1] >= 66
    longer = extend(image, lengths)
    assert torch.equal(longer[..., :50], image)
    seam = torch.cat([longer[0, 20, 49:], longer[0, 20, :1]])
    assert seam.diff().abs().max() < 0.15


@pytest.mark.parametrize("shape", [(45,), (24, 30), (28, 40, 45), (64, 64, 64)])
def test_a_half_spectrum_has_the_same_bits_whatever_the_number_of_threads(shape):
    image, before = noise((1, 1, *shape)), torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(half_spectrum(image, len(shape)))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(found[0], other) for other in found[1:])
    wanted = np.fft.rfftn(image[0, 0].double().numpy())
    assert np.abs(found[0][0, 0].numpy() - wanted).max() < 1e-6 * np.abs(wanted).max()
