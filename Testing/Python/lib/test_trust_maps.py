"""The maps of trust find what they are made for, for every method of the catalogue."""

import numpy as np
import pytest
from scipy import ndimage

import MedFusionLib as mf
from MedFusionLib.engine import EngineOptions, run
from MedFusionLib.errors import Cancelled
from MedFusionLib.interrupt import asking
from MedFusionLib.methods.catalogue import methods
from MedFusionLib.segmentation import Segment, Segmentation
from MedFusionLib.trust import (
    contribution_map,
    contribution_summary,
    foreground_of,
    invention_map,
    lesion_contrast,
    loss_map,
    region_shares,
    stability_map,
    trust_report,
)
from MedFusionLib.trust import invention as invention_module
from MedFusionLib.trust import loss as loss_module
from MedFusionLib.trust.stability import noise_level, shifted
from MedFusionLib.volume import Case
from phantoms import head_pair, noise_stack
from quick_methods import quick

INFOS = methods()
SHAPE = (24, 40, 36)
TRIALS = 20


def stack_of_heads():
    mr, pet = head_pair(SHAPE)
    return np.stack([np.clip(mr.array / 900, 0, 1), np.clip(pet.array / 10, 0, 1)]).astype(np.float32)


def ball(shape, centre, radius):
    return sum((g - c) ** 2 for g, c in zip(np.ogrid[tuple(map(slice, shape))], centre)) <= radius**2


def fused_by(info, stack):
    mode = "volume" if 3 in info.dims else "slice"
    fused = run(quick(info.name), stack, options=EngineOptions(mode=mode, workers=1)).fused
    return np.clip(fused, 0, 1), None if mode == "volume" else 0


@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.name)
def test_a_bright_blob_that_no_source_has_is_found_in_the_output_of_every_method(info):
    stack = stack_of_heads()
    fused, plane = fused_by(info, stack)
    before = invention_map(fused, stack, slice_axis=plane) > invention_module.SIGNIFICANT
    rng, found = np.random.default_rng(0), 0
    inside = np.argwhere(stack[0, 6:-6, 8:-8, 8:-8] > 0.3) + np.array((6, 8, 8))
    for _ in range(TRIALS):
        blob = ball(SHAPE, rng.permutation(inside)[0], rng.uniform(2, 4))
        bright = ndimage.gaussian_filter(blob.astype(np.float32), 0.7)
        planted = fused + np.float32(0.35) * bright
        flagged = invention_map(planted, stack, slice_axis=plane) > invention_module.SIGNIFICANT
        found += (flagged & ~before)[ndimage.binary_dilation(blob)].sum() >= 0.1 * blob.sum()
    assert found >= 0.95 * TRIALS


@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.name)
def test_a_lesion_that_vanishes_from_the_output_of_any_method_is_found(info):
    """One lesion in each half of the head, one in each source."""
    found, trials = 0, 3
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        stack = stack_of_heads() * np.float32(0.7)
        corners = ((9, 10, 10), (9, 26, 10))
        lesions = [ball(SHAPE, rng.integers(low, np.add(low, (6, 5, 16))), rng.uniform(2.5, 4)) for low in corners]
        for source, lesion in zip(stack, lesions):
            source += 0.3 * ndimage.gaussian_filter(lesion.astype(np.float32), 0.5)
        fused, plane = fused_by(info, stack)
        removed = fused.copy()
        for lesion in lesions:
            wide = ndimage.binary_dilation(lesion)
            shell = ndimage.binary_dilation(lesion, iterations=3) & ~wide
            removed[wide] = fused[shell].mean()
        lost = loss_map(removed, stack, (2.5, 2.0, 2.0), slice_axis=plane) > loss_module.SIGNIFICANT
        found += sum(one[lesion].mean() > 0.3 for one, lesion in zip(lost, lesions))
    assert found >= 0.95 * 2 * trials


def test_what_is_there_is_not_lost():
    stack = stack_of_heads()
    assert loss_map(stack[0], stack[:1], (2.5, 2.0, 2.0)).max() < 1e-6
    half = loss_map(stack[:1].mean(axis=0) * 0.5, stack[:1], (2.5, 2.0, 2.0))
    assert half.max() < 0.01
    opposite = loss_map(1 - stack[0], stack[:1], (2.5, 2.0, 2.0))
    assert opposite.max() > 0.15


def test_slabs_do_not_show(monkeypatch):
    from MedFusionLib.trust import slabs

    stack = noise_stack((2, 20, 12, 14))
    fused = stack.mean(axis=0) + 0.2 * noise_stack((1, 20, 12, 14), 3)[0]
    whole = (invention_map(fused, stack), loss_map(fused, stack), contribution_map(stack, stack[0] > 0))
    monkeypatch.setattr(slabs, "SLAB_VOXELS", 12 * 14 * 3)
    pieces = (invention_map(fused, stack), loss_map(fused, stack), contribution_map(stack, stack[0] > 0))
    for one, other in zip(whole, pieces):
        assert np.abs(one - other).max() < 1e-6


def test_the_maps_can_be_cancelled():
    stack = stack_of_heads()
    with pytest.raises(Cancelled), asking(lambda: True):
        invention_map(stack[0], stack)


def test_an_ignored_source_is_named():
    stack = stack_of_heads()
    shares = contribution_map(np.stack([stack[0], 0 * stack[1]]), foreground_of(stack))
    summary = contribution_summary(shares, stack, foreground_of(stack), (stack[1] > 0.8).astype(np.uint8))
    assert summary["ignored"] == [1]
    assert summary["lesions"]["1"][0] == pytest.approx(1, abs=0.01)
    fair = contribution_map(stack / 2, foreground_of(stack))
    assert contribution_summary(fair, stack, foreground_of(stack))["ignored"] == []


def test_shares_are_given_for_any_region_and_for_where_a_source_stands_alone():
    sources = np.zeros((2, 2, 4, 6), np.float32)
    sources[0, ..., :4], sources[1, ..., 2:] = 0.5, 0.5
    shares = np.zeros_like(sources)
    shares[0, ..., :2], shares[1, ..., 4:] = 1, 1
    shares[0, ..., 2:4], shares[1, ..., 2:4] = 0.7, 0.3
    labels = np.zeros(sources.shape[1:], np.uint8)
    labels[..., 3:5] = 2
    everywhere = np.ones(labels.shape, bool)
    assert region_shares(shares, labels, everywhere) == {"2": pytest.approx([0.35, 0.65])}
    summary = contribution_summary(shares, sources, everywhere, labels)
    assert summary["where_alone"] == [[1, 0], [0, 1]]
    assert summary["where_shared"] == pytest.approx([0.7, 0.3])
    assert summary["where_shown"] == pytest.approx([0.85, 0.65])


def test_a_lesion_that_cancels_out_in_the_average_is_called_hidden():
    lesion = ball(SHAPE, (12, 20, 18), 3.5)
    stack = np.full((2, *SHAPE), 0.5, np.float32)
    stack[0][lesion], stack[1][lesion] = 0.7, 0.3
    (found,) = lesion_contrast(lesion.astype(np.uint8), stack.mean(axis=0), stack, (2.0, 2.0, 2.0))
    assert found["hidden"]
    assert found["sources"] == pytest.approx([0.2, -0.2], abs=1e-5)
    (shown,) = lesion_contrast(lesion.astype(np.uint8), stack.max(axis=0), stack, (2.0, 2.0, 2.0))
    assert not shown["hidden"]


def test_a_lesion_without_surroundings_has_no_contrast():
    everywhere = np.ones((4, 4, 4), np.uint8)
    (found,) = lesion_contrast(everywhere, np.zeros((4, 4, 4)), np.zeros((2, 4, 4, 4)), (2.0, 2.0, 2.0))
    assert found["fused"] is None and not found["hidden"]


def test_the_warnings_are_sentences_that_name_the_source():
    lesion = ball(SHAPE, (12, 20, 18), 3.5).astype(np.uint8)
    stack = np.full((2, *SHAPE), 0.5, np.float32)
    stack[1][lesion > 0] = 0.9
    maps = {"contribution": np.stack([np.ones(SHAPE), np.zeros(SHAPE)]), "invention": np.full(SHAPE, 0.2)}
    report = trust_report(["source 0 (MR)", "source 1 (PT)"], stack[0], stack, foreground_of(stack), maps,
                          spacing_kji_mm=(2.0, 2.0, 2.0), labels=lesion)  # fmt: skip
    words = " ".join(report["warnings"])
    assert "hardly uses source 1 (PT)" in words
    assert "show what no source has" in words
    assert "hides lesion 1" in words
    assert report["loss"] is None and report["stability"] is None


def test_stability_is_high_at_edges_and_low_in_flat_places():
    stack = np.zeros((2, 12, 16, 16), np.float32)
    stack[:, :, :, 8:] = 0.8
    change = stability_map(lambda s: s.mean(axis=0), stack.mean(axis=0), stack, (1.0, 1.0, 1.0))
    assert change[:, :, 8].min() > 0.1
    assert change[:, :, :6].max() < 0.01


def test_a_shift_moves_by_what_it_says_and_noise_is_measured():
    ramp = np.broadcast_to(np.arange(20, dtype=np.float32), (4, 4, 20))
    assert shifted(ramp, 2, 2.25)[0, 0, 10] == pytest.approx(7.75)
    rng = np.random.default_rng(0)
    assert noise_level(0.5 + rng.normal(0, 0.03, (16, 32, 64))) == pytest.approx(0.03, rel=0.05)


def test_fuse_makes_the_maps_that_are_asked_for_and_the_folder_keeps_them(tmp_path):
    mr, pet = head_pair()
    labels = (pet.array > 6).astype(np.uint8)
    lesion = Segmentation(labels, pet.geometry, (Segment(1, "Lesion"),))
    result = mf.fuse(Case([mr, pet]), "laplacian", tumour=lesion, maps=("loss", "stability"))
    assert result.loss.shape == (2, *mr.geometry.shape)
    assert result.stability.shape == mr.geometry.shape
    trust = result.metrics["trust"]
    assert trust["loss"][1]["fraction"] < 0.2
    assert trust["lesions"][0]["hidden"] is False
    assert len(trust["contribution"]["lesions"]["1"]) == 2
    mf.save_result(result, tmp_path / "out")
    again = mf.load_result(tmp_path / "out")
    assert np.allclose(again.loss, result.loss, atol=1e-6)
    assert np.allclose(again.stability, result.stability, atol=1e-6)
    plain = mf.fuse(Case([mr, pet]), "average")
    assert plain.loss is None and plain.stability is None
