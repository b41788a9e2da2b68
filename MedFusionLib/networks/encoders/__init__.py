"""Backbones for regions of interest: encoders with one interface, and networks that segment with them."""

from MedFusionLib.networks.encoders.blocks import Encoder
from MedFusionLib.networks.encoders.catalogue import (
    ENCODERS,
    NETWORKS,
    NetworkSpec,
    Segmenter,
    create_encoder,
    create_network,
)

__all__ = ["ENCODERS", "NETWORKS", "Encoder", "NetworkSpec", "Segmenter", "create_encoder", "create_network"]
