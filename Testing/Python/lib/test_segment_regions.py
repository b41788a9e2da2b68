"""Marks, regions and types: what they hold, and what is refused."""

import json

import numpy as np
import pytest

from leg_phantom import CENTRE, leg
from MedFusionLib.errors import NotSupported, UnreadableFile, UsageError
from MedFusionLib.io.markups import read_roi
from MedFusionLib.region import BoxRegion, LabelRegion, box_around
from MedFusionLib.segment import Marks, segment
from MedFusionLib.segmentation import segment_type, segment_types
from phantoms import oblique_geometry, upright_geometry


@pytest.fixture(scope="module")
def sources():
    return leg()


@pytest.mark.parametrize(
    "marks, words",
    [
        (Marks(), "a region or a seed"),
        (Marks(seed=(500, 0, 0)), "outside"),
        (Marks(seed=(44, 44, 44)), "does not stand out"),
        (Marks(region=BoxRegion((500, 0, 0), (9, 9, 9))), "outside"),
        (Marks(seed=(40, 0, 0), region=BoxRegion(CENTRE, (20, 20, 20))), "outside the region"),
    ],
)
def test_marks_that_mark_nothing_are_refused(sources, marks, words):
    with pytest.raises(UsageError, match=words):
        segment((sources[2], sources[0]), "auto", marks)


@pytest.mark.parametrize("seed", range(4))
def test_a_box_holds_the_same_points_on_any_grid(seed):
    geometry = oblique_geometry(seed, (12, 13, 14))
    centre = geometry.to_ras((6, 6, 6))
    turned = oblique_geometry(seed + 9).directions
    box = BoxRegion(centre, (9.0, 14.0, 11.0), turned)
    k, j, i = np.indices(geometry.shape)
    local = (geometry.to_ras(np.stack([i, j, k], axis=-1)) - centre) @ turned
    np.testing.assert_array_equal(box.mask_on(geometry), (np.abs(local) <= np.array([4.5, 7, 5.5])).all(axis=-1))


def test_regions_know_their_bounds_and_refuse_nonsense():
    geometry = upright_geometry((10, 10, 10), (2.0, 2.0, 2.0), (0, 0, 0))
    labels = np.zeros(geometry.shape, np.uint8)
    labels[2:4, 3:6, 5:9] = 3
    box = box_around(LabelRegion(labels, geometry), margin_mm=1)
    np.testing.assert_allclose(np.stack(box.bounds_ras()), [(8, 4, 2), (18, 12, 8)])
    np.testing.assert_array_equal(box_around(LabelRegion(labels, geometry)).mask_on(geometry), labels > 0)
    with pytest.raises(UsageError, match="empty"):
        LabelRegion(labels * 0, geometry)
    for size, axes in (((0, 1, 1), None), ((1, 1, 1), np.ones((3, 3)))):
        with pytest.raises(UsageError):
            BoxRegion((0, 0, 0), size, axes)


@pytest.mark.parametrize(
    "text, error",
    [
        ("no json", UnreadableFile),
        ('{"markups": []}', NotSupported),
        ('{"markups": [{"type": "ROI"}]}', UnreadableFile),
        ('{"markups": [{"type": "ROI", "roiType": "Sphere", "center": [0,0,0], "size": [1,1,1]}]}', NotSupported),
        ('{"markups": [{"type": "ROI", "insideOut": true, "center": [0,0,0], "size": [1,1,1]}]}', NotSupported),
        ("[" * 100000, UnreadableFile),
    ],
)
def test_markups_files_that_hold_no_box_are_refused(tmp_path, text, error):
    path = tmp_path / "roi.mrk.json"
    path.write_text(text)
    with pytest.raises(error):
        read_roi(path)
    with pytest.raises(UnreadableFile):
        read_roi(tmp_path / "missing.mrk.json")


def test_a_markups_box_in_lps_lies_where_it_was_drawn(tmp_path):
    path = tmp_path / "roi.mrk.json"
    roi = {"type": "ROI", "coordinateSystem": "LPS", "center": [-6, 4, 2], "size": [10, 20, 30]}
    path.write_text(json.dumps({"markups": [roi]}))
    box = read_roi(path)
    np.testing.assert_allclose(np.stack(box.bounds_ras()), [(1, -14, -13), (11, 6, 17)])


def test_types_carry_their_codes_and_the_file_keeps_them(tmp_path, sources):
    assert set(segment_types()) >= {"mass", "primary", "secondary", "oedema", "necrosis", "enhancing", "physiological"}
    assert segment_type("secondary").type_code.value == "14799000"
    with pytest.raises(NotSupported, match="secondary"):
        segment_type("magic")
