"""Balancing training data with mapped pictures, which are never offered as images."""

import numpy as np
import torch

from MedFusionLib.methods.catalogue import methods
from MedFusionLib.networks.modality_maps import TARGETS, ModalityMaps
from MedFusionLib.training.balance import MAPPED, balanced
from MedFusionLib.training.pairs import Pair, Pairs
from MedFusionLib.training.recipes.modality_maps import RECIPE
from MedFusionLib.weights import card


def pairs_of(**counts):
    """So many training pairs per set, and one held back each."""
    chance = np.random.default_rng(0)

    def pair(name, case, number):
        return Pair(name, case, f"{case}{number:03d}.png", chance.integers(0, 256, (2, 64, 64), np.uint8))

    train = [pair(name, "7", number) for name, count in counts.items() for number in range(count)]
    return Pairs(train, [pair(name, "9", 0) for name in counts])


def test_sets_are_filled_up_to_the_largest_with_mapped_pairs_that_say_so():
    torch.manual_seed(0)
    before = pairs_of(ct_mri=2, pet_mri=3, spect_mri=6)
    after = balanced(before, ModalityMaps().eval())
    assert {name: len(own) for name, own in after.sets().items()} == {"ct_mri": 6, "pet_mri": 6, "spect_mri": 6}
    assert after.test is before.test and after.train[: len(before.train)] == before.train
    added = after.train[len(before.train) :]
    originals = {pair.pixels[0].tobytes() for pair in before.train}
    for pair in added:
        assert pair.case == MAPPED + "7" and pair.pixels.dtype == np.uint8
        assert pair.pixels[0].tobytes() in originals  # the anatomical picture is a measured one


def test_nothing_is_mapped_where_the_sets_are_balanced_or_a_set_is_missing():
    even = pairs_of(ct_mri=3, pet_mri=3, spect_mri=3)
    assert balanced(even, ModalityMaps()).train == even.train
    alone = pairs_of(spect_mri=4)
    assert balanced(alone, ModalityMaps()).train == alone.train


def test_no_method_uses_the_maps_and_their_card_forbids_reading_their_pictures():
    record = card("modality-maps")
    assert record["sha256"] not in {info.weights for info in methods()}
    assert not {info.name for info in methods()} & {"modality-maps", *TARGETS}
    assert "must never be read" in record["intended_use"]
    assert set(record["figures"]["loss_held_back"]) == {"as they are", "balanced with mapped pairs"}


def test_every_map_has_an_opponent_and_a_cycle():
    torch.manual_seed(0)
    training = RECIPE.begin(RECIPE.build())
    assert len(training.opponents) == 2 * len(TARGETS)
    data = pairs_of(ct_mri=2, pet_mri=2, spect_mri=2)
    terms = training.advance(0, RECIPE.batch(data, torch.Generator().manual_seed(0)))
    assert {f"cycle {target}" for target in TARGETS} <= set(terms)
    assert all(parameter.grad is not None for parameter in training.network.parameters())
