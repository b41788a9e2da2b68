"""Sparse coding against plain definitions, and the dictionaries that come along."""

import hashlib
import json
from importlib import resources

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from MedFusionLib import weights
from MedFusionLib.errors import UnreadableFile, UsageError
from MedFusionLib.methods.rules.sparse_activity import SparseActivity
from MedFusionLib.sparse import dictionaries
from MedFusionLib.sparse.convolutional import Coder, learn_filters
from MedFusionLib.sparse.learning import learn_ksvd, learn_online
from MedFusionLib.sparse.patches import PatchGrid
from MedFusionLib.sparse.pursuit import matching_pursuit


def unit_atoms(count, length, seed=0):
    atoms = torch.from_numpy(np.random.default_rng(seed).standard_normal((count, length)))
    return atoms / atoms.norm(dim=1, keepdim=True)


def plain_pursuit(signal, atoms, most, error):
    chosen, values, residual = [], torch.zeros(0).double(), signal
    while len(chosen) < most and residual.norm() > error:
        chosen.append(int((atoms @ residual).abs().argmax()))
        values = torch.linalg.lstsq(atoms[chosen].T, signal[:, None]).solution[:, 0]
        residual = signal - values @ atoms[chosen]
    return chosen, values


@pytest.mark.parametrize("error", [0.0, 4.0])
def test_pursuit_chooses_the_same_atoms_as_the_definition(error):
    atoms = unit_atoms(100, 30)
    signals = torch.from_numpy(np.random.default_rng(1).standard_normal((60, 30)))
    codes = matching_pursuit(signals, atoms, 6, error)
    for number, signal in enumerate(signals):
        chosen, values = plain_pursuit(signal, atoms, 6, error)
        assert codes.atoms[number, : len(chosen)].tolist() == chosen
        assert torch.allclose(codes.values[number, : len(chosen)], values)
        assert not codes.values[number, len(chosen) :].any()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_a_signal_made_of_few_atoms_is_rebuilt(seed, used):
    atoms = unit_atoms(12, 40, seed)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(12, used, replace=False)
    signal = torch.from_numpy(rng.uniform(1, 3, used)) @ atoms[chosen]
    codes = matching_pursuit(signal[None], atoms, 12, 1e-9)
    assert torch.allclose(codes.rebuild(atoms)[0], signal, atol=1e-6)


def test_empty_equal_and_zero_signals_are_coded_without_a_fuss():
    atoms = unit_atoms(20, 10)
    assert matching_pursuit(torch.zeros(0, 10).double(), atoms, 3).values.shape == (0, 3)
    codes = matching_pursuit(torch.zeros(2, 10).double(), atoms, 3)
    assert not codes.values.any()
    twins = torch.cat([atoms, atoms])
    assert torch.isfinite(matching_pursuit(atoms[:4], twins, 10).values).all()


@pytest.mark.parametrize("learn", [learn_ksvd, learn_online])
def test_learning_finds_the_atoms_that_made_the_signals(learn):
    truth = unit_atoms(20, 25)
    rng = np.random.default_rng(2)
    codes = np.zeros((3000, 20))
    for row in codes:
        row[rng.choice(20, 2, replace=False)] = rng.standard_normal(2) * 2
    signals = torch.from_numpy(codes) @ truth
    found = learn(signals, 30, most_atoms=2)
    best = (truth @ found.T).abs().amax(dim=1)
    assert (best > 0.97).float().mean() > 0.8
    assert torch.allclose(found.norm(dim=1), torch.ones(30).double())


@settings(deadline=None, max_examples=30)
@given(st.integers(8, 40), st.integers(8, 40), st.integers(1, 8))
def test_patches_cover_a_slice_and_join_to_it(height, width, stride):
    image = torch.rand(2, height, width)
    grid = PatchGrid((height, width), 8, stride)
    patches = grid.take(image)
    assert patches.shape == (2, grid.count, 64)
    assert (grid.put(patches) - image).abs().max() < 1e-5


def test_a_stride_that_leaves_gaps_is_refused():
    with pytest.raises(UsageError, match="1 to 8"):
        PatchGrid((20, 20), 8, 9)
    with pytest.raises(UsageError, match="at least 8"):
        PatchGrid((20, 7), 8, 2)


def spread_filters(count, seed=0):
    filters = torch.from_numpy(np.random.default_rng(seed).standard_normal((count, 5, 5)))
    return filters / filters.flatten(1).norm(dim=1)[:, None, None]


def test_the_quadratic_step_of_the_coder_solves_its_equation():
    filters, image = spread_filters(6), torch.rand(20, 17).double()
    maps, _ = Coder(filters, sparsity=1e-9, penalty=1.0, iterations=400, tolerance=0).code(image)
    assert (Coder(filters).rebuild(maps) - image).abs().max() < 1e-3


def test_maps_are_sparse_and_at_the_minimum_of_their_energy():
    filters, image = spread_filters(6), torch.rand(24, 24).double() - 0.5
    coder = Coder(filters, sparsity=0.2, penalty=2.0, iterations=600, tolerance=0)
    maps, _ = coder.code(image)
    assert (maps != 0).double().mean() < 0.3

    def energy(x):
        return float(0.5 * (coder.rebuild(x) - image).square().sum() + 0.2 * x.abs().sum())

    lowest = energy(maps)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        step = torch.randn(maps.shape, generator=generator, dtype=maps.dtype) * 0.01
        assert energy(maps + step) > lowest - 1e-6
    assert lowest < energy(torch.zeros_like(maps))


def test_a_start_from_a_similar_image_saves_iterations():
    filters, image = spread_filters(6), torch.rand(24, 24).double() - 0.5
    best, _ = Coder(filters, 0.1, 2.0, iterations=500, tolerance=0).code(image)
    neighbour = Coder(filters, 0.1, 2.0, iterations=200, tolerance=0).code(image + 0.01 * torch.rand(24, 24).double())
    few = Coder(filters, 0.1, 2.0, iterations=10, tolerance=0)
    assert (few.code(image, neighbour)[0] - best).norm() < 0.5 * (few.code(image)[0] - best).norm()


def test_a_faint_image_is_coded_although_the_first_steps_leave_all_maps_empty():
    generator = torch.Generator().manual_seed(0)
    filters, image = spread_filters(6), 0.05 * torch.rand(24, 24, generator=generator).double()
    first, _ = Coder(filters, 0.05, 5.5, iterations=1).code(image)
    assert not first.any()
    assert Coder(filters, 0.05, 5.5, iterations=30).code(image)[0].any()
    assert not Coder(filters, 0.05, 5.5).code(torch.zeros(24, 24).double())[0].any()


def test_learned_filters_code_better_than_random_ones():
    truth = spread_filters(3, seed=5)
    rng = np.random.default_rng(0)
    maps = torch.from_numpy((rng.random((4, 3, 40, 40)) < 0.01) * rng.standard_normal((4, 3, 40, 40)))
    images = Coder(truth).rebuild(maps)
    objectives = []
    learned = learn_filters(
        images,
        spread_filters(6, seed=9),
        rounds=12,
        sparsity=0.02,
        report=lambda number, value: objectives.append(value),
    )

    def left(filters):
        coder = Coder(filters, 0.05, 5.5, iterations=60)
        return sum(float((coder.rebuild(coder.code(i)[0]) - i).square().sum()) for i in images)

    assert left(learned) < 0.7 * left(spread_filters(6, seed=9))
    assert objectives[-1] < 0.7 * objectives[0]


def test_the_livelier_patch_wins_and_between_flat_ones_the_brighter():
    rng = np.random.default_rng(0)
    sources = torch.zeros(1, 2, 16, 32)
    sources[0, 0, :, :16] = torch.from_numpy(rng.random((16, 16)).astype(np.float32))
    sources[0, 1, :, 16:] = 0.5
    weights = SparseActivity(stride=8)(sources, 2)
    assert (weights[0, 0, :, :16] == 1).all()
    assert (weights[0, 1, :, 16:] == 1).all()


def test_a_bright_flat_patch_outweighs_a_dark_lively_one_only_where_the_mean_counts():
    sources = torch.zeros(1, 2, 8, 8)
    sources[0, 0] = 0.8
    sources[0, 1] = 0.1 + 0.1 * (torch.arange(8) % 2)
    for counts_mean in (False, True):
        weights = SparseActivity(stride=8, counts_mean=counts_mean)(sources, 2)
        assert (weights[0, 0] == float(counts_mean)).all()


def test_the_mean_counts_as_the_coefficient_of_a_constant_atom():
    flat = torch.full((8, 8), 0.25)  # 8 x 0.25 = 2
    lively = torch.zeros(8, 8)
    atom = dictionaries.load_dictionary("patches8")[0].reshape(8, 8)
    for factor, wins in ((1.8, 0.0), (2.2, 1.0)):
        sources = torch.stack([lively + factor * atom, flat])[None]
        weights = SparseActivity(stride=8, counts_mean=True)(sources, 2)
        assert (weights[0, 0] == wins).all()


def test_a_volume_is_weighted_plane_by_plane():
    volume = torch.rand(1, 2, 3, 12, 14)
    rule = SparseActivity(stride=4)
    weights = rule(volume, 3)
    for plane in range(3):
        assert torch.equal(weights[:, :, plane], rule(volume[:, :, plane], 2))


def test_every_dictionary_is_that_of_its_card_and_a_changed_one_is_refused(monkeypatch):
    folder = resources.files("MedFusionLib.weights")
    cards = [entry for entry in folder.iterdir() if entry.name.endswith(".json")]
    assert cards
    for entry in cards:
        text = json.loads(entry.read_text(encoding="utf-8"))
        content = (folder / f"{text['name']}.safetensors").read_bytes()
        assert hashlib.sha256(content).hexdigest() == text["sha256"]
        assert text["training_data"] and text["licence"] and text["command"] and text["intended_use"]
    atoms = dictionaries.load_dictionary("patches8")
    assert atoms.shape == (256, 64)
    assert torch.allclose(atoms.norm(dim=1), torch.ones(256), atol=1e-5)
    assert atoms.sum(dim=1).abs().max() < 1e-3
    weights._load.cache_clear()
    monkeypatch.setattr(weights, "card", lambda name: {"sha256": "0" * 64})
    with pytest.raises(UnreadableFile, match="model card"):
        dictionaries.load_dictionary("patches8")
    weights._load.cache_clear()
