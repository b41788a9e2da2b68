"""Transformers: sizes as in the papers, slices of any size, damage that is mended."""

from dataclasses import replace

import pytest
import torch

from MedFusionLib.networks.cddfuse import BranchSizes, CDDFuse
from MedFusionLib.networks.ift import IFT, AxialAttention
from MedFusionLib.networks.loading import count_parameters
from MedFusionLib.networks.transmef import SMALL as SMALL_PATCHES
from MedFusionLib.networks.transmef import PatchSizes, TransMEF
from MedFusionLib.training.recipe import Descent
from MedFusionLib.training.recipes import recipe_named, transfuse, transmef
from MedFusionLib.training.runner import TrainOptions, train
from training_pairs import blocks, generator, write_pairs

SMALL = {
    "transmef": lambda: TransMEF(SMALL_PATCHES),
    "ift": lambda: IFT((8, 12, 16, 20)),
    "cddfuse": lambda: CDDFuse(BranchSizes(width=8, blocks=1, heads=2, couplings=1)),
}


def test_networks_in_full_width_have_as_many_values_as_those_of_their_papers():
    with torch.device("meta"):
        assert count_parameters(TransMEF()) == 19_052_553 - 296  # a token and a convolution are never used there
        network = IFT()
        assert count_parameters(network.fusion) == 2_335_728
        assert count_parameters(network.decoder) == 2_511_081
        network = CDDFuse()
        encoder = (network.embed, network.encoder, network.base, network.detail)
        decoder = (network.reduce, network.decoder, network.narrow, network.last)
        assert sum(map(count_parameters, encoder)) == 599_144
        assert sum(map(count_parameters, decoder)) == 207_936
        assert count_parameters(network.fuse_base) == 363_016
        assert count_parameters(network.fuse_detail) == 18_176
        assert count_parameters(network) == 1_188_272


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (37, 41), (512, 17)])
def test_a_transformer_fuses_slices_of_any_size(name, size):
    torch.manual_seed(0)
    network = SMALL[name]().eval()
    with torch.no_grad():
        found = network(torch.rand(1, 2, *size, generator=generator()))
    assert found.shape == (1, *size)
    assert torch.isfinite(found).all()


@pytest.mark.parametrize("name", SMALL)
def test_a_transformer_learns_one_pair_by_heart(name):
    torch.manual_seed(0)
    shown = blocks(size=18)
    wanted = shown.amax(dim=1)
    network = SMALL[name]()
    training = Descent(network, lambda n, x: {"mse": (n(x) - wanted).square().mean()}, 60, rate=5e-3)
    losses = [training.advance(number, shown)["mse"] for number in range(60)]
    assert min(losses[-5:]) < 0.2 * losses[0]


def test_tables_of_positions_fit_lines_of_any_length():
    attention = AxialAttention(8, 16).eval()
    query, _, value = attention._places(16)
    assert torch.allclose(value[:, 0, 0], attention.positions[8:, 15], atol=1e-6)
    assert torch.allclose(query[:, 3, 1], attention.positions[:4, 17], atol=1e-6)
    for length in (1, 7, 40):
        _, _, value = attention._places(length)
        assert value.shape == (8, length, length)
        assert torch.allclose(value.diagonal(dim1=1, dim2=2), attention.positions[8:, 15:16], atol=1e-6)
    longer = attention._places(31)[2]
    assert torch.allclose(longer[:, 30, 0], attention.positions[8:, -1], atol=1e-6)


def test_lines_are_answered_alike_together_and_in_parts(monkeypatch):
    torch.manual_seed(0)
    attention, lines = AxialAttention(8, 16).eval(), torch.rand(12, 8, 20)
    with torch.no_grad():
        whole = attention(lines)
        monkeypatch.setattr("MedFusionLib.networks.ift.ENTRIES_AT_ONCE", 900)
        assert (attention(lines) - whole).abs().max() < 1e-5


def test_statistics_that_are_fixed_are_folded_into_queries_and_keys_without_a_difference():
    torch.manual_seed(0)
    attention, lines = AxialAttention(8, 16).eval(), torch.rand(2, 8, 20)
    norm = attention.norm_alike
    for values in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
        values.uniform_(0.5, 2)
    asked = attention.norm_asked(attention.ask(lines)).split(attention.sizes, dim=1)
    by_query, by_key, _ = attention._places(20)
    with torch.no_grad():
        folded = attention._alike(asked[0], asked[1], by_query, by_key).softmax(-1)
        attention.training = True  # the plain formula, its statistics still fixed
        plain = attention._alike(asked[0], asked[1], by_query, by_key).softmax(-1)
    assert (folded - plain).abs().max() < 1e-5


def test_patches_that_are_not_whole_are_filled_and_cut_off_again():
    torch.manual_seed(0)
    network = TransMEF(PatchSizes(patch=4, width=16, depth=1, heads=2, head_width=8, hidden=16)).eval()
    image = torch.rand(1, 1, 10, 9, generator=generator())
    filled = torch.nn.functional.pad(image, (0, 3, 0, 2), mode="replicate")
    with torch.no_grad():
        assert torch.equal(network(image), network(filled)[:, :10, :9])


@pytest.fixture
def without_curves(monkeypatch):
    """Drawing takes longer than these trainings."""
    monkeypatch.setattr("MedFusionLib.training.runner.draw_curve", lambda *what: None)


@pytest.mark.parametrize("name", ["cddfuse", "ift", "transfuse", "transmef"])
def test_a_recipe_gives_the_same_bytes_again(name, tmp_path, without_curves):
    write_pairs(tmp_path / "data")
    recipe = replace(recipe_named(name), steps=2, figures=None)
    for turn in ("first", "second"):
        train(recipe, TrainOptions(tmp_path / "data", tmp_path / turn))
    first, second = (tmp_path / turn / f"{name}.safetensors" for turn in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("task", [*transmef.TASKS, *transfuse.TASKS])
def test_damage_leaves_most_of_a_picture_and_stays_within_its_range(task):
    picture = blocks(1)[0, 0] * 0.8 + 0.1 * torch.rand(48, 48, generator=generator())
    spoilt = task(picture, generator(1))
    assert spoilt.min() >= -1e-6 and spoilt.max() <= 1 + 1e-6
    touched = float(((spoilt - picture).abs() > 1e-5).float().mean())
    assert 0.01 < touched < 0.4
    assert torch.equal(task(picture, generator(1)), spoilt)
