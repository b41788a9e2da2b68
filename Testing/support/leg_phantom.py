"""A leg in CT, PET and MR, with a bone and a tumour, on three grids."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from MedFusionLib import units
from MedFusionLib.segment import measure_agreement
from MedFusionLib.segmentation import Segmentation
from MedFusionLib.volume import Geometry, Volume
from phantoms import upright_geometry

CENTRE = (6.0, -4.0, 2.0)


def grid(spacing, extent=96.0) -> Geometry:
    """Voxels of a size in mm around the origin."""
    shape = tuple(int(extent / s) for s in spacing[::-1])
    return upright_geometry(shape, spacing, tuple(-s * (n - 1) / 2 for s, n in zip(spacing, shape[::-1])))


def away(geometry, centre=CENTRE):
    """Distance of every voxel from a point in mm."""
    k, j, i = np.indices(geometry.shape)
    return np.linalg.norm(geometry.to_ras(np.stack([i, j, k], axis=-1)) - np.asarray(centre), axis=-1)


def leg():
    """CT, PET and MR of a leg with a bone and a ball of 20 mm whose middle is cold in PET; three grids."""
    rng = np.random.default_rng(5)
    ct_grid, pet_grid, mr_grid = grid((2.0, 2.0, 3.0)), grid((5.0, 5.0, 4.0)), grid((1.5, 1.5, 4.0))

    def tissue(geometry, outside, muscle, bone, tumour):
        array = np.where(away(geometry, (0, 0, 0))[..., None] > 46, [outside], [muscle])[..., 0].astype(float)
        array[away(geometry, (-28, 10, 0)) <= 10] = bone
        array[away(geometry) <= 20] = tumour
        return array

    ct = tissue(ct_grid, -1000, 50, 800, 25) + rng.normal(0, 10, ct_grid.shape)
    mr = tissue(mr_grid, 0, 300, 20, 420) + rng.normal(0, 15, mr_grid.shape)
    pet = tissue(pet_grid, 0.05, 0.8, 0.6, 6.0)
    pet[away(pet_grid) <= 10] = 1.0
    pet = np.maximum(ndimage.gaussian_filter(pet, 0.5) + rng.normal(0, 0.05, pet_grid.shape), 0)
    return (
        Volume(ct, ct_grid, "CT", units.HOUNSFIELD, "CT"),
        Volume(pet, pet_grid, "PT", units.SUV_BODY_WEIGHT, "PET"),
        Volume(mr, mr_grid, "MR", units.ARBITRARY, "MR"),
    )


def dice_of(found: Segmentation, radius=20.0) -> float:
    """Dice of a segmentation against the ball."""
    truth = away(found.geometry) <= radius
    return measure_agreement(found.labels > 0, truth, found.geometry).dice
