"""What the offscreen slice views show, measured in their pixels."""

import itertools

import numpy as np
import pytest
from vtk.util.numpy_support import vtk_to_numpy

from MedFusionLib import units
from MedFusionLib.intensity import Window
from MedFusionLib.volume import Geometry, Volume
from MedFusionScene.captions import edge_letters
from MedFusionScene.display import set_layers, show_colours, show_window
from MedFusionScene.nodes import colour_node_from_array, node_from_volume
from MedFusionScene.segmentations import node_from_segmentation
from MedFusionScene.show import show_result
from MedFusionScene.slice_view import SliceView

pytestmark = pytest.mark.usefixtures("needs_gl")

SIZE = 160
NUMBER = itertools.count()


@pytest.fixture
def draw(application, scene):
    """Draw one view (rows from the top, columns from the left, RGB) of volumes in layers."""

    def drawn(background, foreground=None, opacity=0.5, *, plane="Axial", through=(0, 0, 0), prepare=None):
        view = SliceView(application.application_logic, scene, (SIZE, SIZE), f"Test{next(NUMBER)}", plane)
        set_layers(view.composite, background, foreground, opacity)
        view.look_at((0, 0, 0), through, 90)
        if prepare is not None:
            prepare(view)
        pixels = view.picture()
        view.close()
        return vtk_to_numpy(pixels.GetPointData().GetScalars()).reshape(SIZE, SIZE, -1)[::-1, :, :3].astype(int)

    return drawn


def _node(scene, volume, low, high, table="grey"):
    node = node_from_volume(volume, scene)
    show_window(node, Window(low, high))
    show_colours(node, table)
    return node


def _half(grid: Geometry, axis: int, *, positive: bool = True) -> Volume:
    """A volume that is bright in one half of the patient only."""
    k, j, i = np.indices(grid.shape)
    along = grid.to_ras(np.stack([i, j, k], axis=-1))[..., axis]
    return Volume((along > 0 if positive else along < 0).astype(np.float32), grid, "MR", units.ARBITRARY, "half")


def _brightness(pixels) -> dict:
    middle = SIZE // 2
    grey = pixels.mean(axis=2)
    return {"left": grey[:, :middle].mean(), "right": grey[:, middle:].mean(),
            "top": grey[:middle].mean(), "bottom": grey[middle:].mean()}  # fmt: skip


STORED = {
    "L-P-S": np.diag([-2.0, -2.0, 3.0, 1.0]),
    "R-A-S": np.diag([2.0, 2.0, 3.0, 1.0]),
}


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize(
    ("plane", "axis", "bright", "dark"),
    [
        ("Axial", 0, "left", "right"),  # the patient's right is at the left of the picture
        ("Axial", 1, "top", "bottom"),
        ("Coronal", 0, "left", "right"),
        ("Coronal", 2, "top", "bottom"),
        ("Sagittal", 1, "left", "right"),
        ("Sagittal", 2, "top", "bottom"),
    ],
)
def test_pictures_are_in_radiological_convention(scene, draw, stored, plane, axis, bright, dark):
    matrix = STORED[stored].copy()
    shape = (24, 32, 32)
    matrix[:3, 3] = -matrix[:3, :3] @ ((np.array(shape[::-1]) - 1) / 2)
    found = _brightness(draw(_node(scene, _half(Geometry(shape, matrix), axis), 0, 1), plane=plane))
    assert found[bright] > 5 * found[dark] + 20


@pytest.mark.parametrize(
    ("plane", "expected"), [("Axial", ("L", "A")), ("Coronal", ("L", "S")), ("Sagittal", ("P", "S"))]
)
def test_edge_letters_follow_the_slices_direction(application, scene, plane, expected):
    view = SliceView(application.application_logic, scene, (SIZE, SIZE), f"Letters{plane}", plane)
    assert edge_letters(view.node)[1:3] == expected
    view.close()


def test_edge_letters_turn_with_the_view(application, scene):
    view = SliceView(application.application_logic, scene, (SIZE, SIZE), "Turned", "Axial")
    to_ras = view.node.GetSliceToRAS()
    for row in range(3):
        to_ras.SetElement(row, 0, -to_ras.GetElement(row, 0))
        to_ras.SetElement(row, 2, -to_ras.GetElement(row, 2))
    view.node.UpdateMatrices()
    assert edge_letters(view.node) == ("L", "R", "A", "P")
    view.close()


def test_letters_and_caption_are_drawn(scene, mr, draw):
    node = _node(scene, mr, 0, 1000)
    plain = draw(node)
    written = draw(node, prepare=lambda view: view.annotate("caption", footer="footer"))
    changed = (plain != written).any(axis=2)
    middle = slice(SIZE // 2 - 12, SIZE // 2 + 12)
    assert changed[middle, :22].any()
    assert changed[middle, -22:].any()
    assert changed[:22, :60].any()
    assert changed[-22:, :60].any()
    assert not changed[40:60, 40:60].any()


def test_opacity_goes_linearly_from_anatomy_only_to_function_only(scene, mr, pet, draw):
    anatomy, function = _node(scene, mr, 0, 1000), _node(scene, pet, 0, 10, "inferno")
    through = (0, 0, 8)
    bottom, top = draw(anatomy, through=through), draw(function, through=through)
    assert np.abs(top - bottom).max() > 50
    np.testing.assert_array_equal(draw(anatomy, function, 0.0, through=through), bottom)
    np.testing.assert_array_equal(draw(anatomy, function, 1.0, through=through), top)
    np.testing.assert_allclose(draw(anatomy, function, 0.5, through=through), (bottom + top) / 2, atol=1.5)


def test_a_larger_function_shows_beyond_the_border_of_the_anatomy(scene, mr, pet, draw):
    quarter = pet.geometry.ijk_to_ras.copy()
    quarter[:3, :3] /= 2
    quarter[:3, 3] /= 2
    small = Volume(mr.array, Geometry(mr.geometry.shape, quarter), "MR", units.ARBITRARY, "small")
    anatomy, function = _node(scene, small, 0, 1000), _node(scene, pet, 0, 10, "inferno")
    corner = draw(anatomy, function, 1.0, through=(0, 0, 8))[SIZE // 2 - 50, SIZE // 2 - 40]
    assert corner.max() > 50


def test_a_colour_volume_keeps_its_colours(scene, grid, draw):
    colours = np.zeros((*grid.shape, 3), np.uint8)
    colours[...] = (200, 100, 50)
    node = colour_node_from_array(colours, grid, scene, "colour")
    np.testing.assert_allclose(draw(node)[SIZE // 2, SIZE // 2], (200, 100, 50), atol=1)


def test_the_tumour_is_outlined_where_it_is(scene, mr, lesion, draw):
    node = _node(scene, mr, 0, 1000)
    centre = lesion.geometry.to_ras(np.argwhere(lesion.labels)[:, ::-1]).mean(axis=0)
    plain = draw(node, through=centre)
    node_from_segmentation(lesion, scene)
    changed = (draw(node, through=centre) != plain).any(axis=2)
    rows, columns = np.nonzero(changed)
    scale = SIZE / 90
    found = (SIZE / 2 - columns.mean()) / scale, (SIZE / 2 - rows.mean()) / scale
    np.testing.assert_allclose(found, centre[:2], atol=1.5)
    assert not changed[int(rows.mean()), int(columns.mean())]  # an outline, not a fill


def test_a_legend_is_drawn_with_its_view_and_removed_with_it(scene, pet, draw):
    node = _node(scene, pet, 0, 10, "inferno")
    plain = draw(node)
    with_legend = draw(node, prepare=lambda view: view.add_legend(node, "SUVbw g/ml"))
    changed = (plain != with_legend).any(axis=2)
    assert changed[:, SIZE // 2 :].sum() > 200
    assert not changed[:, : SIZE // 4].any()
    assert scene.GetNumberOfNodesByClass("vtkMRMLColorLegendDisplayNode") == 0


def test_closed_views_leave_nothing_in_the_scene(scene, result, draw):
    nodes = show_result(result, scene)
    before = scene.GetNumberOfNodes()
    for plane in ("Axial", "Sagittal", "Coronal"):
        draw(nodes.main, plane=plane)
    assert scene.GetNumberOfNodes() == before
