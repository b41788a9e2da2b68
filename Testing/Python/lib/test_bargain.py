"""Training towards aims: prices follow what is missed, and a stop loses nothing."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from PIL import Image

from MedFusionLib.metrics import evaluate
from MedFusionLib.training import bargain
from MedFusionLib.training.bargain import Aim, Bargain, Measured, Shown
from MedFusionLib.training.kept import kept_of, kept_of_plain_fusions
from MedFusionLib.training.recipe import TrainingCollapsed
from MedFusionLib.training.recipes import convex, convex_aims
from training_pairs import generator

IMAGES = torch.zeros(2, 2, 4, 4)


def bargaining(steps=200, rate=0.05, **aims):
    """One value that is asked to be small for one set and large for another."""
    torch.manual_seed(0)

    def measure(network, images):
        value = network.bias.expand(len(images))
        return Measured({"up": value, "down": -value}, {"maximum": {"up": 0 * value, "down": 0 * value}}, {})

    return Bargain(torch.nn.Linear(1, 1), measure, lambda name: aims[name], steps=steps, rate=rate)


def test_a_price_rises_while_its_aim_is_missed_up_to_its_limit_and_falls_when_it_is_exceeded():
    missed, exceeded = Aim(1.0, surplus=50.0, dearest=0.06), Aim(1.0, surplus=-50.0)
    training = bargaining(a={"up": missed, "down": exceeded})
    for number in range(20):
        training.advance(number, Shown(("a",), IMAGES[:1]))
    high, low = training.prices["a"].tolist()
    assert high == missed.dearest
    assert low == bargain.LEAST_PRICE
    assert float(training.network.bias.detach()) > 0.5  # pulled to where the missed aim is


def test_of_two_opposite_aims_the_one_that_may_get_dearer_is_reached():
    training = bargaining(600, a={"up": Aim(1.0, surplus=5.0)}, b={"down": Aim(1.0, surplus=-1.0, dearest=0.1)})
    reached = []
    for number in range(600):
        training.advance(number, Shown(("a", "b"), IMAGES))
        reached.append(float(training.network.bias.detach()))
    assert sum(reached[-200:]) / 200 > 4  # one asks for 5 and more, the other for 1 and less
    assert set(training.prices) == {"a", "b"}


def test_an_aim_speaks_of_its_reference():
    aim = Aim(0.5, share=0.8, surplus=0.1, reference="better")
    assert float(aim.shortfall(torch.tensor(0.4), torch.tensor(1.0))) == pytest.approx(1.0)


def test_prices_survive_a_stop():
    whole, first, second = (bargaining(a={"up": Aim(1.0, surplus=5.0)}) for _ in range(3))
    for number in range(10):
        whole.advance(number, Shown(("a",), IMAGES[:1]))
    for number in range(5):
        first.advance(number, Shown(("a",), IMAGES[:1]))
    second.restore(first.tensors())
    for number in range(5, 10):
        second.advance(number, Shown(("a",), IMAGES[:1]))
    assert torch.equal(whole.prices["a"], second.prices["a"])
    assert torch.equal(whole.network.bias, second.network.bias)


def test_a_bargain_that_comes_to_no_number_is_stopped():
    training = bargaining(a={"up": Aim(1.0, surplus=float("nan"))})
    with pytest.raises(TrainingCollapsed, match="no number"):
        training.advance(0, Shown(("a",), IMAGES[:1]))


@pytest.mark.parametrize(("late", "is_stopped"), [(0.9 * bargain.NEAR, False), (3 * bargain.NEAR, True)])
def test_a_bargain_that_begins_near_its_aims_is_stopped_only_when_it_gets_far_from_them(late, is_stopped):
    training = bargaining(steps=150, rate=0.0, a={"up": Aim(1.0, surplus=0.1)})
    aims = {"a": {"up": Aim(1.0, surplus=0.1)}}
    training.aims = aims.__getitem__
    for number in range(100):
        training.advance(number, Shown(("a",), IMAGES[:1]))
    aims["a"] = {"up": Aim(1.0, surplus=late)}
    with pytest.raises(TrainingCollapsed, match="began at") if is_stopped else nullcontext():
        for number in range(100, 150):
            training.advance(number, Shown(("a",), IMAGES[:1]))


def test_what_is_kept_are_the_metrics():
    smooth = torch.nn.functional.avg_pool2d(torch.rand(1, 2, 100, 100, generator=generator()), 5)
    sources = (255 * torch.nn.functional.interpolate(smooth, scale_factor=8, mode="bilinear")).round() / 255
    fused = (255 * (0.6 * sources[:, :1] + 0.4 * sources[:, 1:])).round() / 255
    had = evaluate([source.numpy() for source in sources[0]], fused[0, 0].numpy(), roles=("anatomical", "functional"),
                   metrics=("scd", "vif", "ssim", "ssim_w", "func", "anat", "clin"))  # fmt: skip
    found = kept_of(fused, sources)
    for name, value in had.items():
        assert float(found[name]) == pytest.approx(value, abs=0.02), name
    plain = kept_of_plain_fusions(sources)
    for name, value in plain["better"].items():
        assert float(value) >= float(plain["maximum"][name])


def test_coloured_pairs_are_trained_on_by_luminance_and_by_the_scalar_behind_their_palette(tmp_path):
    ramp = np.linspace(0, 1, 64)
    scalar = np.tile(np.rint(63 * ramp).astype(int), (64, 1))
    palette = np.stack([np.clip(3 * ramp - k, 0, 1) for k in range(3)], axis=1)
    for modality, picture in (("mri", scalar * 4), ("pet", np.rint(255 * palette[scalar]))):
        folder = tmp_path / "pet_mri" / modality
        folder.mkdir(parents=True)
        for name in ("25001.png", "30001.png"):
            Image.fromarray(picture.astype(np.uint8)).save(folder / name)
    pairs = convex_aims.load(tmp_path)
    assert sorted(pairs.sets()) == ["pet_mri", "pet_mri" + convex_aims.SCALAR]
    assert {pair.case for pair in pairs.train} == {"25"} and {pair.case for pair in pairs.test} == {"30"}
    shown = convex_aims.batch(pairs, generator())
    assert shown.images.shape == (2, 2, 64, 64) and set(shown.sets) == set(pairs.sets())
    for name in shown.sets:
        assert convex.aims(name).keys() == convex_aims.aims(name).keys() >= set(convex.REACHED.get(name, {}))


def test_prices_may_begin_where_others_ended():
    training = bargaining(a={"up": Aim(1.0, surplus=5.0), "down": Aim(1.0)})
    training.first = {"a": {"up": 0.3}}
    training.advance(0, Shown(("a",), IMAGES[:1]))
    high, low = training.prices["a"].tolist()
    assert high == pytest.approx(0.3 + bargain.MOST_SHORT * bargain.RISE) and low < bargain.FIRST_PRICE / 5
