"""Registrations as transform nodes."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import slicer
import slicer.util
import vtk

from MedFusionLib.align import ras_matrix, read_transform, write_transform
from MedFusionLib.align.transform import to_transform
from MedFusionLib.errors import NotSupported, UnreadableFile
from MedFusionScene.nodes import to_world


def transform_node(transform, scene, name: str):
    """A transform node that brings the moving node onto the reference when it is put under it.

    Parameters
    ----------
    transform : SimpleITK.Transform
        Reference LPS to moving LPS, as a registration gives it.
    scene : vtkMRMLScene
        Where the node goes.
    name : str
        Of the node.

    Returns
    -------
    vtkMRMLLinearTransformNode or vtkMRMLTransformNode
        A matrix where the transform is linear, else what Slicer reads from ITK's file.

    Raises
    ------
    UnreadableFile
        When Slicer cannot read the transform; nothing is left in the scene.
    """
    linear = ras_matrix(transform)
    if linear is not None:
        # a parent transform moves the image, ITK's looks up where it came from
        return _linear_node(np.linalg.inv(linear), scene, name)
    node = scene.AddNewNodeByClass("vtkMRMLTransformNode", name)
    storage = slicer.vtkMRMLTransformStorageNode()
    with tempfile.TemporaryDirectory(prefix="medfusion-") as folder:
        storage.SetFileName(str(write_transform(transform, Path(folder) / "T.h5")))
        read = storage.ReadData(node)
    if not read:
        scene.RemoveNode(node)
        raise UnreadableFile(f"Slicer cannot read the transform {name}", "a B-spline or affine transform of ITK")
    return node


def transform_from_node(node):
    """The SimpleITK transform (reference LPS to moving LPS) of a node that `transform_node` made.

    Raises
    ------
    UnreadableFile
        When Slicer cannot write the transform in ITK's format.
    """
    if node.IsLinear():
        return to_transform(np.linalg.inv(slicer.util.arrayFromTransformMatrix(node)))
    storage = slicer.vtkMRMLTransformStorageNode()
    with tempfile.TemporaryDirectory(prefix="medfusion-") as folder:
        path = Path(folder) / "T.h5"
        storage.SetFileName(str(path))
        if not storage.WriteData(node) or not path.is_file():
            raise UnreadableFile(f"The transform {node.GetName()} cannot be written", "a transform that ITK knows")
        return read_transform(path)


def is_bent(node) -> bool:
    """Whether a parent transform of a node bends space."""
    parent = node.GetParentTransformNode()
    return parent is not None and not parent.IsTransformToWorldLinear()


def transform_of_parents(node):
    """The transform that a node's parents make together, as ITK has it.

    Parameters
    ----------
    node : vtkMRMLTransformableNode
        Under a transform of any kind.

    Returns
    -------
    SimpleITK.Transform
        World LPS to the node's own LPS.

    Raises
    ------
    NotSupported
        When Slicer cannot write the transform as one of ITK.
    """
    whole, storage = slicer.vtkMRMLTransformNode(), slicer.vtkMRMLTransformStorageNode()
    to_world = vtk.vtkGeneralTransform()
    node.GetParentTransformNode().GetTransformToWorld(to_world)
    whole.SetAndObserveTransformToParent(to_world)
    with tempfile.TemporaryDirectory(prefix="medfusion-") as folder:
        path = Path(folder) / "T.h5"
        storage.SetFileName(str(path))
        if not storage.WriteData(whole):
            raise NotSupported(
                f"The transform of {node.GetName()} has no counterpart in ITK",
                "a linear, B-spline, grid or thin-plate transform", "Harden it in the Transforms module first",
            )  # fmt: skip
        return read_transform(path)


@dataclass(frozen=True, eq=False)
class Move:
    """A node that was put under another transform, so that it can be taken back.

    Parameters
    ----------
    node : vtkMRMLTransformableNode
        What was moved.
    before : str or None
        ID of the parent transform that it had.
    made : tuple of vtkMRMLTransformNode
        The nodes that were made for it.
    """

    node: object
    before: str | None
    made: tuple

    def undo(self) -> bool:
        """Give the node its former parent back; False when the scene has changed too much for that."""
        scene = self.node.GetScene()
        if scene is None or (self.before and scene.GetNodeByID(self.before) is None):
            return False
        self.node.SetAndObserveTransformNodeID(self.before)
        for transform in self.made:
            if transform.GetScene() is scene:
                scene.RemoveNode(transform)
        return True


def put_under(node, transform, name: str) -> Move:
    """Move a node by a transform of its own; parents that it may share with others are left alone.

    Parameters
    ----------
    node : vtkMRMLTransformableNode
        In a scene.
    transform : SimpleITK.Transform or None
        World LPS to the LPS of the node as its parents place it now; of a node whose parents bend
        space, world LPS to the node's own LPS. None leaves a node under linear parents where it is.
    name : str
        Of the new transform node.
    """
    scene, before = node.GetScene(), node.GetTransformNodeID()
    base = np.eye(4) if is_bent(node) else to_world(node)
    linear = ras_matrix(transform)
    if linear is not None:
        made = (_linear_node(np.linalg.inv(linear) @ base, scene, name),)
    else:
        made = (transform_node(transform, scene, name),)
        if not np.allclose(base, np.eye(4)):
            inner = _linear_node(base, scene, f"{name}, before it")
            inner.SetAndObserveTransformNodeID(made[0].GetID())
            made = (inner, *made)
    node.SetAndObserveTransformNodeID(made[0].GetID())
    return Move(node, before, made)


def set_matrix(transform, matrix: np.ndarray) -> None:
    """Write (4, 4), RAS to parent RAS in mm, into a linear transform node."""
    values = vtk.vtkMatrix4x4()
    values.DeepCopy(np.asarray(matrix, float).ravel().tolist())
    transform.SetMatrixTransformToParent(values)


def _linear_node(matrix: np.ndarray, scene, name: str):
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
    set_matrix(node, matrix)
    return node
