"""Sources on their own grids: geometry, the engine, the pipeline, and the network that takes them."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch

import MedFusionLib as mf
from MedFusionLib import units
from MedFusionLib.engine import EngineOptions, run
from MedFusionLib.errors import UsageError
from MedFusionLib.intensity import Window
from MedFusionLib.methods import catalogue
from MedFusionLib.methods.average import Average
from MedFusionLib.methods.base import Fused, Global
from MedFusionLib.native import native_slices
from MedFusionLib.networks.ddcgan import DDcGAN, Placement, reduced
from MedFusionLib.volume import Case, Geometry, Volume
from phantoms import head_pair, upright_geometry

FINE = upright_geometry((6, 32, 28), (1.0, 1.0, 4.0), (-14.0, -16.0, 0.0))


def coarse_geometry(shape=(6, 8, 7), spacing_mm=(4.0, 4.0, 4.0), origin=(-12.5, -14.5, 0.0)):
    """Every voxel covers 4 x 4 voxels of the fine one."""
    return upright_geometry(shape, spacing_mm, origin)


def ramp(geometry, weights=(0.01, 0.02, 0.003)):
    """Values that tell where they lie: a linear function of RAS."""
    k, j, i = np.indices(geometry.shape)
    ras = geometry.to_ras(np.stack((i, j, k), axis=-1))
    return (ras @ np.array(weights) + 0.5).astype(np.float32)


def flipped(geometry, axis):
    """The same box, stored in the other direction along an axis of (i, j, k)."""
    matrix = geometry.ijk_to_ras.copy()
    matrix[:3, 3] += matrix[:3, axis] * (geometry.shape[::-1][axis] - 1)
    matrix[:3, axis] *= -1
    return Geometry(geometry.shape, matrix)


def swapped(geometry):
    """The same box with K and I exchanged."""
    return Geometry(geometry.shape[::-1], geometry.ijk_to_ras[:, [2, 1, 0, 3]])


@pytest.mark.parametrize("change", [lambda g: g, lambda g: flipped(g, 0), lambda g: flipped(g, 1), swapped])
def test_every_sample_of_a_picture_is_a_voxel_and_lies_where_the_placement_says(change):
    geometry = change(coarse_geometry())
    values = ramp(geometry)
    found, reason = native_slices(values, geometry, FINE)
    assert reason == "" and found.own_planes
    assert found.images.shape[0] == FINE.shape[0]
    assert np.isin(found.images, values).all()
    wanted = ramp(FINE)
    for row, column in ((2, 3), (15, 20), (30, 26)):
        y, x = (scale * n + offset for n, (scale, offset) in ((row, found.rows), (column, found.columns)))
        near = found.images[3, round(y), round(x)]
        assert near == pytest.approx(wanted[3, row, column], abs=0.01 * 2 + 0.02 * 2)
    assert abs(found.rows[0]) == pytest.approx(0.25)


def test_slices_between_planes_are_interpolated_and_those_outside_are_black():
    geometry = coarse_geometry((3, 8, 7), origin=(-12.5, -14.5, 6.0))
    found, _ = native_slices(ramp(geometry), geometry, FINE)
    assert not found.own_planes
    assert found.images[0].max() == 0 and found.images[5].max() == 0
    assert np.allclose(found.images[2], (ramp(geometry)[0] + ramp(geometry)[1]) / 2)


def test_sources_that_gain_nothing_or_cannot_be_kept_are_resampled_with_a_reason():
    assert "on the grid" in native_slices(ramp(FINE), FINE, FINE)[1]
    finer = upright_geometry((6, 40, 40), (1.5, 1.5, 4.0))
    assert "hardly larger" in native_slices(ramp(finer), finer, FINE)[1]
    angle = np.radians(3)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    tilted = Geometry(coarse_geometry().shape, turn @ coarse_geometry().ijk_to_ras)
    assert native_slices(ramp(tilted), tilted, FINE) == (None, "its axes are not parallel to those of the reference")


@dataclass
class Taker:
    """A method that hands the pictures of its first moving source through, each sample as often as it must be."""

    info: ClassVar = replace(Average.info, name="taker", takes_native=True, dims=(2,))
    support: object = Global()

    def __post_init__(self):
        self.native, self.numbers, self.shown = None, slice(None), []

    def fit(self, sources, spacing):
        return self

    def fit_native(self, sources, spacing, native):
        self.native = native
        return self

    def at(self, numbers):
        self.shown.append(numbers)
        taker = replace(self)
        taker.native, taker.numbers = self.native, numbers
        return taker

    def fuse(self, sources, *, with_parts=False):
        if self.native is None:
            return Fused(sources.mean(dim=1), sources / 2)
        own = self.native[0]
        picks = [
            np.clip(np.rint(scale * np.arange(n) + offset), 0, m - 1).astype(int)
            for n, m, (scale, offset) in zip(sources.shape[-2:], own.images.shape[1:], (own.rows, own.columns))
        ]
        image = torch.from_numpy(own.images[self.numbers][:, picks[0]][:, :, picks[1]])
        assert image.shape == sources[:, 0].shape
        return Fused(image, torch.stack((0 * image, image), dim=1))


def test_the_engine_hands_every_range_of_slices_its_own_pictures():
    stack = np.random.default_rng(0).random((2, *FINE.shape), np.float32)
    values = np.random.default_rng(1).random(coarse_geometry().shape, np.float32)
    own, _ = native_slices(values, coarse_geometry(), FINE)
    taker = Taker()
    options = EngineOptions("slice", memory_bytes=1 << 12, with_parts=True)
    found = run(taker, stack, options=options, native=(own,))
    assert len(taker.shown) > 1
    assert np.array_equal(found.fused, values.repeat(4, axis=1).repeat(4, axis=2))
    whole = run(Taker(), stack, options=EngineOptions("slice"), native=(own,))
    assert np.array_equal(whole.fused, found.fused)


def test_methods_that_take_no_own_grids_are_not_given_any():
    stack = np.zeros((2, *FINE.shape), np.float32)
    own, _ = native_slices(ramp(coarse_geometry()), coarse_geometry(), FINE)
    with pytest.raises(UsageError, match="own grids"):
        run(Average(), stack, options=EngineOptions("slice"), native=(own,))
    with pytest.raises(UsageError, match="2 native sources for 1"):
        run(Taker(), stack, options=EngineOptions("slice"), native=(own, None))


def test_the_pipeline_does_not_resample_what_the_method_takes_as_it_is(monkeypatch):
    mr = Volume(ramp(FINE), FINE, "MR", units.ARBITRARY, "MR")
    geometry = flipped(coarse_geometry(), 0)
    values = 9 * np.random.default_rng(1).random(geometry.shape, np.float32)
    pet = Volume(values, geometry, "PT", units.SUV_BODY_WEIGHT, "PET")
    monkeypatch.setattr(catalogue, "CATALOGUE", (*catalogue.CATALOGUE, Taker))
    windows = (None, Window(0.0, 10.0))
    result = mf.fuse(Case([mr, pet]), "taker", "slice", windows=windows, force=True, maps=("stability",))
    assert np.allclose(result.fused.array, values[:, :, ::-1].repeat(4, axis=1).repeat(4, axis=2) / 10, atol=1e-6)
    assert result.provenance["parameters"]["native_grids"] == {"source 1": "own grid in the plane, its own planes"}
    swapped_case = mf.fuse(Case([pet, mr]), "taker", "slice", windows=windows[::-1], force=True)
    assert "not functional" in swapped_case.provenance["parameters"]["native_grids"]["source 1"]


def test_a_picture_of_a_quarter_of_the_resolution_needs_no_interpolation_in_the_network():
    torch.manual_seed(0)
    network = DDcGAN(4).eval()
    sources = torch.rand(1, 2, 33, 42)
    with torch.no_grad():
        plain = network(sources)
        low = reduced(sources[:, 1:])
        assert torch.equal(network.fuse_native(sources[:, :1], low, Placement()), plain)
        nearly = Placement((0.25 + 1e-9, -0.375), (0.25, -0.375))  # the same place by interpolation
        assert (network.fuse_native(sources[:, :1], low, nearly) - plain).abs().max() < 1e-4


def test_the_network_sees_black_beyond_the_field_of_view_and_mirrors_with_its_input():
    torch.manual_seed(0)
    network = DDcGAN(4).eval()
    mr, low = torch.rand(1, 1, 32, 32), torch.rand(1, 1, 4, 8)
    half = Placement((0.25, -0.375), (0.25, -0.375))
    with torch.no_grad():
        base = network.fuse_native(mr, low, half)
        other = network.fuse_native(mr, torch.cat((low, 0 * low), dim=2), half)
        far = slice(22, None)  # beyond the reach of the border
        assert (base[:, far] - other[:, far]).abs().max() < 1e-5
        backwards = Placement((0.25, -0.375), (-0.25, 7 + 0.375))
        assert (network.fuse_native(mr, low.flip(-1), backwards) - base).abs().max() < 1e-4


def test_two_sources_at_different_resolution_keep_the_lesion_where_it_is():
    _, pet = head_pair()
    own, _ = native_slices(pet.array[:, ::4, ::4], coarse_of(pet.geometry), pet.geometry)
    y, x = np.unravel_index(own.images[14].argmax(), own.images[14].shape)
    row, column = (y - own.rows[1]) / own.rows[0], (x - own.columns[1]) / own.columns[0]
    assert pet.array[14, round(row), round(column)] > 6


def coarse_of(geometry):
    """Every fourth voxel in the plane."""
    matrix = geometry.ijk_to_ras.copy()
    matrix[:3, :2] *= 4
    k, j, i = geometry.shape
    return Geometry((k, -(-j // 4), -(-i // 4)), matrix)
