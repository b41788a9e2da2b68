"""The last step of a registration, by SimpleITK: rigid, affine, B-spline."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from MedFusionLib.align.resample import resample_to
from MedFusionLib.align.similarity import coded
from MedFusionLib.align.transform import ras_matrix, to_transform
from MedFusionLib.errors import Cancelled
from MedFusionLib.interrupt import checkpoint
from MedFusionLib.volume import Geometry, Volume

SPACING_MM = 2.0
SAMPLES = 60_000
BINS = 40
SEED = 121_212
CONTROL_POINTS_MM = 40.0
ITERATIONS = {"rigid": 60, "affine": 100, "bspline": 20}
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
    """Climb the Mattes mutual information from a start (reference LPS to moving LPS).

    Returns
    -------
    SimpleITK.Transform
        Affine, or a composite of a B-spline and an affine.

    Notes
    -----
    D. Mattes et al., "PET-CT image registration in the chest using free-form deformations", IEEE
    Transactions on Medical Imaging 22 (2003) 120-128.
    """
    images = [_image(volume) for volume in (reference, moving)]
    stencils = [_mask_image(volume, mask) for volume, mask in zip((reference, moving), masks)]
    matrix = ras_matrix(start)
    if matrix is None:
        return start
    for number, step in enumerate({"rigid": ("rigid",), "affine": ("rigid", "affine"),
                                   "bspline": ("rigid", "affine")}[model]):  # fmt: skip
        matrix = _refine_linear(images, stencils, step, matrix)
        progress(6 + number, 10)
    linear = to_transform(matrix)
    if model != "bspline":
        return linear
    return _refine_spline(images, stencils, linear, lambda done, total: progress(7, 10))


def _refine_linear(images, stencils, step: str, matrix: np.ndarray) -> np.ndarray:
    """(4, 4) RAS, refined."""
    import SimpleITK as sitk

    method = _method(images, stencils)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=0.5, minStep=0.005, numberOfIterations=ITERATIONS[step], relaxationFactor=0.6,
        gradientMagnitudeTolerance=1e-7,
    )  # fmt: skip
    method.SetOptimizerScalesFromPhysicalShift()
    # the start stays outside, so that what is optimised begins at the identity
    method.SetMovingInitialTransform(to_transform(matrix))
    change = sitk.Euler3DTransform() if step == "rigid" else sitk.AffineTransform(3)
    size = images[0].GetSize()
    change.SetCenter(images[0].TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in size]))
    method.SetInitialTransform(change, inPlace=True)
    _execute(method, images)
    return matrix @ ras_matrix(change)


def _refine_spline(images, stencils, linear, progress):
    import SimpleITK as sitk

    fixed = images[0]
    lengths = np.array(fixed.GetSize()) * fixed.GetSpacing()
    mesh = [max(1, round(length / CONTROL_POINTS_MM)) for length in lengths]
    spline = sitk.BSplineTransformInitializer(fixed, mesh, order=3)
    method = _method(images, stencils)
    method.SetOptimizerAsLBFGSB(gradientConvergenceTolerance=1e-5, numberOfIterations=ITERATIONS["bspline"])
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
    from MedFusionLib.align.resample import resample_labels_to

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
