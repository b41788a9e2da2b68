"""Registrations as transform nodes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import slicer
import slicer.util
import vtk

from MedFusionLib.align import ras_matrix, read_transform, write_transform
from MedFusionLib.align.transform import to_transform
from MedFusionLib.errors import UnreadableFile


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
        node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
        matrix = vtk.vtkMatrix4x4()
        # a parent transform moves the image, ITK's looks up where it came from
        matrix.DeepCopy(np.linalg.inv(linear).ravel().tolist())
        node.SetMatrixTransformToParent(matrix)
        return node
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
