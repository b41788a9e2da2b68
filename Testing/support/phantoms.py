"""Small deterministic phantoms for tests."""

from __future__ import annotations

import numpy as np

from MedFusionLib import units
from MedFusionLib.volume import Geometry, Volume


def upright_geometry(shape=(24, 32, 28), spacing_mm=(2.0, 2.0, 2.5), origin=(-28.0, -32.0, -30.0)) -> Geometry:
    """Axes R, A, S with spacing (I, J, K)."""
    matrix = np.diag([*spacing_mm, 1.0])
    matrix[:3, 3] = origin
    return Geometry(shape, matrix)


def oblique_geometry(seed: int, shape=(7, 9, 8)) -> Geometry:
    """A rotated, anisotropic, possibly left-handed grid."""
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * rng.uniform(0.5, 4.0, 3)
    matrix[:3, 3] = rng.uniform(-200, 200, 3)
    return Geometry(shape, matrix)


def head_pair(shape=(24, 32, 28), geometry: Geometry | None = None) -> tuple[Volume, Volume]:
    """An MR and a PET (SUVbw) of one head, with a hot lesion on the patient's right.

    Nothing in it is symmetric, so that a flip shows.
    """
    geometry = geometry or upright_geometry(shape)
    k, j, i = (np.linspace(-1, 1, n)[s] for n, s in zip(shape, np.ix_(*(range(n) for n in shape))))
    skull = (k / 0.95) ** 2 + (j / 0.9) ** 2 + (i / 0.8) ** 2 < 1
    brain = (k / 0.8) ** 2 + (j / 0.75) ** 2 + (i / 0.66) ** 2 < 1
    ventricle = (k / 0.3) ** 2 + ((j - 0.1) / 0.3) ** 2 + ((i + 0.1) / 0.12) ** 2 < 1
    lesion = ((k - 0.1) / 0.2) ** 2 + ((j + 0.2) / 0.2) ** 2 + ((i - 0.4) / 0.18) ** 2 < 1
    mark = (k > 0.5) & (abs(j - 0.3) < 0.15) & (i < -0.1) & brain
    texture = 1 + 0.1 * np.sin(9 * i + 5 * j) * np.cos(7 * k)
    mr = 300.0 * skull + 500.0 * brain * texture - 450.0 * ventricle - 120.0 * lesion + 150.0 * mark
    pet = 0.5 * skull + 3.0 * brain * (1 + 0.2 * k) - 2.0 * ventricle + 6.0 * lesion
    return (
        Volume(mr, geometry, "MR", units.ARBITRARY, "phantom MR"),
        Volume(pet, geometry, "PT", units.SUV_BODY_WEIGHT, "phantom PET"),
    )


def noise_stack(shape, seed: int = 0) -> np.ndarray:
    """Smooth noise in 0..1, float32: an honest opponent for every transform."""
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    values = sum(
        ndimage.gaussian_filter(rng.normal(size=shape), (0,) * (len(shape) - 3) + (s,) * 3) * s for s in (0.5, 1.5, 4)
    )
    low, high = values.min(), values.max()
    return ((values - low) / (high - low)).astype(np.float32)
