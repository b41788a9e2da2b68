"""Networks with the weights that come with MedFusion."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import nn

from MedFusionLib.errors import UnreadableFile
from MedFusionLib.weights import card, load_tensors


def count_parameters(network: nn.Module) -> int:
    """Number of trained values of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


@lru_cache(maxsize=16)
def load_network(name: str, build: Callable[[], nn.Module]) -> nn.Module:
    """The network of that name, ready for inference on the CPU; shared, so do not change it.

    Parameters
    ----------
    name : str
        Of the weights.
    build : callable
        Makes the network without weights.

    Raises
    ------
    UnreadableFile
        When the weights are not those of the card or do not fit the network.
    """
    network = build()
    try:
        network.load_state_dict(load_tensors(name))
    except RuntimeError as error:
        raise UnreadableFile(
            f"The weights {name} do not fit the network of this version", card(name)["title"],
            "Install MedFusion again",
        ) from error  # fmt: skip
    network.requires_grad_(False)
    return network.eval().to(memory_format=torch.channels_last) if _is_planar(network) else network.eval()


def _is_planar(network: nn.Module) -> bool:
    return not any(isinstance(module, nn.Conv3d | nn.ConvTranspose3d) for module in network.modules())


def on_device(network: nn.Module, device: torch.device) -> nn.Module:
    """The network itself on the CPU, a copy of it elsewhere: the shared one never moves."""
    if device.type == "cpu":
        return network
    moved = copy.deepcopy(network, {id(value): value for value in (*network.parameters(), *network.buffers())})
    for module in moved.modules():
        for name, value in module.named_parameters(recurse=False):
            setattr(module, name, nn.Parameter(value.to(device), requires_grad=False))
        for name, value in module.named_buffers(recurse=False):
            setattr(module, name, value.to(device))
    return moved
