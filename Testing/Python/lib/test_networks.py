"""Networks: sizes as in the papers, overfitting one pair, loading, attribution."""

import importlib
import json
from functools import cache
from importlib import resources

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from MedFusionLib.engine import EngineOptions, run
from MedFusionLib.errors import UnreadableFile
from MedFusionLib.methods.base import ALL_PAIRS
from MedFusionLib.methods.catalogue import create_method, default_for, methods
from MedFusionLib.networks import ddcgan, fusiongan, loading
from MedFusionLib.networks.attribution import attributed_parts
from MedFusionLib.networks.convex import ConvexWeights, combine_bands
from MedFusionLib.networks.dense_dcgan import DenseDCGAN
from MedFusionLib.networks.densefuse import DenseFuse
from MedFusionLib.networks.emfusion import EMFusion
from MedFusionLib.networks.ifcnn import IFCNN, JOINS
from MedFusionLib.networks.layers import conv, reflected
from MedFusionLib.networks.loading import count_parameters, load_network
from MedFusionLib.networks.msdnet import MSDNet
from MedFusionLib.networks.nestfuse import NestFuse
from MedFusionLib.networks.pmgi import PMGI
from MedFusionLib.networks.sdnet import SDNet
from MedFusionLib.networks.siamese import Siamese
from MedFusionLib.networks.u2fusion import U2Fusion
from MedFusionLib.networks.vgg import VGG16
from MedFusionLib.training.losses import ssim
from MedFusionLib.training.pairs import read_pairs
from MedFusionLib.training.recipe import Descent
from MedFusionLib.training.recipes import NAMES
from MedFusionLib.transforms.filters import envelope
from MedFusionLib.weights import card

SIZES = {
    DenseFuse: 74_193,
    MSDNet: 291_473,
    NestFuse: 2_732_761,
    VGG16: 1_735_488,
    U2Fusion: 659_217,
    EMFusion: 148_545,
    PMGI: 42_401,
    SDNet: 67_091,
    IFCNN: 83_843,
    Siamese: 435_202,
}
"""Trained values as the papers' own networks have them, running statistics of normalisation included."""
WEIGHT_BYTES = 25e6
LEARNED = [info.name for info in methods() if info.family.endswith(("networks", "encoders", "learning"))]
VEILED = {"fusiongan": 3}
"""Grey levels up to which these may lift black, as Docs/networks.md says; the others must stay below 1."""


@pytest.mark.parametrize("build", SIZES, ids=lambda build: build.__name__)
def test_a_network_has_as_many_values_as_that_of_its_paper(build):
    state = build().state_dict()
    assert sum(value.numel() for name, value in state.items() if "num_batches" not in name) == SIZES[build]


@pytest.mark.parametrize("build", [DenseFuse, EMFusion, PMGI, SDNet, fusiongan.shipped, ddcgan.shipped, DenseDCGAN])
def test_a_network_learns_one_picture_by_heart(build):
    torch.manual_seed(0)
    picture = torch.rand(1, 1, 12, 12).repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2)
    shown = picture if build is DenseFuse else picture.expand(-1, 2, -1, -1)

    def loss(network, image):
        found = network(image)
        return {"mse": (found.reshape(picture.shape) - picture).square().mean()}

    training = Descent(build(), loss, 120, rate=5e-3)
    first = training.advance(0, shown)["mse"]
    for number in range(1, 120):
        last = training.advance(number, shown)["mse"]
    assert last < 0.1 * first
    training.network.eval()


def test_weights_that_do_not_fit_are_refused(monkeypatch):
    monkeypatch.setattr(loading, "load_tensors", lambda name: {"nothing": torch.zeros(1)})
    loading.load_network.cache_clear()
    with pytest.raises(UnreadableFile, match="do not fit"):
        load_network("densefuse", DenseFuse)
    loading.load_network.cache_clear()


def test_a_trained_auto_encoder_rebuilds_far_better_than_an_untrained_one():
    picture = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0)).repeat_interleave(4, -1)
    picture = picture.repeat_interleave(4, -2)
    torch.manual_seed(1)
    trained, untrained = load_network("densefuse", DenseFuse), DenseFuse()
    with torch.no_grad():
        assert ssim(trained(picture), picture) > 0.97
        assert ssim(untrained(picture), picture) < 0.5
    assert count_parameters(trained) == 74_193


def test_attribution_tells_from_which_source_the_values_come():
    generator = torch.Generator().manual_seed(0)
    sources = torch.rand(1, 3, 40, 40, generator=generator) + 0.1
    image = torch.where(torch.arange(40) < 20, sources[:, 0], sources[:, 2])
    parts = attributed_parts(image, sources)
    assert (parts.sum(dim=1) - image).abs().max() < 1e-6
    shares = parts / image[:, None]
    assert shares[0, 0, :, :15].mean() > 0.9 and shares[0, 2, :, 25:].mean() > 0.9
    assert shares[0, 1].mean() < 0.05


def test_attribution_gives_equal_sources_equal_parts_and_black_nothing():
    one = torch.rand(1, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    parts = attributed_parts(one[:, 0], one.expand(-1, 2, -1, -1))
    assert (parts[:, 0] - parts[:, 1]).abs().max() < 1e-5
    assert attributed_parts(torch.zeros(1, 9, 9), torch.zeros(1, 2, 9, 9)).abs().max() == 0


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(2, 4), volume=st.booleans())
def test_convex_weights_invent_nothing_and_know_what_every_source_gave(seed, count, volume):
    shape = (1, count, 6, 18, 21) if volume else (2, count, 23, 26)
    sources = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
    found = create_method("convex").fit(sources, (1.0,) * (len(shape) - 2)).fuse(sources, with_parts=True)
    low, high = envelope(sources)
    assert (found.image >= low - 1e-6).all() and (found.image <= high + 1e-6).all()
    assert (found.parts.sum(dim=1) - found.image).abs().max() < 1e-6
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    turned = create_method("convex").fit(sources, (1.0,) * (len(shape) - 2)).fuse(sources[:, order])
    assert (turned.image - found.image).abs().max() < 1e-5


def test_the_network_of_convex_weights_is_small_and_its_bands_add_up():
    assert count_parameters(ConvexWeights()) < 300_000
    sources = torch.rand(1, 2, 20, 24, generator=torch.Generator().manual_seed(0))
    same = combine_bands(sources[:, :1].expand(-1, 2, -1, -1), torch.full((1, 2, 3, 20, 24), 0.5))
    assert (same.image - sources[:, 0]).abs().max() < 1e-6
    only_first = torch.zeros(1, 2, 3, 20, 24)
    only_first[:, 0] = 1
    assert (combine_bands(sources, only_first).image - sources[:, 0]).abs().max() < 1e-6


def test_a_card_that_bounds_identical_sources_says_what_the_catalogue_says():
    bounds = {info.weights: info.identity_psnr for info in methods() if info.weights and info.identity_psnr}
    said = {record["sha256"]: record["identical_sources_psnr_db"] for record in map(card, NAMES)
            if "identical_sources_psnr_db" in record}  # fmt: skip
    used = said.keys() & bounds.keys()
    assert used and all(said[sha256] == bounds[sha256] for sha256 in used)


@pytest.mark.parametrize("margin", [1, 2, 3])
def test_the_margin_of_inference_is_that_of_torch_and_a_convolution_gives_the_same_with_it(margin):
    images = torch.randn(2, 6, 7, 5, generator=torch.Generator().manual_seed(margin))[:, 1:4]
    wanted = torch.nn.functional.pad(images, (margin,) * 4, mode="reflect")
    assert torch.equal(reflected(images, margin), wanted)
    layer = conv(3, 2, 2 * margin + 1)
    with torch.no_grad():
        wanted = layer(images.clamp(min=0))
    with torch.inference_mode():
        assert torch.allclose(layer.rectified(images), wanted, atol=1e-5)


def test_all_weights_together_stay_small():
    from importlib import resources

    folder = resources.files("MedFusionLib.weights")
    assert sum(len(e.read_bytes()) for e in folder.iterdir() if e.name.endswith(".safetensors")) < WEIGHT_BYTES


@pytest.mark.parametrize("name", LEARNED)
def test_black_stays_black_under_a_network(name):
    sources = torch.zeros(1, 2, 48, 48)
    found = create_method(name).fit(sources, (1.0, 1.0)).fuse(sources).image
    assert found.abs().max() < VEILED.get(name, 1) / 255


@pytest.mark.parametrize("join", JOINS)
@pytest.mark.parametrize("count", [2, 3])
def test_ifcnn_gives_a_picture_back_however_its_features_are_joined(join, count):
    picture = torch.zeros(1, 1, 64, 64)
    picture[..., 16:48, 16:48] = torch.linspace(0.2, 0.9, 32)
    same = picture.expand(-1, count, -1, -1)
    found = create_method("ifcnn", {"join": join}).fit(same, (1.0, 1.0)).fuse(same).image
    assert -10 * (found - picture[:, 0]).square().mean().log10() > 25
    assert found[:, :8].abs().max() < 2 / 255


@pytest.mark.parametrize("name", LEARNED)
def test_nothing_shines_around_a_held_back_head(name, data_folder):
    for pair in _heads(data_folder / "aanlib2d"):
        brightest = pair.pixels.max(axis=0).astype(np.float64)
        head = ndimage.binary_fill_holes(ndimage.binary_opening(brightest > 25))
        outside = ndimage.distance_transform_edt(~head)
        ring = (outside > 2) & (outside <= 14) & (ndimage.maximum_filter(brightest, 5) <= 4)
        stack = pair.pixels[:, None] / np.float32(255)
        fused = run(create_method(name), stack, options=EngineOptions("slice", "cpu", workers=1)).fused[0]
        shine = (255 * fused - brightest)[ring]
        assert ring.sum() > 1000
        assert shine.mean() < VEILED.get(name, 1)
        assert np.percentile(shine, 99) < 7


@cache
def _heads(folder):
    """A pair with CT and one with PET."""
    test = read_pairs(folder).test
    return [next(pair for pair in test if pair.name == name) for name in ("34004.png", "30080.png")]


def test_the_catalogue_says_where_a_network_stays_below_average_as_the_tables_do_and_no_default_does(
    project_folder, monkeypatch
):
    monkeypatch.syspath_prepend(project_folder / "tools")
    tool = importlib.import_module("update_networks")
    told = json.loads((resources.files("MedFusionLib.resources") / "below_average.json").read_text(encoding="utf-8"))
    assert told == tool.standing(tool.PAGE.read_text(encoding="utf-8")), "run: python tools/update_networks.py"
    marked = {info.name for info in methods() if "Below the average" in info.sentence}
    learned = {info.name for info in methods() if info.weights}
    assert marked == told.keys() & learned
    assert all(default_for(pair.split("-")) not in marked for pair in ALL_PAIRS)
