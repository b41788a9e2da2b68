"""Backbones for regions of interest: sizes as in the papers, one interface, any size of image."""

import pytest
import torch
from torch import nn

from MedFusionLib.errors import NotSupported, UsageError
from MedFusionLib.networks.encoders import ENCODERS, NETWORKS, NetworkSpec, create_encoder, create_network
from MedFusionLib.networks.encoders.vnet import DOWN_CONVOLUTIONS, UP_CONVOLUTIONS
from MedFusionLib.training.recipe import Descent

CLASSIFIERS = {
    "resnet20": (10, 0.27),
    "resnet56": (10, 0.85),
    "resnet110": (10, 1.7),
    "resnet50": (1000, 25.5),
    "resnext50": (1000, 25.0),
    "wideresnet16-8": (10, 11.0),
    "wideresnet28-10": (10, 36.5),
    "wideresnet40-4": (10, 8.9),
}
"""Classes, and millions of values with a classifier on top, as He, Xie and Zagoruyko state them."""
SMALL = 0.05
SHOWN = ("unet", "vnet", "fcn", "fpn", "dense-unet", "h-dense-unet", "resnet20", "resnext50", "wideresnet16-8")


def values(module):
    return sum(parameter.numel() for parameter in module.parameters())


def convolutions(module):
    return sum(isinstance(one, nn.Conv2d | nn.Conv3d) for one in module.modules())


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_an_encoder_with_a_classifier_has_as_many_values_as_its_paper_says(name):
    classes, millions = CLASSIFIERS[name]
    with torch.device("meta"):
        encoder = create_encoder(name, 3, 2)
    total = values(encoder) + (encoder.channels[-1] + 1) * classes
    digits = 2 if millions < 1 else 1
    assert abs(total / 1e6 - millions) < 0.06 and (digits == 1 or round(total / 1e6, 2) == millions)


def test_the_3d_unet_has_exactly_the_values_of_its_paper():
    with torch.device("meta"):
        assert values(create_network(NetworkSpec("unet", 3, 3, dims=3))) == 19_069_955


def test_fcn_has_the_134_million_values_of_its_paper():
    with torch.device("meta"):
        assert round(values(create_network(NetworkSpec("fcn", 3, 21, dims=2))) / 1e6) == 134


@pytest.mark.parametrize(("inputs", "dims", "layers"), [(3, 2, 167), (4, 3, 65)])
def test_dense_unets_have_the_layers_that_they_are_named_after(inputs, dims, layers):
    with torch.device("meta"):
        assert convolutions(create_network(NetworkSpec("dense-unet", inputs, 3, dims=dims))) == layers


def test_vnet_sees_as_far_as_its_paper_says():
    seen, step, table = 1, 1, []
    for scale, count in enumerate(DOWN_CONVOLUTIONS):
        if scale:
            seen, step = seen + step, 2 * step
        seen += 4 * step * count
        table.append(seen)
    for count in reversed(UP_CONVOLUTIONS):
        step //= 2
        seen += step + 4 * step * count
        table.append(seen)
    assert table == [5, 22, 72, 172, 372, 476, 528, 546, 551]


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(
    "name", ["unet", "vnet", "fcn", "fpn", "dense-unet", "resnet18", "resnext50", "wideresnet16-8"]
)
def test_every_encoder_keeps_its_promise_of_channels_and_strides(name, dims):
    encoder = create_encoder(name, 2, dims, SMALL).eval()
    size = [2 * max(stride[axis] for stride in encoder.strides) for axis in range(dims)]
    with torch.inference_mode():
        features = encoder(torch.rand(1, 2, *size))
    assert len(features) == len(encoder.channels) == len(encoder.strides) >= 3
    for one, channels, stride in zip(features, encoder.channels, encoder.strides):
        assert one.shape == (1, channels, *(n // step for n, step in zip(size, stride)))
    assert all(max(fine) < max(coarse) for fine, coarse in zip(encoder.strides, encoder.strides[1:]))


@pytest.mark.parametrize(("name", "dims"), [(n, d) for n in SHOWN for d in (2, 3) if (n, d) != ("h-dense-unet", 2)])
def test_every_network_answers_at_the_size_of_any_image(name, dims):
    network = create_network(NetworkSpec(name, 2, 3, dims, SMALL)).eval()
    image = torch.rand(1, 2, *((37, 21) if dims == 2 else (5, 37, 21)))
    with torch.inference_mode():
        found = network(image)
    assert found.shape == (1, 3, *image.shape[2:])
    assert torch.isfinite(found).all()


@pytest.mark.parametrize(("name", "steps"), [("unet", 60), ("resnet20", 150), ("dense-unet", 40)])
def test_a_network_learns_the_mask_of_one_image(name, steps):
    torch.manual_seed(0)
    image = torch.rand(2, 1, 32, 32)
    truth = torch.zeros(2, dtype=torch.long)[:, None, None].repeat(1, 32, 32)
    truth[:, 8:20, 10:24] = 1
    image[:, 0][truth == 1] += 1

    def loss(network, batch):
        return {"entropy": nn.functional.cross_entropy(network(batch), truth)}

    training = Descent(create_network(NetworkSpec(name, 1, 2, 2, 0.1)), loss, steps, rate=1e-2)
    for number in range(steps):
        training.advance(number, image)
    found = training.network(image).argmax(dim=1)
    assert 2 * (found * truth).sum() / (found.sum() + truth.sum()) > 0.9


def test_nonsense_is_no_network():
    with pytest.raises(NotSupported, match="magic"):
        create_encoder("magic", 1)
    with pytest.raises(NotSupported, match="magic"):
        NetworkSpec("magic", 1, 2)
    with pytest.raises(NotSupported, match="2 dimensions"):
        NetworkSpec("h-dense-unet", 1, 2, dims=2)
    for wrong in ({"inputs": 0}, {"classes": 999}, {"width": 0.0}, {"width": 1e9}, {"inputs": 1.5}):
        with pytest.raises(UsageError):
            NetworkSpec(**{"name": "unet", "inputs": 1, "classes": 2, **wrong})
    assert set(ENCODERS) < set(NETWORKS)
