"""Synthetic lesions in real volumes, and what the network that was trained on them promises."""

import numpy as np
import pytest
import torch

from MedFusionLib.errors import UsageError
from MedFusionLib.networks.lesion_net import LesionNet
from MedFusionLib.training.lesions import SIZE, Background, lesion_batch, read_backgrounds
from MedFusionLib.training.recipes import lesion_net, recipe_named
from MedFusionLib.training.recipes.lesion_net import DEEP, LesionData, figures, loss, soft_dice


@pytest.fixture
def backgrounds():
    values = torch.randn(4, 40, 44, 48, generator=torch.Generator().manual_seed(0)) + 5
    return [Background(values, (False, False, True, True), torch.ones(values.shape[1:], dtype=torch.bool))]


@pytest.mark.parametrize("seed", range(6))
def test_every_example_is_a_marked_lesion_that_at_least_one_source_shows(backgrounds, seed):
    one = lesion_batch(backgrounds, torch.Generator().manual_seed(seed), 3)
    assert one.sources.shape[2:] == one.truth.shape[1:] == (SIZE,) * 3
    assert one.sources.min() >= 0 and one.sources.max() <= 1
    for sources, marks, truth in zip(one.sources, one.marks, one.truth):
        inside, region, click = truth > 0, marks[0, 0] > 0, marks[0, 1]
        assert inside.any() and (region | ~inside).all()  # the lesion lies in its box
        assert click.max() == 0 or inside.flatten()[click.flatten().argmax()]  # the click lies in the lesion
        assert click.max() > 0 or not region.all()
        apart = [abs(s[inside].median() - s[~inside].median()) / s[~inside].std() for s in sources]
        assert max(apart) > 0.5


def test_the_same_generator_gives_the_same_examples(backgrounds):
    first, again = (lesion_batch(backgrounds, torch.Generator().manual_seed(3), 2) for _ in range(2))
    assert torch.equal(first.sources, again.sources) and torch.equal(first.truth, again.truth)


def test_real_lesions_are_no_background(backgrounds):
    allowed = torch.ones(backgrounds[0].allowed.shape, dtype=torch.bool)
    allowed[:, :, 40:] = False
    values = backgrounds[0].values.clone()
    values[:, ~allowed] = 1e6
    one = Background(values, backgrounds[0].functional, allowed)
    for seed in range(5):
        sources = lesion_batch([one], torch.Generator().manual_seed(seed), 1).sources
        assert sources.amax(dim=(2, 3, 4)).max() < 0.999  # a million would be squeezed to 1


def test_a_folder_without_volumes_is_refused(tmp_path):
    with pytest.raises(UsageError, match="spm_T1"):
        read_backgrounds(tmp_path)


def test_the_loss_falls_and_is_least_for_the_truth(backgrounds):
    examples = lesion_batch(backgrounds, torch.Generator().manual_seed(1), 2)
    torch.manual_seed(0)
    recipe = recipe_named("lesion-net")
    training = recipe.begin(recipe.build())
    first = sum(training.advance(0, examples).values())
    for number in range(1, 6):
        last = sum(training.advance(number + 100, examples).values())
    assert last < first

    class Knows(torch.nn.Module):
        def at_every_scale(self, sources, marks):
            whole = examples.truth[:, None]
            sizes = [SIZE, SIZE // 2, SIZE // 4]
            return [40 * torch.nn.functional.interpolate(whole, size=(n,) * 3, mode="area")[:, 0] - 20 for n in sizes]

    assert sum(loss(Knows(), examples).values()) < 0.2
    assert len(DEEP) == 3 and soft_dice(examples.truth, examples.truth) == pytest.approx(1)


def test_the_network_takes_any_size_and_number_of_sources_in_any_order():
    torch.manual_seed(0)
    network = LesionNet().eval()
    sources, marks = torch.rand(1, 3, 9, 17, 12), torch.rand(1, 3, 3, 9, 17, 12)
    with torch.inference_mode():
        found = network(sources, marks)
        turned = network(sources.flip(1), marks.flip(1))
        single = network(sources[:, :1], marks[:, :1])
    assert found.shape == single.shape == (1, 9, 17, 12)
    assert torch.allclose(found, turned, atol=1e-4)


def test_the_figures_are_those_of_the_held_back_volume(backgrounds, monkeypatch):
    class Nothing(torch.nn.Module):
        def forward(self, sources, marks):
            return torch.full(sources[:, 0].shape, -1.0)

    monkeypatch.setattr(lesion_net, "TESTED", 6)
    found = figures(Nothing(), LesionData(backgrounds, backgrounds))
    assert found["examples"] == 6 and found["dice_median"] < 0.05
    assert "glioma" in found["held_back"]
    assert np.isfinite(found["dice_mean"])
