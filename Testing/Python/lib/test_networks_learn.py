"""Every network learns: one pair by heart, and in training more than it knew before."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from MedFusionLib.networks.convex import ConvexWeights, fuse_convex
from MedFusionLib.networks.ifcnn import IFCNN
from MedFusionLib.networks.information import InformationNet
from MedFusionLib.networks.mcfnet import MCFNet
from MedFusionLib.networks.msdnet import MSDNet
from MedFusionLib.networks.nestfuse import NestFuse
from MedFusionLib.networks.pyramid_cnn import PyramidWeights
from MedFusionLib.networks.u2fusion import U2Fusion
from MedFusionLib.training.bargain import Bargain, Shown
from MedFusionLib.training.fusion import pair_batch
from MedFusionLib.training.mixed import Mixed
from MedFusionLib.training.pairs import HELD_BACK, Pairs, read_pairs
from MedFusionLib.training.recipe import Descent, Stages
from MedFusionLib.training.recipes import NAMES, convex, convex_aims, recipe_named
from MedFusionLib.training.recipes.convex import REACHED
from MedFusionLib.training.recipes.siamese import loss as siamese_loss
from MedFusionLib.weights import load_tensors

REBUILDS = (InformationNet, MSDNet, NestFuse)
FUSES = (IFCNN, MCFNet, PyramidWeights, U2Fusion, ConvexWeights)
BUILDS = {PyramidWeights: lambda: PyramidWeights(levels=2)}
RATES = {NestFuse: 2e-3, MCFNet: 2e-3, PyramidWeights: 1e-2, U2Fusion: 2e-3, ConvexWeights: 2e-3}
STEPS = {NestFuse: 40, U2Fusion: 80}
ROUNDS = 2
"""Batches over which losses are compared."""
BARGAINS = ("convex-aims", "convex")
"""Trained with prices that rise, and the loss with them."""


def two_pictures():
    """(1, 2, 16, 16): blocks of four samples, one picture bright on the left and one on the right."""
    blocks = torch.rand(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    side = torch.tensor([[1.0, 1.0, 0.3, 0.3], [0.3, 0.3, 1.0, 1.0]])
    return (blocks * side[None, :, None]).repeat_interleave(4, dim=-1).repeat_interleave(4, dim=-2)


def by_heart(network, loss, example, rounds=100, rate=5e-3):
    """Share of the first loss that is left."""
    training = Descent(network, loss, rounds, rate=rate)
    losses = [sum(training.advance(number, example).values()) for number in range(rounds)]
    return losses[-1] / losses[0]


@pytest.mark.parametrize("build", REBUILDS + FUSES, ids=lambda build: build.__name__)
def test_a_network_learns_one_pair_by_heart(build):
    torch.manual_seed(0)
    pair = two_pictures()
    wanted = pair.amax(dim=1) if build in FUSES else pair[:, 0]

    def loss(network, sources):
        if build is ConvexWeights:
            image = fuse_convex(network, sources).image
        else:
            image = network(sources if build in FUSES else sources[:, :1]).reshape(wanted.shape)
        return {"mse": (image - wanted).square().mean()}

    network = BUILDS.get(build, build)()
    assert by_heart(network, loss, pair, STEPS.get(build, 100), RATES.get(build, 5e-3)) < 0.15


def test_the_siamese_network_learns_one_decision_by_heart():
    torch.manual_seed(0)
    recipe = recipe_named("siamese")
    sharp = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    soft = torch.nn.functional.avg_pool2d(sharp, 5, stride=1, padding=2)
    example = torch.cat((sharp[:2], soft[2:])), torch.cat((soft[:2], sharp[2:])), torch.tensor([0, 0, 1, 1])
    assert by_heart(recipe.build(), siamese_loss, example, rounds=30, rate=1e-3) < 0.15


def test_the_similarity_of_bands_learns_one_decision_by_heart():
    torch.manual_seed(0)
    recipe = recipe_named("shearlet-cnn")
    bands = torch.randn(4, 1, 32, 32, generator=torch.Generator().manual_seed(2))
    example = bands, torch.cat((bands[:2] + 0.1, bands[:2])), torch.tensor([1.0, 1.0, 0.0, 0.0])
    training = recipe.begin(recipe.build())
    assert by_heart(training.network, training.loss, example, rounds=30, rate=2e-3) < 0.6


@pytest.mark.parametrize("name", [name for name in NAMES if name not in BARGAINS])
def test_training_lowered_the_loss_of_a_network_on_what_it_has_not_seen(name, data_folder, few_pairs):
    recipe = recipe_named(name)
    trained, untrained = _networks(recipe)
    training = recipe.begin(untrained)
    if isinstance(training, Stages):
        training = training.stages[-1]
    if not isinstance(training, Descent):
        pytest.skip("trained by turns of two networks: a falling loss is no sign there")
    batch = _unseen(recipe, data_folder, few_pairs)
    batches = [batch(torch.Generator().manual_seed(10**6 + number)) for number in range(ROUNDS)]
    before, after = (sum(_lost(training, network, batch) for batch in batches) for network in (untrained, trained))
    assert after < before


def test_every_stage_of_convex_weights_gets_nearer_to_the_aims(few_pairs):
    """At fixed prices, on whole pictures of cases held back: than the first values in every set, than before in all."""
    torch.manual_seed(0)
    stages = [ConvexWeights().eval(), recipe_named("convex-aims").build().eval()]
    stages += [_networks(recipe_named(name))[0].eval() for name in BARGAINS]
    pairs = [pair for pair in convex_aims.load(few_pairs, {}).train if pair.case in _cases_held_back(pair)]
    sets = sorted({pair.set for pair in pairs})
    assert len(sets) == 5  # three by luminance, two of them by the scalar behind the palette too
    losses = np.array([[_at_first_prices(network, pairs, name) for name in sets] for network in stages])
    assert (losses[1:] < losses[0]).all()
    assert (np.diff(losses.mean(axis=1)) < 0).all()


def _cases_held_back(pair):
    return HELD_BACK[pair.set.removesuffix(convex_aims.SCALAR)]


@torch.inference_mode()
def _at_first_prices(network, pairs, name):
    """Mean loss of the pairs of one set, at the prices that the last stage begins with."""
    losses = []
    for pair in (pair for pair in pairs if pair.set == name):
        training = Bargain(network, convex_aims.measure, convex.aims, REACHED, steps=1)  # prices move while it is used
        losses.append(_lost(training, network, Shown((name,), pair.tensor()[None])))
    return np.mean(losses)


def _lost(training, network, batch):
    return float(sum(training.loss(network, batch).values()).detach())


def _networks(recipe):
    trained, untrained = recipe.build(), None
    trained.load_state_dict(load_tensors(recipe.name))
    torch.manual_seed(recipe.seed)
    untrained = recipe.build()
    return trained, untrained


@pytest.fixture(scope="module")
def few_pairs(data_folder, tmp_path_factory):
    """A folder of pairs: of every set one to train on and three that are held back."""
    folder = tmp_path_factory.mktemp("pairs")
    for name, cases in HELD_BACK.items():
        for modality in (data_folder / "aanlib2d" / name).iterdir():
            (folder / name / modality.name).mkdir(parents=True)
            pictures = sorted(modality.glob("*.png"))
            tests = [picture for picture in pictures if picture.stem[:-3] in cases]
            for picture in (next(one for one in pictures if one not in tests), *tests[:: len(tests) // 3]):
                (folder / name / modality.name / picture.name).symlink_to(picture)
    return folder


def _unseen(recipe, folder, pairs):
    """Batches like those of a recipe, of what it was not trained on."""
    if recipe.name == "lesion-net":  # makes its lesions by chance
        return partial(recipe.batch, recipe.load(folder))
    if recipe.name in ("convex-free", "mcfnet"):  # trained on other data: shown the pairs held back from the others
        batch = recipe.batch if recipe.name == "convex-free" else pair_batch
        return partial(batch, Pairs(read_pairs(pairs).test, []))
    data = recipe.load(pairs if recipe.needs_data else None)
    if isinstance(data, Mixed):
        parts = {name: _held_back(getattr(data, name)) for name in ("pairs", "photographs")}
        return partial(recipe.batch, replace(data, **parts))
    return partial(recipe.batch, _held_back(data))


def _held_back(data):
    assert data.test
    return replace(data, train=data.test)
