"""Ways to part a tumour from the rest, each on what it was made for."""

import numpy as np
import pytest

from leg_phantom import CENTRE, away, dice_of, grid, leg
from MedFusionLib import units
from MedFusionLib.errors import UsageError
from MedFusionLib.segment import Marks, segment
from MedFusionLib.segment.consistency import best_offset_mm
from MedFusionLib.segment.graph_cut import cheapest_cut
from MedFusionLib.segment.kernel_fcm import kernel_fuzzy_means
from MedFusionLib.segment.nlem import euclidean_medians
from MedFusionLib.segment.random_walker import conductances, walk
from MedFusionLib.volume import Geometry, Volume
from phantoms import upright_geometry


@pytest.fixture(scope="module")
def sources():
    return leg()


def test_a_cut_is_the_cheapest_of_all():
    rng = np.random.default_rng(3)
    values, ratio = rng.random((2, 2, 3, 2)), rng.normal(0, 1.5, (2, 3, 2))
    lesion, rest = np.zeros((2, 3, 2), bool), np.zeros((2, 3, 2), bool)
    lesion[0, 0, 0], rest[1, 2, 1] = True, True
    weights, open_voxels = np.array([1.0, 0.5]), ~(lesion | rest)
    first, second, face = conductances(values, open_voxels.ravel(), weights)

    def cost(mask):
        flat = mask.ravel()
        return face[flat[first] != flat[second]].sum() - ratio[mask & open_voxels].sum()

    def masks():
        for number in range(2 ** int(open_voxels.sum())):
            mask = lesion.copy()
            mask[open_voxels] = [bool(number >> bit & 1) for bit in range(int(open_voxels.sum()))]
            yield mask

    assert cost(cheapest_cut(values, ratio, lesion, rest, weights)) == pytest.approx(min(map(cost, masks())), abs=2e-3)


def test_a_cut_needs_seeds_and_decides_nothing_where_nothing_is_open():
    values, none, one = np.zeros((1, 2, 2, 2)), np.zeros((2, 2, 2), bool), np.zeros((2, 2, 2), bool)
    one[0] = True
    with pytest.raises(UsageError, match="seeds"):
        cheapest_cut(values, values[0], none, one, np.ones(1))
    assert np.array_equal(cheapest_cut(values, values[0], one, ~one, np.ones(1)), one)


def test_clusters_find_a_small_lesion_in_a_large_region(sources):
    mr = sources[2]
    small = Volume(np.where(away(mr.geometry) <= 8, 900, mr.array), mr.geometry, "MR", units.ARBITRARY, "MR")
    assert dice_of(segment((small,), "kfcm", Marks(seed=CENTRE)), radius=8) > 0.8


def test_a_walker_stays_on_its_side_of_an_edge():
    values = np.zeros((1, 3, 3, 12))
    values[..., 7:] = 1
    lesion, rest = np.zeros((3, 3, 12), bool), np.zeros((3, 3, 12), bool)
    lesion[:, :, 0] = rest[:, :, -1] = True
    probability = walk(values, lesion, rest, np.ones(1))
    assert (probability[..., :7] > 0.5).all() and (probability[..., 7:] < 0.5).all()
    flat = walk(values, lesion, rest, np.zeros(1))
    np.testing.assert_allclose(flat[1, 1], np.linspace(1, 0, 12), atol=1e-3)
    with pytest.raises(UsageError, match="without seeds"):
        walk(values, lesion, rest & False, np.ones(1))


def test_clusters_part_two_levels_exactly_and_the_spatial_term_removes_salt():
    image = np.zeros((1, 8, 8, 8))
    image[:, :, :, 4:] = 1
    salted = image.copy()
    salted[0, 4, 4, 1] = 0.7
    inside = np.ones((8, 8, 8), bool)
    found = kernel_fuzzy_means(image, inside, clusters=2, spatial=0)
    assert sorted(found.centres.ravel().round(2).tolist()) == [0, 1]
    np.testing.assert_allclose(found.memberships.sum(axis=0), 1)
    parts = kernel_fuzzy_means(salted, inside, clusters=2, spatial=4).memberships.argmax(axis=0).reshape(8, 8, 8)
    assert len(np.unique(parts[:, :, :4])) == 1
    with pytest.raises(UsageError, match="equal"):
        kernel_fuzzy_means(image * 0, inside)
    with pytest.raises(UsageError, match="clusters"):
        kernel_fuzzy_means(image, inside, clusters=1)


def test_euclidean_medians_take_noise_away_and_leave_an_edge():
    clean = np.zeros((10, 12, 14), np.float32)
    clean[:, :, 7:] = 10
    noisy = clean + np.random.default_rng(0).normal(0, 0.5, clean.shape).astype(np.float32)
    found = euclidean_medians(noisy)
    assert np.abs(found - clean).mean() < 0.6 * np.abs(noisy - clean).mean()
    assert (found[:, :, 7] - found[:, :, 6]).mean() > 8
    np.testing.assert_array_equal(euclidean_medians(clean), clean)


def test_offsets_are_found_and_unrelated_images_have_none(sources):
    ct, _, mr = sources
    assert np.abs(best_offset_mm(ct, mr, grid((4.0, 4.0, 4.0)))).max() == 0
    far = Volume(mr.array, Geometry(mr.geometry.shape, np.eye(4) + np.diag([0, 0, 0], -1)), "MR")
    lonely = Volume(far.array, upright_geometry(far.array.shape, origin=(900, 0, 0)), "MR")
    assert best_offset_mm(ct, lonely, grid((4.0, 4.0, 4.0))) is None
