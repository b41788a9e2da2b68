"""Move an image by hand: six numbers, as a person reads them from six sliders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from MedFusionLib.align.pose import rigid_matrix
from MedFusionLib.align.transform import TransformLike, as_transform, joined, to_transform
from MedFusionLib.errors import UsageError
from MedFusionLib.volume import Geometry

if TYPE_CHECKING:
    import SimpleITK


def nudge_transform(
    geometry: Geometry,
    translation_mm: Sequence[float] = (0.0, 0.0, 0.0),
    rotation_degrees: Sequence[float] = (0.0, 0.0, 0.0),
) -> np.ndarray:
    """(4, 4) float64 that carries the moving image's RAS to the reference's RAS, in mm.

    The image is first turned about the centre of the reference's grid, about the R axis, then A, then
    S (right hand rule), and then shifted. So it is what a parent transform in Slicer's scene holds.

    Parameters
    ----------
    geometry : Geometry
        The reference's grid: its centre is the centre of rotation.
    translation_mm : (3,)
        How far the image goes to the right, anterior, superior.
    rotation_degrees : (3,)
        About the R, A and S axis.

    Raises
    ------
    UsageError
        For anything but three finite numbers each.
    """
    given = {"translation": translation_mm, "rotation": rotation_degrees}
    for word, numbers in given.items():
        if np.shape(numbers) != (3,) or not np.isfinite(np.asarray(numbers, float)).all():
            raise UsageError(f"A nudge's {word} of {numbers}", "three finite numbers (R, A, S)")
    centre = geometry.to_ras((np.array(geometry.shape[::-1]) - 1) / 2)
    return rigid_matrix((*map(float, translation_mm), *map(float, rotation_degrees)), centre)


def nudged(transform: TransformLike, nudge: np.ndarray) -> SimpleITK.Transform:
    """A transform (reference LPS to moving LPS) after the moving image was moved by hand.

    Parameters
    ----------
    transform : path, SimpleITK transform, or None
        Reference to moving, before; None is the identity.
    nudge : (4, 4)
        How the image goes, as seen in the reference's space, see `nudge_transform`.
    """
    # a point of the reference is looked up where it was before the moving image went away
    back = to_transform(np.linalg.inv(nudge))
    if transform is None:
        return back
    return joined(as_transform(transform), back)
