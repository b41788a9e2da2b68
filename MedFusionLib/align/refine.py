"""The last step of a registration: rigid and affine on a finer grid, and SimpleITK's B-splines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from MedFusionLib.align.evidence import Comparison
from MedFusionLib.align.pose import AFFINE_AXES, affine_matrix, climb
from MedFusionLib.align.resample import resample_labels_to, resample_to
from MedFusionLib.align.similarity import coded
from MedFusionLib.align.transform import joined, ras_matrix, to_transform
from MedFusionLib.errors import Cancelled
from MedFusionLib.interrupt import checkpoint
from MedFusionLib.volume import Geometry, Volume

SPACING_MM = 2.0
SAMPLES = 60_000
BINS = 40
SEED = 121_212
CONTROL_POINTS_MM = 40.0
SPLINE_ITERATIONS = 20
_STEPS = (1.0, 0.5, 0.25, 0.12)
_AFFINE_STEPS = (4.0, 2.0, *_STEPS)
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
    pair = Comparison(
        reference, moving, start, spacing_mm=SPACING_MM, most_samples=SAMPLES, everywhere=True, masks=masks
    )
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
    return _refine_spline(images, stencils, found, lambda done, total: progress(7, 10))


def _refine_spline(images, stencils, linear, progress):
    import SimpleITK as sitk

    fixed = images[0]
    lengths = np.array(fixed.GetSize()) * fixed.GetSpacing()
    mesh = [max(1, round(length / CONTROL_POINTS_MM)) for length in lengths]
    spline = sitk.BSplineTransformInitializer(fixed, mesh, order=3)
    method = _method(images, stencils)
    method.SetOptimizerAsLBFGSB(gradientConvergenceTolerance=1e-5, numberOfIterations=SPLINE_ITERATIONS)
    method.SetMovingInitialTransform(linear)
    method.SetInitialTransform(spline, inPlace=True)
    _execute(method, images, progress)
    return sitk.CompositeTransform([linear, spline])


def _method(images, stencils):
    import SimpleITK as sitk

    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    share = min(1.0, SAMPLES / images[0].GetNumberOfPixels())
    method.SetMetricSamplingPercentage(share, seed=SEED)
    method.SetInterpolator(sitk.sitkLinear)
    if stencils[0] is not None:
        method.SetMetricFixedMask(stencils[0])
    if stencils[1] is not None:
        method.SetMetricMovingMask(stencils[1])
    return method


def _execute(method, images, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Run; an exception must not cross ITK, so that a cancel stops the optimiser first."""
    import SimpleITK as sitk

    cancelled = []

    def look() -> None:
        try:
            checkpoint()
            progress(method.GetOptimizerIteration(), 100)
        except Cancelled as error:
            cancelled.append(error)
            method.StopRegistration()

    method.AddCommand(sitk.sitkIterationEvent, look)
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    # the order of sums depends on the number of threads, and the last digits on the order
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        method.Execute(*images)
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
        method.RemoveAllCommands()
    if cancelled:
        raise cancelled[0]


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
