"""Convex attention: any number of sources, windows in three dimensions, training that is watched."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import MedFusionLib as mf
from MedFusionLib.errors import Cancelled
from MedFusionLib.methods.base import Local
from MedFusionLib.methods.catalogue import create_method
from MedFusionLib.networks.convex import fuse_convex
from MedFusionLib.networks.convex_attention import RADII, ConvexAttention, mean_within
from MedFusionLib.networks.loading import count_parameters, load_network
from MedFusionLib.training.recipe import Descent, Recipe, Stages, TrainingCollapsed
from MedFusionLib.training.recipes import recipe_named
from MedFusionLib.training.runner import TrainOptions, train
from MedFusionLib.transforms.filters import envelope
from phantoms import head_pair
from training_pairs import blocks, generator, write_pairs


@pytest.fixture
def without_curves(monkeypatch):
    """Drawing takes longer than these trainings."""
    monkeypatch.setattr("MedFusionLib.training.runner.draw_curve", lambda *what: None)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (37, 41), (512, 17), (3, 9, 6)])
def test_convex_attention_reads_slices_and_volumes_of_any_size(size):
    network = load_network("convex-attention", ConvexAttention)
    found = network(torch.rand(1, 2, *size, generator=generator()))
    assert found.shape == (1, 2, 3, *size) and torch.isfinite(found).all()
    assert count_parameters(network) < 60_000


def test_convex_attention_learns_one_pair_by_heart():
    torch.manual_seed(0)
    shown = blocks(size=18)
    wanted = shown.amax(dim=1)

    def loss(network, sources):
        return {"mse": (fuse_convex(network, sources).image - wanted).square().mean()}

    training = Descent(ConvexAttention(), loss, 60, rate=5e-3)
    losses = [training.advance(number, shown)["mse"] for number in range(60)]
    assert min(losses[-5:]) < 0.2 * losses[0]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(2, 4))
def test_convex_attention_takes_any_number_of_sources_in_any_order(seed, count):
    torch.manual_seed(seed)
    network = ConvexAttention().eval()
    torch.nn.init.normal_(network.last.weight)
    sources = torch.rand(1, count, 9, 14, generator=generator(seed))
    order = torch.randperm(count, generator=generator(seed))
    with torch.no_grad():
        assert (network(sources)[:, order] - network(sources[:, order])).abs().max() < 1e-3


@pytest.mark.parametrize("size, axes", [((45, 37, 20), None), ((40, 61), None), ((9, 50, 41), (-2, -1))])
def test_working_through_blocks_changes_no_logit(size, axes, monkeypatch):
    network, sources = load_network("convex-attention", ConvexAttention), torch.rand(1, 2, *size, generator=generator())
    with torch.no_grad():
        whole = network(sources, axes)
        for limit, value in (("SAMPLES_AT_ONCE", 1000), ("VALUES_AT_ONCE", 3000)):
            monkeypatch.setattr(f"MedFusionLib.networks.convex_attention.{limit}", value)
            assert (network(sources, axes) - whole).abs().max() < 1e-6 * whole.abs().max()
        reading = network.read(sources, axes)
        assert (network.logits(reading, slice(5, 8)) - whole[:, :, :, 5:8]).abs().max() < 1e-6 * whole.abs().max()


@pytest.mark.parametrize("name", ["convex", "convex-attention"])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (5.0, 1.0, 1.0), (1.0, 1.0, 5.0)])
def test_a_volume_that_is_combined_in_slabs_is_the_same(name, spacing, monkeypatch):
    sources = torch.rand(1, 3, 21, 18, 20, generator=generator())
    fitted = create_method(name).fit(sources, spacing)
    with torch.inference_mode():
        whole = fitted.fuse(sources, with_parts=True)
        monkeypatch.setattr("MedFusionLib.networks.convex.SAMPLES_COMBINED", 3 * 2 * 18 * 20)
        slabs = fitted.fuse(sources, with_parts=True)
    assert (slabs.image - whole.image).abs().max() < 1e-6
    assert (slabs.parts - whole.parts).abs().max() < 1e-6


def test_a_volume_that_repeats_one_slice_gets_the_weights_of_the_slice():
    network, plane = load_network("convex-attention", ConvexAttention), blocks(size=36)
    volume = plane[:, :, None].expand(-1, -1, 12, -1, -1)
    with torch.no_grad():
        flat, deep = network(plane), network(volume)
        assert (deep - flat[:, :, :, None]).abs().max() < 1e-3
        changed = volume.clone()
        changed[:, 1, 8:] = 0
        assert (network(changed) - deep)[:, :, :, 7].abs().max() > 1e-2  # the third axis is seen
        apart = network(changed, (-2, -1))
        assert (apart[:, :, :, 7] - flat).abs().max() < 1e-3  # and left out where samples are long


def test_windows_are_clipped_at_the_border_and_by_short_axes():
    line = torch.arange(6.0).reshape(1, 1, 1, 6).expand(1, 1, 2, 6)
    assert mean_within(line, 1, (-1,))[0, 0, 0].tolist() == [0.5, 1, 2, 3, 4, 4.5]
    assert mean_within(line, max(RADII), (-2, -1)).shape == line.shape
    assert torch.equal(mean_within(line, 4, (-2,)), line)
    for shape in ((1, 3, 14, 11), (1, 2, 9, 12, 10)):
        sources = torch.rand(shape, generator=generator())
        axes = range(2 - len(shape), 0)
        taught = mean_within(sources.clone().requires_grad_(), 4, axes)
        assert (mean_within(sources, 4, axes) - taught).abs().max() < 1e-6


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), volume=st.booleans())
def test_no_value_leaves_the_envelope_of_the_sources(seed, volume):
    sources = torch.rand((1, 3, 6, 14, 11) if volume else (2, 2, 19, 22), generator=generator(seed))
    found = create_method("convex-attention").fit(sources, (1.0,) * (sources.ndim - 2)).fuse(sources, with_parts=True)
    low, high = envelope(sources)
    assert (found.image >= low - 1e-6).all() and (found.image <= high + 1e-6).all()
    assert (found.parts.sum(dim=1) - found.image).abs().max() < 1e-6


def test_the_maps_of_a_volume_say_who_gave_what():
    result = mf.fuse(mf.Case(list(head_pair((4, 40, 36)))), method="convex-attention", mode="volume")
    assert result.invention.mean() < 1e-3
    foreground = result.contribution.sum(axis=0) > 0
    assert np.abs(result.contribution.sum(axis=0)[foreground] - 1).max() < 0.01


def test_tiles_reach_as_far_as_the_windows_and_no_further():
    support = create_method("convex-attention").fit(torch.zeros(1, 2, 4, 40, 40), (5.0, 1.0, 1.0)).support
    assert isinstance(support, Local)
    assert support.halo[0] < support.halo[1] == support.halo[2]
    network, sources = load_network("convex-attention", ConvexAttention), torch.rand(1, 2, 6, 200)
    changed = sources.clone()
    changed[..., :20] = 0
    with torch.no_grad():
        apart = (network(changed) - network(sources)).abs().amax(dim=(0, 1, 2, 3))
    assert apart[20 + support.halo[1] :].max() < 1e-4 * apart.max()


def test_the_recipe_of_convex_attention_gives_the_same_bytes_again(tmp_path, without_curves):
    write_pairs(tmp_path / "data")
    recipe = replace(recipe_named("convex-attention"), steps=2, figures=None)
    for turn in ("first", "second"):
        train(recipe, TrainOptions(tmp_path / "data", tmp_path / turn))
    first, second = (tmp_path / turn / "convex-attention.safetensors" for turn in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def two_stages(network):
    def towards(value):
        return lambda n, batch: {"error": (n.weight - value).square().sum()}

    first = Descent(network, towards(1.0), 30, rate=0.2, trained=[network.weight])
    return Stages(first, Descent(network, towards(3.0), 60, rate=0.2, trained=[network.weight]))


def test_stages_follow_each_other_and_go_on_after_a_stop(tmp_path, without_curves):
    recipe = Recipe(
        "stages", lambda: torch.nn.Linear(1, 1), lambda folder: None, lambda data, chance: None, two_stages, 90
    )
    train(recipe, TrainOptions(None, tmp_path / "whole"))
    weight = np.frombuffer((tmp_path / "whole/stages.safetensors").read_bytes()[-2:], np.float16)
    assert weight[0] == pytest.approx(3, abs=0.2)
    asked = itertools.count()
    with pytest.raises(Cancelled):
        train(recipe, TrainOptions(None, tmp_path / "parts"), cancelled=lambda: next(asked) == 50)
    train(recipe, TrainOptions(None, tmp_path / "parts"))
    first, second = (tmp_path / turn / "stages.safetensors" for turn in ("whole", "parts"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("wrong, why", [(lambda n: float("nan"), "no number"), (lambda n: 1.0 + n / 10, "began at")])
def test_a_training_that_comes_to_nothing_is_stopped(wrong, why):
    network = torch.nn.Linear(1, 1)
    turn = iter(range(1000))
    training = Descent(network, lambda n, batch: {"error": n.weight.sum() * 0 + wrong(next(turn))}, 300)
    with pytest.raises(TrainingCollapsed, match=why):
        for number in range(300):
            training.advance(number, None)
