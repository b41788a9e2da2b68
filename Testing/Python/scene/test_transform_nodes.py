"""Volumes under transforms of every kind, and moves that can be taken back."""

import numpy as np
import pytest
import SimpleITK as sitk
import slicer.util

import MedFusionLib
from MedFusionLib.align import resample_to
from MedFusionLib.align.transform import map_points
from MedFusionLib.errors import NotSupported
from MedFusionLib.volume import Case
from MedFusionScene import logic
from MedFusionScene.nodes import node_from_volume, world_matrix
from MedFusionScene.snapshot import take_snapshot
from MedFusionScene.transforms import is_bent, put_under, set_matrix, transform_node
from phantoms import head_pair


@pytest.fixture
def bend():
    """A smooth bend of a few mm, reference LPS to moving LPS."""
    transform = sitk.BSplineTransform(3, 3)
    transform.SetTransformDomainOrigin([-80.0] * 3)
    transform.SetTransformDomainPhysicalDimensions([160.0] * 3)
    transform.SetTransformDomainMeshSize([3] * 3)
    numbers = np.random.default_rng(0).normal(0, 2, len(transform.GetParameters()))
    transform.SetParameters(numbers.tolist())
    return transform


def turned(degrees, shift):
    """(4, 4) about the S axis."""
    angle = np.radians(degrees)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, 3] = shift
    return matrix


def test_a_chain_of_linear_and_bending_parents_is_one_transform(scene, bend):
    node = node_from_volume(head_pair()[1], scene)
    inner = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "inner")
    set_matrix(inner, turned(10, (3, 0, -2)))
    outer = transform_node(bend, scene, "outer")
    inner.SetAndObserveTransformNodeID(outer.GetID())
    node.SetAndObserveTransformNodeID(inner.GetID())
    assert is_bent(node)
    snapshot = take_snapshot(node)
    points = np.array([[0.0, 0, 0], [10, -12, 5], [-20, 15, -9]])
    own = map_points(snapshot.transform, points)
    for point, expected in zip(own, points):
        world = [0.0, 0.0, 0.0]
        node.TransformPointToWorld(point.tolist(), world)
        np.testing.assert_allclose(world, expected, atol=1e-6)


def test_a_moving_volume_under_a_bend_is_fused_through_it(scene, bend):
    mr, pet = head_pair()
    nodes = [node_from_volume(volume, scene) for volume in (mr, pet)]
    nodes[1].SetAndObserveTransformNodeID(transform_node(bend, scene, "bend").GetID())
    case, transforms = logic.case_of(logic.take_snapshots(nodes))
    result = MedFusionLib.fuse(case, "average", transform=transforms)
    expected = resample_to(pet, mr.geometry, transform=bend)
    np.testing.assert_allclose(result.sources[1].array, expected.array, atol=1e-4)
    assert np.abs(expected.array - pet.array).max() > 0.5  # the bend is there to be seen
    fused = logic.fuse_nodes(nodes, method="average", scene=scene)
    index = slicer.util.arrayFromVolume(fused.GetNodeReference("medfusionScalar"))
    np.testing.assert_allclose(index, result.fused.array, atol=1e-6)


def test_a_reference_under_a_bend_is_refused_with_the_way_out(scene, bend):
    nodes = [node_from_volume(volume, scene) for volume in head_pair()]
    nodes[0].SetAndObserveTransformNodeID(transform_node(bend, scene, "bend").GetID())
    with pytest.raises(NotSupported, match="Harden"):
        logic.take_snapshots(nodes)


@pytest.mark.parametrize("linear", [True, False])
def test_a_move_brings_the_volume_where_the_transform_says_and_back(scene, bend, linear):
    mr, pet = head_pair()
    node, sibling = (node_from_volume(pet, scene) for _ in range(2))
    shared = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "shared")
    set_matrix(shared, turned(5, (1, 2, 3)))
    for one in (node, sibling):
        one.SetAndObserveTransformNodeID(shared.GetID())
    before = world_matrix(sibling)
    transform = sitk.TranslationTransform(3, [4.0, -5.0, 6.0]) if linear else bend
    placed = take_snapshot(node).volume()
    move = put_under(node, transform, "found")
    snapshot = take_snapshot(node)
    assert is_bent(node) is not linear
    shown = resample_to(snapshot.volume(), mr.geometry, transform=snapshot.transform)
    expected = resample_to(placed, mr.geometry, transform=transform)
    np.testing.assert_allclose(shown.array, expected.array, atol=1e-3)
    np.testing.assert_array_equal(world_matrix(sibling), before)  # what shares the parent stays
    count = scene.GetNumberOfNodesByClass("vtkMRMLTransformNode")
    assert move.undo()
    assert node.GetTransformNodeID() == shared.GetID()
    assert scene.GetNumberOfNodesByClass("vtkMRMLTransformNode") == count - len(move.made)


def test_a_move_whose_former_parent_is_gone_changes_nothing(scene):
    node = node_from_volume(head_pair()[1], scene)
    former = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "former")
    node.SetAndObserveTransformNodeID(former.GetID())
    move = put_under(node, None, "new")
    scene.RemoveNode(former)
    assert not move.undo()
    assert node.GetTransformNodeID() == move.made[0].GetID()


def test_a_sheared_volume_is_fused_on_its_own_grid(scene):
    mr, pet = head_pair()
    nodes = [node_from_volume(volume, scene) for volume in (mr, pet)]
    shear = np.eye(4)
    shear[0, 1] = 0.2
    parent = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "shear")
    set_matrix(parent, shear)
    for node in nodes:
        node.SetAndObserveTransformNodeID(parent.GetID())
    case, transforms = logic.case_of(logic.take_snapshots(nodes))
    assert transforms == [None]
    result = MedFusionLib.fuse(case, "average")
    np.testing.assert_allclose(result.fused.geometry.ijk_to_ras, shear @ mr.geometry.ijk_to_ras, atol=1e-9)
    np.testing.assert_allclose(result.fused.array, MedFusionLib.fuse(Case([mr, pet]), "average").fused.array, atol=1e-6)
