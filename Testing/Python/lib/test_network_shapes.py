"""Layers of networks: widths and windows as the papers, or the code that their authors published, have them."""

from collections import Counter
from itertools import pairwise

import pytest
from torch import nn

from MedFusionLib.networks.densefuse import DenseFuse
from MedFusionLib.networks.emfusion import EMFusion
from MedFusionLib.networks.ifcnn import IFCNN
from MedFusionLib.networks.information import InformationNet
from MedFusionLib.networks.mcfnet import MCFNet
from MedFusionLib.networks.msdnet import MSDNet
from MedFusionLib.networks.nestfuse import NestFuse
from MedFusionLib.networks.pmgi import PMGI
from MedFusionLib.networks.sdnet import SDNet
from MedFusionLib.networks.siamese import Siamese
from MedFusionLib.networks.u2fusion import U2Fusion
from MedFusionLib.networks.vgg import VGG16


def chain(*widths, size=3):
    """Convolutions one after the other, as (inputs, outputs, height, width of the window)."""
    return [(inputs, outputs, size, size) for inputs, outputs in pairwise(widths)]


def dense(width, inputs, layers=3):
    """A convolution, and layers that see all before them."""
    return [(inputs, width, 3, 3), *((width * number, width, 3, 3) for number in range(1, layers + 1))]


def nest_block(inputs, outputs):
    """Half the width by 3 x 3, then the full one by 1 x 1."""
    return [*chain(inputs, inputs // 2), *chain(inputs // 2, outputs, size=1)]


def path(inputs, *seen):
    """Four stages of 16 channels, the first with a window of 5 x 5."""
    return [(inputs, 16, 5, 5), *((number, 16, 3, 3) for number in seen)]


DENSEFUSE = [*dense(16, 1), *chain(64, 64, 32, 16, 1)]
NEST = [(16, 64), (64, 112), (112, 160), (160, 208)]  # down
NEST += [(64 + 112, 64), (112 + 160, 112), (160 + 208, 160)]  # up, joined to one before
NEST += [(2 * 64 + 112, 64), (2 * 112 + 160, 112), (3 * 64 + 112, 64)]  # to two and to three
LAYERS = {
    DenseFuse: DENSEFUSE,
    InformationNet: DENSEFUSE,
    MSDNet: [*dense(16, 1), *((64, 64, size, size) for size in (1, 3, 5)), *chain(192, 64, 32, 16, 1)],
    NestFuse: [(1, 16, 1, 1), *(layer for block in NEST for layer in nest_block(*block)), (64, 1, 1, 1)],
    VGG16: [*chain(3, 64, 64, 128, 128, 256, 256, 256)],
    U2Fusion: [*dense(44, 2, 5), *chain(264, 128, 64, 32, 1)],
    EMFusion: [*dense(32, 2), *chain(128, 64, 32, 1)],
    PMGI: [*path(3, 16, 48, 64), *path(3, 16, 48, 64), *[(32, 16, 1, 1)] * 4, *chain(128, 1, size=1)],
    SDNet: [*path(1, 16, 32, 48) * 2, *chain(128, 1, 128, size=1), *chain(128, 16, 4, 1) * 2],
    IFCNN: [(3, 64, 7, 7), *chain(64, 64, 64), *chain(64, 3, size=1)],
    Siamese: [*chain(1, 64, 128, 256), (512, 2, 8, 8)],
}


def layers(network):
    shapes = (tuple(layer.weight.shape) for layer in network.modules() if isinstance(layer, nn.Conv2d))
    return Counter((inputs, outputs, *window) for outputs, inputs, *window in shapes)


@pytest.mark.parametrize("build", LAYERS, ids=lambda build: build.__name__)
def test_a_network_has_the_layers_of_its_paper(build):
    assert layers(build()) == Counter(LAYERS[build])


def test_mcfnet_goes_up_by_four_windows_that_interleave():
    found = layers(MCFNet())
    for inputs, outputs in ((64, 32), (32, 16)):
        assert all(found[(inputs, outputs, *window)] for window in ((3, 3), (2, 3), (3, 2), (2, 2)))
    assert found[32 + 2, 32, 3, 3] and found[16 + 2, 16, 3, 3]  # both sources beside every stage of the decoder
