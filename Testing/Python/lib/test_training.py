"""Training: recipes, checkpoints, splits, losses, augmentation."""

import hashlib
import itertools
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file
from skimage.metrics import structural_similarity

from MedFusionLib.errors import Cancelled, UnreadableFile, UsageError
from MedFusionLib.metrics import evaluate
from MedFusionLib.training import augment, losses, objectives, runner
from MedFusionLib.training.averaged import Averaged
from MedFusionLib.training.fold import STAGES, fold
from MedFusionLib.training.pairs import read_pairs
from MedFusionLib.training.recipe import Descent, Recipe, rate_factor
from MedFusionLib.training.recipes import NAMES, recipe_named
from MedFusionLib.training.runner import TrainOptions, train
from MedFusionLib.weights import card


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def line(steps=40, **changes):
    """A recipe that finds y = 3 x + 1."""

    def batch(data, chance):
        return torch.rand(16, 1, generator=chance)

    def loss(network, x):
        return {"error": (network(x) - 3 * x - 1).square().mean()}

    return Recipe(
        **{
            "name": "line",
            "build": lambda: torch.nn.Linear(1, 1),
            "load": lambda folder: None,
            "batch": batch,
            "begin": lambda network: Descent(network, loss, steps, rate=0.3),
            "steps": steps,
            "figures": lambda network, data: {"at_one": round(float(network(torch.ones(1, 1))), 2)},
            **changes,
        }
    )


def test_a_recipe_leaves_weights_a_card_and_a_curve(tmp_path):
    done = train(line(), TrainOptions(None, tmp_path))
    assert done["finished"] and done["steps"] == 40
    record = json.loads((tmp_path / "line.json").read_text())
    assert record["sha256"] == hashlib.sha256((tmp_path / "line.safetensors").read_bytes()).hexdigest()
    assert record["parameters"] == 2
    machine = record["machine"]
    assert machine["torch"] == torch.__version__ and machine["instructions"] and machine["maker"]
    assert record["figures"]["at_one"] == pytest.approx(4, abs=0.3)
    assert Image.open(tmp_path / "line.png").size == (800, 400)
    assert not list(tmp_path.glob("*.checkpoint.*"))


def averaging(network, first=30, steps=40):
    return Averaged(line(steps).begin(network), first, steps)


def test_a_training_can_end_with_the_mean_of_its_last_weights():
    recipe, seen = line(), []
    torch.manual_seed(0)
    plain = recipe.begin(recipe.build())
    torch.manual_seed(0)
    mean = averaging(recipe.build())
    for number in range(40):
        batch = recipe.batch(None, torch.Generator().manual_seed(number))
        plain.advance(number, batch)
        mean.advance(number, batch)
        seen.append(plain.network.weight.detach().clone())
    assert mean.network.weight.item() == pytest.approx(torch.stack(seen[30:]).mean().item(), abs=1e-6)


def test_normalisation_keeps_its_statistics_at_the_end_of_a_descent():
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(1), torch.nn.Conv2d(1, 1, 1))
    means = []
    training = Descent(network, lambda network, batch: {"mse": network(batch).square().mean()}, 8, settled=0.25)
    for number in range(8):
        network.train()
        training.advance(number, torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(number)))
        means.append(network[0].running_mean.item())
    assert len(set(means)) == 6
    assert means[5] == means[7]


@pytest.mark.parametrize("stop", [13, 33])
def test_the_mean_of_the_last_weights_survives_a_stop(tmp_path, stop):
    recipe = line(begin=averaging)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(recipe, TrainOptions(None, whole))
    asked = itertools.count()
    with pytest.raises(Cancelled):
        train(recipe, TrainOptions(None, parts), cancelled=lambda: next(asked) == stop)
    train(recipe, TrainOptions(None, parts))
    assert (whole / "line.safetensors").read_bytes() == (parts / "line.safetensors").read_bytes()


def test_a_training_stopped_and_gone_on_gives_the_same_bytes(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(line(), TrainOptions(None, whole))
    asked = itertools.count()
    with pytest.raises(Cancelled, match="goes on"):
        train(line(), TrainOptions(None, parts), cancelled=lambda: next(asked) == 13)
    assert not (parts / "line.safetensors").exists()
    out_of_time = train(line(), TrainOptions(None, parts, minutes=0))
    assert not out_of_time["finished"] and out_of_time["steps"] == 14
    train(line(), TrainOptions(None, parts))
    assert (whole / "line.safetensors").read_bytes() == (parts / "line.safetensors").read_bytes()


def test_a_card_tells_all_machines_of_a_training_that_went_on_elsewhere(tmp_path, monkeypatch):
    first = {"torch": "2", "processor": "x", "instructions": "AVX512"}  # from before cards named the maker
    second = {**first, "maker": "y", "instructions": "AVX2"}
    for machine, minutes in ((first, 0), (second, 0), (second, None)):
        monkeypatch.setattr(runner, "kind_of_machine", lambda machine=machine: machine)
        train(line(), TrainOptions(None, tmp_path, minutes))
    record = json.loads((tmp_path / "line.json").read_text())
    assert record["machine"] == {
        "torch": "2", "processor": "x", "maker": "unknown, then y", "instructions": "AVX512, then AVX2",
    }  # fmt: skip
    assert "--instructions" not in record["command"]


@pytest.mark.parametrize(
    ("told", "called", "maker"),
    [
        ("processor\t: 0\nvendor_id\t: GenuineIntel\nprocessor\t: 1\nvendor_id\t: GenuineIntel\n", "", "GenuineIntel"),
        ("processor\t: 0\nCPU implementer\t: 0x41\n", "", "unknown"),
        (None, "AMD64 Family 25 Model 33 Stepping 0, AuthenticAMD", "AuthenticAMD"),
        (None, "arm", "arm"),
        (None, "", "unknown"),
    ],
)
def test_the_maker_of_the_processor_is_found(tmp_path, monkeypatch, told, called, maker):
    cpus = tmp_path / "cpuinfo"
    if told:
        cpus.write_text(told)
    monkeypatch.setattr(runner, "CPUS", cpus)
    monkeypatch.setattr(runner.platform, "processor", lambda: called)
    assert runner.kind_of_machine()["maker"] == maker


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    (tmp_path / "line.checkpoint.safetensors").write_bytes(b"not a checkpoint")
    with pytest.raises(UnreadableFile, match="Delete it"):
        train(line(), TrainOptions(None, tmp_path))
    train(line(), TrainOptions(None, tmp_path / "b", minutes=0))
    (tmp_path / "b/line.checkpoint.safetensors").rename(tmp_path / "b/other.checkpoint.safetensors")
    with pytest.raises(UnreadableFile, match="recipe other"):
        train(line(name="other"), TrainOptions(None, tmp_path / "b"))


def test_a_recipe_without_its_data_is_refused(tmp_path):
    with pytest.raises(UsageError, match="--data"):
        train(line(needs_data=True), TrainOptions(None, tmp_path))
    with pytest.raises(UsageError, match="densefuse"):
        recipe_named("magic")


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_belongs_to_weights_whose_card_says_how_they_were_made(name):
    recipe, record = recipe_named(name), card(name)
    assert recipe.name == record["name"] == name
    assert record["steps"] == recipe.steps and record["seed"] == recipe.seed
    assert record["parameters"] == sum(p.numel() for p in recipe.build().parameters())
    for key in ("title", "citation", "reproduces", "guessed", "training_data", "intended_use", "command", "figures"):
        assert record[key], key


def write_pairs(folder, names, modalities=("ct", "mri")):
    for modality in modalities:
        (folder / modality).mkdir(parents=True)
        for name in names:
            Image.fromarray(np.full((8, 8), 50, np.uint8)).save(folder / modality / f"{name}.png")


def test_pairs_are_split_by_case_and_the_anatomical_picture_comes_first(tmp_path):
    write_pairs(tmp_path / "ct_mri", ["2001", "2002", "28001", "34001"])
    Image.fromarray(np.full((8, 8, 3), (255, 0, 0), np.uint8)).save(tmp_path / "ct_mri/mri/2001.png")
    pairs = read_pairs(tmp_path)
    assert {pair.case for pair in pairs.train} == {"2"}
    assert {pair.case for pair in pairs.test} == {"28", "34"}
    assert pairs.train[0].pixels[:, 0, 0].tolist() == [76, 50]
    with pytest.raises(UsageError, match="no pairs"):
        read_pairs(tmp_path / "ct_mri")


def test_a_fold_holds_another_case_of_pet_back_and_every_stage_needs_the_one_before(tmp_path):
    write_pairs(tmp_path / "pet_mri", ["25001", "30001", "30002"], ("pet", "mri"))
    stages = [fold(recipe_named(name), "25", tmp_path) for name in STAGES]
    first, last = stages[0], stages[-1]
    pairs = first.load(tmp_path)
    assert ({pair.case for pair in pairs.train}, {pair.case for pair in pairs.test}) == ({"30"}, {"25"})
    assert first.about["training_data"]["held_back"]["pet_mri"] == ["25"]
    assert (last.name, last.words) == ("convex-fold25", "convex --fold 25")
    weights = first.build().state_dict()
    for before, stage in itertools.pairwise(stages):
        with pytest.raises(UsageError, match="stage before"):
            stage.build()
        save_file(weights, tmp_path / f"{before.name}.safetensors")
        built = stage.build().state_dict()
        own, beside = built["stem.weight"].tensor_split([weights["stem.weight"].shape[1]], dim=1)
        assert torch.equal(own, weights["stem.weight"]) and not beside.any()
        assert all(torch.equal(value, weights[name]) for name, value in built.items() if name != "stem.weight")
        weights = built
    with pytest.raises(UsageError, match="no case 7"):
        fold(recipe_named("convex"), "7", tmp_path).load(tmp_path)
    with pytest.raises(UsageError, match="no folds"):
        fold(recipe_named("densefuse"), "25", tmp_path)


def test_losses_have_their_known_values():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 1, 1, 40, 44)).astype(np.float32)
    a, b = torch.from_numpy(first), torch.from_numpy(second)
    reference = structural_similarity(
        first[0, 0], second[0, 0], gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0
    )
    assert float(losses.ssim(a, b)) == pytest.approx(reference, abs=0.02)
    assert float(losses.ssim(a, a)) == pytest.approx(1, abs=1e-6)
    assert float(losses.ms_ssim(a, a)) == pytest.approx(1, abs=1e-6)
    assert float(losses.correlation(a, 2 * a + 1)) == pytest.approx(1, abs=1e-4)
    assert float(losses.total_variation(torch.full((1, 1, 9, 9), 0.3))) == 0
    ramp = torch.arange(9.0).expand(1, 1, 9, 9)
    assert float(losses.gradient(ramp)[0][..., 1:-1, 1:-1].mean()) == pytest.approx(1)
    sources = torch.cat((a, b), dim=1)
    assert float(losses.intensity_loss(sources.amax(dim=1, keepdim=True), sources)) == 0
    assert float(losses.feature_loss([a], [a])) == 0


def test_information_by_single_grey_levels_is_the_metric_itself_on_whole_numbers():
    first = (255 * torch.rand(1, 1, 40, 40, generator=generator())).round()
    second = (0.6 * first + 80 * torch.rand(1, 1, 40, 40, generator=generator(1))).round()
    images = [image[0].numpy() / 255 for image in (first, first, second)]
    expected = evaluate(images[:2], images[2], metrics=("q_mi",))["q_mi"] / 2
    assert float(objectives.fine_information(first, second)) == pytest.approx(expected, abs=1e-4)
    assert float(objectives.fine_information(first, first)) == pytest.approx(1, abs=1e-4)
    between = (second + 0.5).requires_grad_(True)
    objectives.fine_information(first, between).sum().backward()
    assert torch.isfinite(between.grad).all() and between.grad.abs().max() > 0


def test_every_loss_has_a_slope():
    image = torch.rand(1, 1, 48, 48, generator=generator(), requires_grad=True)
    sources = torch.rand(1, 2, 48, 48, generator=generator(1))
    total = losses.gradient_loss(image, sources) + losses.intensity_loss(image, sources)
    total = total + losses.ssim(image, sources[:, :1]) + losses.ms_ssim(image, sources[:, 1:])
    (total + losses.total_variation(image) + losses.correlation(image, sources[:, :1]).sum()).backward()
    assert torch.isfinite(image.grad).all() and image.grad.abs().max() > 0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_augmentation_moves_all_sources_alike_unless_told(seed):
    image = torch.rand(1, 24, 30, generator=generator(seed))
    same = image.expand(2, -1, -1)
    for change in (augment.flip_and_turn, augment.turn_and_scale):
        moved = change(same, generator(seed))
        assert torch.equal(moved[0], moved[1])
    cut = augment.crop(same, 16, generator(seed))
    assert cut.shape == (2, 16, 16)
    apart = augment.misalign(same, generator(seed))
    assert torch.equal(apart[0], image[0]) and not torch.equal(apart[1], image[0])
    assert float(augment.noise(torch.zeros(1, 8, 8), generator(seed)).abs().max()) == 0
    mixed = augment.mixup(image, 1 - image, generator(seed))
    assert mixed.min() >= 0 and mixed.max() <= 1
    pasted = augment.cutmix(torch.zeros(1, 20, 20), torch.ones(1, 20, 20), generator(seed))
    assert 0.02 < float(pasted.mean()) < 0.6


def test_an_affine_augmentation_without_change_changes_nothing_and_a_shift_is_in_samples():
    image = torch.rand(1, 12, 16, generator=generator())
    assert torch.allclose(augment.affine(image, 0.0, 1.0, (0.0, 0.0)), image, atol=1e-6)
    moved = augment.affine(image, 0.0, 1.0, (2.0, 0.0))
    assert torch.allclose(moved[:, 2:], image[:, :-2], atol=1e-5)
    turned = augment.affine(image[:, :, :12], 90.0, 1.0, (0.0, 0.0))
    assert torch.allclose(turned.rot90(1, (-2, -1)), image[:, :, :12], atol=1e-4) or torch.allclose(
        turned.rot90(-1, (-2, -1)), image[:, :, :12], atol=1e-4
    )


def test_the_rate_rises_and_falls():
    factors = [rate_factor(n, 100) for n in range(100)]
    assert max(factors) == pytest.approx(1) and factors.index(max(factors)) < 10
    assert factors[-1] < 0.02 and factors[0] < 0.5
