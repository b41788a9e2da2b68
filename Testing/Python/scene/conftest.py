"""A real MRML scene without the application, and small phantoms for it."""

from __future__ import annotations

import numpy as np
import pytest

from MedFusionLib import units
from MedFusionLib.intensity import Window
from MedFusionLib.result import FusionResult, Verdict
from MedFusionLib.segmentation import Segment, Segmentation
from MedFusionLib.volume import Geometry, Volume
from MedFusionScene.gl import offscreen_problem

pytest.importorskip("slicer", reason="needs slicer-core")


@pytest.fixture(scope="module")
def application():
    # per module: the export tests boot an application of their own
    from MedFusionScene.headless import HeadlessApplication

    with HeadlessApplication() as booted:
        yield booted


@pytest.fixture
def scene(application):
    application.scene.Clear(0)
    yield application.scene
    application.scene.Clear(0)


@pytest.fixture
def needs_gl():
    problem = offscreen_problem()
    if problem:
        pytest.skip(problem)


@pytest.fixture
def grid() -> Geometry:
    """An L-P-S grid of 2 x 2 x 3 mm around the origin, (K, J, I) = (20, 36, 32)."""
    matrix = np.diag([-2.0, -2.0, 3.0, 1.0])
    matrix[:3, 3] = (31.0, 35.0, -28.5)
    return Geometry((20, 36, 32), matrix)


@pytest.fixture
def mr(grid) -> Volume:
    return Volume(_ramp(grid, 0) * 1000, grid, "MR", units.ARBITRARY, "t1")


@pytest.fixture
def pet(grid) -> Volume:
    return Volume(_ramp(grid, 2) * 10, grid, "PT", units.SUV_BODY_WEIGHT, "pet")


@pytest.fixture
def lesion(grid) -> Segmentation:
    """A box of 4 x 5 x 6 voxels on the patient's right."""
    labels = np.zeros(grid.shape, np.uint8)
    labels[8:12, 14:19, 4:10] = 1
    return Segmentation(labels, grid, (Segment(1, "Lesion", (1.0, 0.5, 0.0)),))


@pytest.fixture
def result(mr, pet, lesion) -> FusionResult:
    """A result put together by hand: the mean of both sources."""
    windows = (Window(0, 1000, mr.unit.code), Window(0, 10, pet.unit.code))
    fused = (mr.array / 1000 + pet.array / 10) / 2
    colour = np.stack([fused, 0.5 * fused, 1 - fused], axis=-1)
    return FusionResult(
        Volume(fused, mr.geometry, "OT", units.FUSION_INDEX, "fused"),
        (mr, pet),
        windows,
        (255 * colour).astype(np.uint8),
        np.stack([np.full(mr.array.shape, 0.25), np.full(mr.array.shape, 0.75)]).astype(np.float32),
        np.zeros(mr.array.shape, np.float32),
        Verdict("pass"),
        lesion,
        provenance={"method": "average"},
    )


def _ramp(grid: Geometry, axis: int) -> np.ndarray:
    """0 to 1 along one RAS axis."""
    k, j, i = np.indices(grid.shape)
    along = grid.to_ras(np.stack([i, j, k], axis=-1))[..., axis]
    return ((along - along.min()) / (along.max() - along.min())).astype(np.float32)
