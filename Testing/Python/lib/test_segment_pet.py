"""PET rules: what they find, what they refuse, and how far they lie apart."""

import numpy as np
import pytest

from MedFusionLib import units
from MedFusionLib.errors import UsageError
from MedFusionLib.region import BoxRegion
from MedFusionLib.segment import (
    candidate_segmentation,
    compare_rules,
    keep_segments,
    parse_threshold,
    percist_rule,
    threshold_segmentation,
)
from MedFusionLib.segment.compare import COMPARED
from MedFusionLib.volume import Volume
from phantoms import upright_geometry

RELATIVE = ("suvmax41", "suvmax50", "adaptive", "nestle", "otsu", "gradient")


def body(shape=(40, 40, 40), spacing=(4.0, 4.0, 4.0)):
    """A PET with SUV 1 everywhere, a liver of SUV 2 and two hot balls, blurred like a scan."""
    from scipy import ndimage

    geometry = upright_geometry(shape, spacing, tuple(-s * (n - 1) / 2 for s, n in zip(spacing, shape[::-1])))
    k, j, i = np.indices(shape)
    ras = geometry.to_ras(np.stack([i, j, k], axis=-1))
    inside = np.linalg.norm(ras - (20, 0, 20), axis=-1) <= 14
    array = np.ones(shape)
    array[np.linalg.norm(ras - (40, 20, -40), axis=-1) <= 24] = 2
    array[inside] = 10
    array[np.linalg.norm(ras - (-50, 0, 50), axis=-1) <= 10] = 30
    blurred = ndimage.gaussian_filter(array, 0.6)
    noise = np.random.default_rng(0).normal(0, 0.05, shape)
    return Volume(blurred + noise, geometry, "PT", units.SUV_BODY_WEIGHT, "body"), inside


def around(volume, radius=26.0):
    return BoxRegion((20, 0, 20), (2 * radius,) * 3).mask_on(volume.geometry)


@pytest.mark.parametrize("name", COMPARED)
def test_every_rule_finds_the_ball_from_a_seed_and_in_a_region(name):
    volume, inside = body()
    for mark in ({"seed": (26.0, 4.0, 18.0)}, {"region": around(volume)}):
        found = threshold_segmentation(volume, parse_threshold(name), **mark).labels > 0
        dice = 2 * (found & inside).sum() / (found.sum() + inside.sum())
        assert dice > 0.8, mark


@pytest.mark.parametrize("name", RELATIVE)
def test_what_is_relative_to_a_lesion_refuses_without_one(name):
    with pytest.raises(UsageError, match="usually not the tumour"):
        threshold_segmentation(body()[0], parse_threshold(name))


def test_a_seed_in_any_part_of_a_lesion_gives_the_same_lesion():
    volume, _ = body()
    found = [
        threshold_segmentation(volume, parse_threshold("suvmax41"), seed=seed).labels.sum()
        for seed in ((20, 0, 20), (30, 0, 20), (20, -8, 12))
    ]
    assert len(set(found)) == 1


def test_all_rules_at_once_give_the_spread():
    volume, inside = body()
    compared = compare_rules(volume, seed=(20, 0, 20), liver=(40, 20, -40))
    assert [one.rule for one in compared.outcomes] == [*COMPARED, "percist"]
    assert not any(one.refused for one in compared.outcomes)
    assert compared.smallest_ml <= compared.median_ml <= compared.largest_ml
    assert compared.smallest_ml < inside.sum() * 0.064 < 1.3 * compared.largest_ml
    for one in compared.outcomes:
        assert one.tlg_g == pytest.approx(one.suv_mean * one.volume_ml)
        assert 0 < one.dice <= 1 and one.hd95_mm >= 0 and 0 < one.nsd <= 1
    assert compared.smallest_ml <= compared.vote_ml <= compared.largest_ml


def test_rules_that_agree_agree_with_their_vote():
    volume, _ = body()
    compared = compare_rules(volume, seed=(20, 0, 20), rules=("suv2.5", "suv2.5", "suv2.5"))
    assert all((one.dice, one.hd95_mm, one.nsd) == (1, 0, 1) for one in compared.outcomes)
    assert compared.vote_ml == pytest.approx(compared.median_ml)


def test_a_rule_that_refuses_does_not_stop_the_others():
    volume, _ = body()
    compared = compare_rules(volume, seed=(40.0, 20.0, -40.0), rules=("suv4", "suv1.6"))
    assert "No voxel reaches SUV 4.00" in compared.outcomes[0].refused and not compared.outcomes[1].refused
    with pytest.raises(UsageError, match="No rule finds"):
        compare_rules(volume, seed=(40.0, 20.0, -40.0), rules=("suv4",))
    with pytest.raises(UsageError, match="a region or a seed"):
        compare_rules(volume)


def test_percist_follows_the_liver_or_the_blood_pool():
    volume, _ = body()
    liver = percist_rule(volume, liver=(40, 20, -40))
    assert liver.value == pytest.approx(1.5 * 2 + 2 * 0.05, abs=0.1) and liver.name == "percist"
    pool = percist_rule(volume, blood_pool=(-40, -40, -40))
    assert pool.value == pytest.approx(2 * 1 + 2 * 0.05, abs=0.15)
    for points in ({}, {"liver": (0, 0, 0), "blood_pool": (0, 0, 0)}):
        with pytest.raises(UsageError, match="reference tissue"):
            percist_rule(volume, **points)
    with pytest.raises(UsageError, match="outside"):
        percist_rule(volume, liver=(500, 0, 0))


def test_candidates_are_listed_by_size_with_their_places_and_kept_by_number():
    volume, inside = body()
    found = candidate_segmentation(volume, 4.0)
    assert len(found.segments) == 2
    sizes = [(found.labels == segment.label).sum() for segment in found.segments]
    assert sizes == sorted(sizes, reverse=True)
    assert "2 cm to the right" in found.segments[0].name and "5 cm to the left" in found.segments[1].name
    assert any("physiological" in note for note in found.source.notes)
    kept = keep_segments(found, (1,))
    assert kept.segments == found.segments[:1] and (kept.labels[~inside] == 0).mean() > 0.99
    for wrong in ((), (7,)):
        with pytest.raises(UsageError, match="Keeping segments"):
            keep_segments(found, wrong)


def test_a_fixed_threshold_without_a_mark_lists_candidates():
    found = threshold_segmentation(body()[0], parse_threshold("suv4"))
    assert [segment.label for segment in found.segments] == [1, 2]


def test_noise_islands_are_left_out_unless_there_is_nothing_else():
    volume, _ = body()
    array = volume.array.copy()
    array[1, 1, 1] = array[38, 38, 38] = 50
    assert len(candidate_segmentation(volume.with_array(array), 4.0).segments) == 2
    assert len(candidate_segmentation(volume.with_array(array), 45.0).segments) == 2


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda a: np.full_like(a, 3), "constant"),
        (lambda a: a - 10, "wrong scale"),
        (lambda a: -a, "wrong scale"),
        (lambda a: np.where(a > 5, np.nan, a), "not finite"),
    ],
)
def test_a_pet_that_cannot_be_suv_is_refused(change, words):
    volume, _ = body()
    with pytest.raises(UsageError, match=words):
        threshold_segmentation(volume.with_array(change(volume.array)), parse_threshold("suv2.5"), seed=(20, 0, 20))


def test_regions_that_do_not_fit_are_refused():
    volume, _ = body()
    rule = parse_threshold("suvmax41")
    with pytest.raises(UsageError, match="no voxel of the PET"):
        threshold_segmentation(volume, rule, region=np.zeros(volume.array.shape, bool))
    with pytest.raises(UsageError, match="of shape"):
        threshold_segmentation(volume, rule, region=np.ones((2, 2, 2), bool))


def test_a_lesion_wider_than_the_first_search_box_is_followed():
    geometry = upright_geometry((6, 6, 120), (4.0, 4.0, 4.0), (0, 0, 0))
    array = np.ones(geometry.shape)
    array[2:4, 2:4, 5:110] = 6
    found = threshold_segmentation(
        Volume(array, geometry, "PT", units.SUV_BODY_WEIGHT), parse_threshold("suv2.5"), seed=(24.0, 10.0, 10.0)
    )
    assert found.labels.sum() == 4 * 105
