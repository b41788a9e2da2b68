"""The last step of a registration: rigid and affine on a finer grid, and SimpleITK's B-splines."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from MedFusionLib.align.evidence import Comparison
from MedFusionLib.align.pose import AFFINE_AXES, affine_matrix, climb
from MedFusionLib.align.resample import resample_labels_to, resample_to
from MedFusionLib.align.similarity import coded
from MedFusionLib.align.transform import joined, ras_matrix, to_transform
from MedFusionLib.interrupt import checkpoint
from MedFusionLib.volume import Geometry, Volume

SPACING_MM = 2.0
SAMPLES = 60_000
SPLINE_SAMPLES = 20_000
BINS = 40
SEED = 121_212
CONTROL_POINTS_MM = 40.0
SPLINE_ITERATIONS = 20
SPLINE_EVALUATIONS = 60
_ASK_SECONDS = 0.05
_STEPS = (1.0, 0.5, 0.25, 0.12)
_AFFINE_STEPS = (2.0, *_STEPS)
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def refine(
    reference: Volume,
    moving: Volume,
    model: str,
    start,
    *,
    masks=(None, None),
    progress: Callable[[int, int], None] = lambda done, total: None,
):
    """Climb from a start (reference LPS to moving LPS) on a grid of 2 mm.

    Rigid and affine climb the similarity that the search and the verdict use. B-splines climb the Mattes
    mutual information on top of the affine.

    Returns
    -------
    SimpleITK.Transform
        Affine, or a composite of a B-spline and an affine.

    Notes
    -----
    D. Mattes et al., "PET-CT image registration in the chest using free-form deformations", IEEE
    Transactions on Medical Imaging 22 (2003) 120-128.
    """
    pair = Comparison(reference, moving, start, spacing_mm=SPACING_MM, most_samples=SAMPLES, masks=masks)
    numbers = climb(pair.at, np.zeros(6), steps=_STEPS, axes=pair.axes).numbers
    progress(6, 10)
    if model != "rigid":
        numbers = climb(
            lambda twelve: pair.similarity(affine_matrix(twelve, pair.centre)),
            np.array((*numbers, *np.zeros(6))), steps=_AFFINE_STEPS, axes=AFFINE_AXES, most_rounds=100,
        ).numbers  # fmt: skip
        progress(7, 10)
    change = affine_matrix((*numbers, *np.zeros(12 - len(numbers))), pair.centre)
    found = joined(to_transform(change), start)
    if model != "bspline" or ras_matrix(found) is None:
        return found
    images = [_image(volume) for volume in (reference, moving)]
    stencils = [_mask_image(volume, mask) for volume, mask in zip((reference, moving), masks)]
    found = _refine_spline(images, stencils, found)
    progress(8, 10)
    return found


def _refine_spline(images, stencils, linear):
    import SimpleITK as sitk

    fixed = images[0]
    lengths = np.array(fixed.GetSize()) * fixed.GetSpacing()
    mesh = [max(1, round(length / CONTROL_POINTS_MM)) for length in lengths]
    spline = sitk.BSplineTransformInitializer(fixed, mesh, order=3)
    method = _method(images, stencils)
    method.SetOptimizerAsLBFGSB(
        gradientConvergenceTolerance=1e-5, numberOfIterations=SPLINE_ITERATIONS,
        maximumNumberOfFunctionEvaluations=SPLINE_EVALUATIONS,
    )  # fmt: skip
    method.SetMovingInitialTransform(linear)
    method.SetInitialTransform(spline, inPlace=True)
    _execute(method, images)
    return sitk.CompositeTransform([linear, spline])


def _method(images, stencils):
    import SimpleITK as sitk

    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    share = min(1.0, SPLINE_SAMPLES / images[0].GetNumberOfPixels())
    method.SetMetricSamplingPercentage(share, seed=SEED)
    method.SetInterpolator(sitk.sitkLinear)
    if stencils[0] is not None:
        method.SetMetricFixedMask(stencils[0])
    if stencils[1] is not None:
        method.SetMetricMovingMask(stencils[1])
    return method


def _execute(method, images) -> None:
    """Run in a thread of its own: ITK's L-BFGS-B cannot be stopped, and a person who cancels should not wait.

    The thread of a cancelled run ends by itself, after at most `SPLINE_EVALUATIONS` looks at the similarity.
    """
    import SimpleITK as sitk

    failed = []

    def work() -> None:
        try:
            method.Execute(*images)
        except RuntimeError as error:
            failed.append(error)

    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    # the order of sums depends on the number of threads, and the last digits on the order
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    worker = threading.Thread(target=work, name="medfusion-spline")
    worker.start()
    try:
        while worker.is_alive():
            worker.join(_ASK_SECONDS)
            checkpoint()
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    if failed:
        raise failed[0]


def _image(volume: Volume):
    """An ITK image of the bin positions (see `similarity.coded`) on a grid of perpendicular axes."""
    if not volume.geometry.is_orthogonal:
        volume = resample_to(volume, _upright(volume.geometry))
    smooth = coded(volume, SPACING_MM)
    return _to_itk(smooth.array, smooth.geometry)


def _mask_image(volume: Volume, mask):
    import SimpleITK as sitk

    if mask is None:
        return None
    geometry = volume.geometry if volume.geometry.is_orthogonal else _upright(volume.geometry)
    labels = resample_labels_to(np.asarray(mask, np.uint8), volume.geometry, geometry)
    return sitk.Cast(_to_itk(labels, geometry), sitk.sitkUInt8)


def _to_itk(array: np.ndarray, geometry: Geometry):
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    matrix, spacing = _LPS @ geometry.ijk_to_ras, np.asarray(geometry.spacing_mm)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(matrix[:3, 3].tolist())
    image.SetDirection((matrix[:3, :3] / spacing).ravel().tolist())
    return image


def _upright(geometry: Geometry) -> Geometry:
    """A grid along R, A, S around a sheared one."""
    bounds = np.reshape(geometry.bounds_ras(), (3, 2))
    spacing = min(geometry.spacing_mm)
    shape = np.maximum(1, np.ceil((bounds[:, 1] - bounds[:, 0]) / spacing)).astype(int)
    matrix = np.diag([spacing, spacing, spacing, 1.0])
    matrix[:3, 3] = bounds[:, 0] + spacing / 2
    return Geometry(tuple(shape[::-1]), matrix)
