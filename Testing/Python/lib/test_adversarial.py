"""Adversarial training: turns, what is watched, collapse; generators and discriminators; planted lesions."""

import itertools
import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from MedFusionLib.errors import Cancelled
from MedFusionLib.networks.ddcgan import DDcGAN
from MedFusionLib.networks.dense_dcgan import DenseDCGAN, longest_features
from MedFusionLib.networks.discriminators import Discriminator, PatchDiscriminator
from MedFusionLib.networks.fusiongan import FusionGAN
from MedFusionLib.networks.loading import count_parameters
from MedFusionLib.networks.tumour_gan import TumourGAN, TumourHead
from MedFusionLib.training.adversarial import (
    Adversarial,
    LeastSquares,
    Logarithmic,
    Opponent,
    Rules,
    TrainingCollapsed,
)
from MedFusionLib.training.losses import veil
from MedFusionLib.training.planted import plant
from MedFusionLib.training.recipe import Recipe
from MedFusionLib.training.runner import TrainOptions, train

SIDE = 12
QUICK, SQUARES = Rules(memory=5), LeastSquares()


class Brightness(nn.Module):
    """A generator with two values: gain and offset."""

    def __init__(self, gain=1.0):
        super().__init__()
        self.gain, self.offset = nn.Parameter(torch.tensor(float(gain))), nn.Parameter(torch.tensor(0.0))

    def forward(self, images):
        return self.gain * images + self.offset


class Scores(nn.Module):
    """A discriminator that says what it is told, whatever it sees."""

    def __init__(self, real, fake):
        super().__init__()
        self.real, self.fake, self.unused = real, fake, nn.Parameter(torch.zeros(1))

    def forward(self, images):
        half = len(images) // 2
        told = torch.tensor([self.real] * half + [self.fake] * (len(images) - half))
        return told + 0 * self.unused + 0 * images.sum()


def brighter(steps=30, judge=None, gain=1.0, content=None, rules=QUICK, game=SQUARES, **changes):
    """A recipe that must make dark noise pass for bright noise."""

    def begin(network):
        opponent = Opponent(
            judge or Discriminator(SIDE, (4, 8), padding=1), real=lambda x: 0.5 + 0.5 * x, fake=lambda y: y
        )
        anything = content or (lambda network, batch, outputs: {"near": 0.01 * (outputs - batch).square().mean()})
        return Adversarial(
            network, {"bright": opponent}, lambda net, x: net(x), anything, steps, game=game, rules=rules
        )

    return Recipe(
        **{
            "name": "brighter",
            "build": partial(Brightness, gain),
            "load": lambda folder: None,
            "batch": lambda data, chance: torch.rand(4, 1, SIDE, SIDE, generator=chance),
            "begin": begin,
            "steps": steps,
            **changes,
        }
    )


def test_both_players_are_watched_and_every_epoch_leaves_a_sheet(tmp_path):
    def sheet(network, data):
        assert not network.training
        return network(torch.full((6, 9), 0.5))

    done = train(brighter(sheet=sheet, epoch=10), TrainOptions(None, tmp_path))
    assert {"judge bright", "accuracy bright", "fool bright", "near"} <= set(done["loss"][0])
    assert 0 <= done["loss"][0]["accuracy bright"] <= 1
    sheets = sorted((tmp_path / "brighter-samples").iterdir())
    assert [path.name for path in sheets] == ["epoch-01.png", "epoch-02.png", "epoch-03.png"]
    assert Image.open(sheets[0]).size == (9, 6)
    assert Image.open(tmp_path / "brighter.png").size == (800, 400)


def test_the_generator_learns_what_the_discriminator_wants():
    torch.manual_seed(0)
    rules = Rules(rate=0.05, judge_rate=0.02, memory=20)
    recipe = brighter(
        300, gain=0.3, judge=PatchDiscriminator((4, 8)), rules=rules, content=lambda *_: {"none": torch.zeros(())}
    )
    training = recipe.begin(recipe.build())
    means = [training.network(torch.full((1,), 0.5)).item()]
    for number in range(300):
        training.advance(number, recipe.batch(None, torch.Generator().manual_seed(number)))
        means.append(training.network(torch.full((1,), 0.5)).item())
    assert means[0] < 0.2
    assert 0.65 < np.mean(means[100:]) < 0.85  # real images have a mean of 0.75, and both players swing about it


def test_normalisation_keeps_its_statistics_at_the_end():
    generator = nn.Sequential(nn.BatchNorm2d(1), Brightness())
    recipe = brighter(8, build=lambda: generator, rules=replace(QUICK, settled=0.25))
    training, means = recipe.begin(generator), []
    for number in range(8):
        generator.train()  # as after a sheet of samples
        training.advance(number, recipe.batch(None, torch.Generator().manual_seed(number)))
        means.append(generator[0].running_mean.item())
    assert len(set(means)) == 6
    assert means[5] == means[7]


def test_a_veil_is_what_is_bright_where_no_source_shows_anything():
    sources = torch.zeros(1, 2, 4, 4)
    sources[:, 1, :2] = 0.5
    assert veil(sources.amax(dim=1, keepdim=True), sources).item() == 0
    assert veil(torch.full((1, 1, 4, 4), 0.2), sources).item() == pytest.approx(0.1)


def test_games_pay_what_they_promise():
    unsure = torch.zeros(5)
    assert Logarithmic().judge(unsure, unsure).item() == pytest.approx(2 * np.log(2), rel=1e-6)
    assert Logarithmic().fool(unsure).item() == pytest.approx(np.log(2), rel=1e-6)
    hard = LeastSquares(real=(1.0, 1.0), fake=(0.0, 0.0))
    assert hard.boundary == 0.5
    assert hard.judge(torch.ones(3), torch.zeros(3)) == 0
    assert hard.fool(torch.zeros(3)) == 1
    assert LeastSquares().boundary == pytest.approx(0.55)


def test_an_adversarial_training_stopped_and_gone_on_gives_the_same_bytes(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(brighter(), TrainOptions(None, whole))
    asked = itertools.count()
    with pytest.raises(Cancelled):
        train(brighter(), TrainOptions(None, parts), cancelled=lambda: next(asked) == 17)
    train(brighter(), TrainOptions(None, parts))
    assert (whole / "brighter.safetensors").read_bytes() == (parts / "brighter.safetensors").read_bytes()


def test_a_discriminator_that_is_ahead_waits():
    recipe = brighter(judge=Scores(real=1.0, fake=0.0), rules=Rules(memory=2, ahead=0.8))
    training = recipe.begin(recipe.build())
    moved = []
    judge = training.opponents["bright"].network
    judge.forward = lambda images: Scores.forward(judge, images) + judge.unused
    for number in range(4):
        before = judge.unused.item()
        training.advance(number, recipe.batch(None, torch.Generator().manual_seed(0)))
        moved.append(judge.unused.item() != before)
    assert moved == [True, False, False, False]  # shares of right answers: 0.75, 0.875 ...


@pytest.mark.parametrize(
    "changes, why",
    [
        ({"judge": Scores(real=1.0, fake=0.0)}, "always right"),
        ({"judge": Scores(real=0.0, fake=1.0)}, "always wrong"),
        ({"judge": Scores(real=1.0, fake=1.0), "gain": 0.0}, "all alike"),
        ({"content": lambda *_: {"broken": torch.tensor(float("nan"))}}, "broken is no number"),
    ],
)
def test_a_collapsed_training_is_stopped_and_leaves_its_curve(tmp_path, changes, why):
    recipe = brighter(400, **{"rules": Rules(memory=5, rate=1e-6), **changes})
    with pytest.raises(TrainingCollapsed, match=why) as caught:
        train(recipe, TrainOptions(None, tmp_path))
    assert "begin anew" in caught.value.as_json()["error"]["hint"]
    assert not (tmp_path / "brighter.safetensors").exists()
    assert (tmp_path / "brighter.png").exists() and (tmp_path / "brighter.checkpoint.safetensors").exists()
    json.dumps(caught.value.as_json())


def test_players_of_equal_strength_are_left_alone(tmp_path):
    recipe = brighter(100, judge=Scores(real=1.0, fake=1.0), rules=Rules(memory=5, rate=1e-6))
    assert train(recipe, TrainOptions(None, tmp_path))["finished"]


def test_full_widths_have_as_many_values_as_those_of_the_papers():
    spectral_vectors = 256 + 128 + 64 + 32 + 1  # of spectral normalisation, which the released networks count
    assert count_parameters(FusionGAN()) + spectral_vectors == 926_114
    assert count_parameters(Discriminator(120)) + spectral_vectors == 398_434
    assert count_parameters(DenseDCGAN()) == 74_193
    assert count_parameters(DDcGAN()) == pytest.approx(1.10e6, rel=0.005)
    both = [Discriminator(size, (16, 32, 64), padding=1, spectral=False) for size in (84, 21)]
    assert sum(map(count_parameters, both)) == pytest.approx(55e3, rel=0.01)


@pytest.mark.parametrize("build", [FusionGAN, DDcGAN, TumourGAN, DenseDCGAN], ids=lambda build: build.__name__)
def test_a_generator_gives_one_image_of_any_size(build):
    with torch.no_grad():
        assert build().eval()(torch.rand(1, 2, 19, 26)).shape == (1, 19, 26)


@pytest.mark.parametrize("judge", [Discriminator(21, (4, 8)), PatchDiscriminator((4, 8))], ids=["whole", "patches"])
def test_a_discriminator_gives_one_score_per_image(judge):
    assert judge(torch.rand(3, 1, 21, 21)).shape == (3,)


def test_the_head_scores_every_sample_whatever_the_size():
    with torch.no_grad():
        assert TumourHead(4).eval()(torch.rand(2, 1, 21, 30)).shape == (2, 1, 21, 30)


def test_the_longest_feature_vector_is_taken_whole_and_equal_ones_are_averaged():
    features = torch.tensor([[[1.0, -5.0], [2.0, 2.0], [0.0, 0.0]]])[..., None, None]
    assert longest_features(features.unbind(1)).flatten().tolist() == [1.0, -5.0]
    tied = torch.tensor([[[1.0, 3.0], [3.0, 1.0]]])[..., None, None]
    assert longest_features(tied.unbind(1)).flatten().tolist() == [2.0, 2.0]
    assert torch.equal(longest_features(tied.unbind(1)), longest_features(tied.flip(1).unbind(1)))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_planted_lesion_shows_in_some_source_inside_its_mask_only(seed):
    images = 0.5 + 0 * torch.rand(2, 48, 48)
    changed, mask = plant(images, torch.Generator().manual_seed(seed))
    difference = (changed - images).abs().amax(dim=0)
    assert changed.min() >= 0 and changed.max() <= 1 and set(mask.unique().tolist()) <= {0.0, 1.0}
    inside = mask[0] > 0
    assert inside.any() and difference[inside].max() > 0.05
    near = nn.functional.max_pool2d(mask, 11, 1, 5)[0] > 0
    assert difference[~near].max() == 0 if (~near).any() else True


def test_no_lesion_is_planted_into_background():
    images = torch.zeros(2, 48, 48)
    changed, mask = plant(images, torch.Generator().manual_seed(0))
    assert np.array_equal(changed, images) and mask.sum() == 0
