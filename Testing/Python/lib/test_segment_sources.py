"""Segmentation by all sources at once, from a click or a box, and the command."""

from dataclasses import replace

import numpy as np
import pytest

import MedFusionLib as mf
from leg_phantom import CENTRE, away, dice_of, grid, leg
from MedFusionLib import units
from MedFusionLib.errors import NotAligned, NotSupported, UsageError
from MedFusionLib.region import BoxRegion
from MedFusionLib.segment import Marks, is_method, measure_agreement, segment
from MedFusionLib.segment.catalogue import MULTI_SOURCE
from MedFusionLib.segment.consistency import trust_sources
from MedFusionLib.segment.stack import stack_sources
from MedFusionLib.volume import Case, Geometry, Volume
from phantoms import upright_geometry


@pytest.fixture(scope="module")
def sources():
    return leg()


@pytest.mark.parametrize("mark", [{"seed": (20.0, -4.0, 2.0)}, {"region": BoxRegion(CENTRE, (60, 60, 60))}])
def test_the_default_takes_the_cold_middle_into_the_tumour_and_answers_on_the_first_grid(sources, mark):
    found = segment(sources, "auto", Marks(**mark))
    assert found.geometry.same_grid(sources[0].geometry)
    assert dice_of(found) > 0.9
    assert found.evidence["method"] == "random-walker" and found.evidence["leading_modality"] == "PT"
    assert sum(one["edge_share"] for one in found.evidence["sources"]) == pytest.approx(1)
    assert "leans on PT" in " ".join(found.source.notes)


@pytest.mark.parametrize("name", MULTI_SOURCE)
def test_every_method_outlines_the_tumour_in_mr_and_ct(sources, name):
    box = BoxRegion(CENTRE, (60, 60, 60))
    found = segment((sources[2], sources[0]), name, Marks(seed=CENTRE, region=box))
    assert dice_of(found) > 0.8


@pytest.mark.parametrize("name", [name for name in MULTI_SOURCE if name not in ("region-growing", "lesion-net")])
def test_every_method_takes_the_cold_middle_with_pet(sources, name):
    least = 0.8 if name == "kfcm" else 0.85
    assert dice_of(segment(sources, name, Marks(region=BoxRegion(CENTRE, (60, 60, 60))))) > least


def test_the_network_says_that_it_is_experimental_and_minds_no_order(sources):
    marks = Marks(region=BoxRegion(CENTRE, (60, 60, 60)))
    found = segment(sources, "lesion-net", marks)
    assert any("experimental" in note for note in found.source.notes)
    assert dice_of(found) > 0.6 and dice_of(segment(sources[::-1], "lesion-net", marks)) > 0.6


def test_the_network_refuses_where_there_is_nothing_to_see(sources):
    flat = Volume(np.full(sources[0].array.shape, 5.0), sources[0].geometry, "MR", units.ARBITRARY, "MR")
    with pytest.raises(UsageError, match="are equal"):
        segment((flat,), "lesion-net", Marks(region=BoxRegion(CENTRE, (60, 60, 60))))


def test_the_default_is_the_same_for_every_order_and_repeats_exactly(sources):
    marks = Marks(region=BoxRegion(CENTRE, (60, 60, 60)))
    first, again = (segment(sources, "auto", marks).labels for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = segment((sources[0], *sources[:0:-1]), "auto", marks).labels
    assert (first != other).mean() < 1e-4


def test_clicks_and_boxes_near_each_other_give_nearly_one_tumour(sources):
    rng = np.random.default_rng(2)
    volumes = []
    for _ in range(4):
        box = BoxRegion(np.add(CENTRE, rng.uniform(-4, 4, 3)), rng.uniform(56, 66, 3))
        seed = tuple(np.add(CENTRE, rng.uniform(-8, 8, 3)))
        volumes += [segment(sources, "auto", marks).labels.sum() for marks in (Marks(region=box), Marks(seed=seed))]
    assert max(volumes) / min(volumes) < 1.2


def test_a_source_that_lies_elsewhere_counts_less(sources):
    ct, pet, mr = sources
    moved = mr.geometry.ijk_to_ras.copy()
    moved[1, 3] -= 12
    shifted = Volume(mr.array, Geometry(mr.geometry.shape, moved), "MR", units.ARBITRARY, "MR")
    box = BoxRegion(CENTRE, (60, 60, 60))
    straight, crooked = (
        trust_sources(stack_sources((ct, pet, one), region=box), tolerance_mm=7) for one in (mr, shifted)
    )
    assert [one.weight for one in straight] == [1, 1, 1]
    assert crooked[2].weight < 0.4 and crooked[2].offset_ras_mm == pytest.approx((0, 12, 0), abs=4)
    found = segment((ct, pet, shifted), "auto", Marks(region=box))
    assert dice_of(found) > 0.88 and any("matches the anatomy better" in note for note in found.source.notes)


def test_a_seed_in_plain_tissue_is_refused(sources):
    with pytest.raises(UsageError, match="does not stand out"):
        segment((sources[2],), "auto", Marks(seed=(10.0, 30.0, 0.0)))


def test_names_are_known_or_refused(sources):
    for name in ("auto", "kfcm", "suv3.5", "suvmax42", "percist", "gradient"):
        assert is_method(name)
    assert not is_method("mask.nii.gz") and not is_method("magic")
    with pytest.raises(NotSupported, match="random-walker"):
        segment(sources, "magic")
    with pytest.raises(UsageError, match="PET source in SUVbw"):
        segment((sources[0],), "suvmax41", Marks(seed=CENTRE))


def test_a_seed_tells_two_lesions_of_one_region_apart():
    geometry = grid((3.0, 3.0, 3.0))
    array = np.ones(geometry.shape)
    array[away(geometry, (-20, 0, 0)) <= 14] = array[away(geometry, (22, 0, 0)) <= 10] = 8
    pet = Volume(array, geometry, "PT", units.SUV_BODY_WEIGHT)
    box = BoxRegion((0, 0, 0), (80, 60, 60))
    for seed, centre, radius in (((22, 0, 0), (22, 0, 0), 10), (None, (-20, 0, 0), 14)):
        found = segment((pet,), "auto", Marks(seed=seed, region=box)).labels > 0
        assert measure_agreement(found, away(geometry, centre) <= radius, geometry).dice > 0.85


@pytest.mark.parametrize("level", [3.0, 200.0])
def test_one_click_finds_a_ball_without_noise_however_hot_it_is(level):
    geometry = grid((3.0, 3.0, 3.0))
    array = np.where(away(geometry) <= 12, level, 1.0)
    for modality, unit in (("PT", units.SUV_BODY_WEIGHT), ("MR", units.ARBITRARY)):
        found = segment((Volume(array, geometry, modality, unit),), "auto", Marks(seed=(8.0, -4.0, 2.0)))
        assert dice_of(found, 12) > 0.9


def test_a_lesion_that_goes_on_beyond_the_search_is_noted():
    geometry = upright_geometry((12, 40, 80), (4.0, 4.0, 4.0), (0, 0, 0))
    array = np.ones(geometry.shape) + np.random.default_rng(0).normal(0, 0.05, geometry.shape)
    array[4:8, 15:25, 2:78] = 6
    pet = Volume(array, geometry, "PT", units.SUV_BODY_WEIGHT)
    found = segment((pet,), "auto", Marks(seed=(160.0, 80.0, 24.0)))
    assert any("mark a region" in note for note in found.source.notes)


def test_a_case_that_does_not_line_up_is_refused_unless_forced(sources):
    ct, pet, _ = sources
    other, mine = (replace(one.source, frame_of_reference=name) for one, name in ((ct, "a"), (pet, "b")))
    case = Case([ct.with_array(ct.array, source=mine), pet.with_array(pet.array, source=other)])
    with pytest.raises(NotAligned, match="frames of reference differ"):
        mf.segment_tumour(case, "suvmax41", seed=(20.0, -4.0, 2.0))
    assert mf.segment_tumour(case, "suvmax41", seed=(20.0, -4.0, 2.0), force=True).measures[0]["suv_max"] > 5


def test_uptake_leads_in_spect_too(sources):
    ct, pet, _ = sources
    spect = Volume(pet.array * 137, pet.geometry, "NM", units.COUNTS, "SPECT")
    found = segment((ct, spect), "auto", Marks(region=BoxRegion(CENTRE, (60, 60, 60))))
    assert found.evidence["leading_modality"] == "NM" and dice_of(found) > 0.9
