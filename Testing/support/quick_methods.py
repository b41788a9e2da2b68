"""Methods with parameters that make the slow ones quick, without changing what tests look at."""

from __future__ import annotations

from MedFusionLib.methods.catalogue import create_method

QUICK = {
    "nsct-pcnn": {"directions": (4, 2), "steps": 12},
    "nsst-papcnn": {"directions": (4, 4), "steps": 12},
    "nsct-fotgv": {"steps": 12},
    "sr": {"most_atoms": 3},
    "jsr": {"most_atoms": 3},
    "nsct-sr": {"stride": 5, "directions": (4, 2)},
    "l0-nsct-sr": {"stride": 5},
    "csr": {"iterations": 4, "following": 3},
    "csmca": {"sparsities": (0.1, 0.01), "iterations": 3},
}


def quick(name: str):
    """The method of that name."""
    return create_method(name, QUICK.get(name))
