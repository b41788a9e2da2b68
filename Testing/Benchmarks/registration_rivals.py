"""Rigid registration beside SimpleITK and itk-elastix: ``python Testing/Benchmarks/registration_rivals.py``.

Every pair is moved by the same small known transforms and registered back by each, with one thread
and from the given position: ours by the whole search, SimpleITK by Mattes mutual information in
three resolutions, elastix by its own parameters for rigid transforms. Errors are mean
target errors over the head to the position that the pair came in, and to the mean of the positions
in which the same program ends on the pair. A row for elastix is there where ``itk-elastix`` is
installed; MedFusion does not need it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from aligned_pairs import brain_pairs, data_folder, moved, random_direction, rotation, shift, simulated_pair
from registration import head, mapped, mean_distance

from MedFusionLib.align import ras_matrix, register
from MedFusionLib.align.transform import to_transform
from MedFusionLib.io.itk import to_itk_image

NAMES = ("T1-T2", "T1-PET", "t1-flair")
TRIALS, MOST_MM, MOST_DEG = 5, 10.0, 8.0


def ours(reference, moving) -> np.ndarray:
    """(4, 4) reference RAS to moving RAS by MedFusion."""
    return ras_matrix(register(reference, moving).transform)


def simpleitk(reference, moving) -> np.ndarray:
    """(4, 4) by SimpleITK's registration framework."""
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    fixed, floating = (to_itk_image(v.array.astype(np.float32), v.geometry) for v in (reference, moving))
    start = sitk.CenteredTransformInitializer(
        fixed, floating, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.GEOMETRY
    )
    start.SetTranslation((0, 0, 0))
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(50)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.1, 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-4, 300, 0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
    method.SetInitialTransform(start, inPlace=False)
    return ras_matrix(method.Execute(fixed, floating))


def elastix(reference, moving) -> np.ndarray:
    """(4, 4) by itk-elastix with its default parameters for rigid transforms."""
    import itk

    itk.set_nthreads(1)
    parameters = itk.ParameterObject.New()
    rigid = parameters.GetDefaultParameterMap("rigid", 4)
    rigid["AutomaticTransformInitialization"] = ["false"]
    parameters.AddParameterMap(rigid)
    _, found = itk.elastix_registration_method(
        _itk_image(reference), _itk_image(moving), parameter_object=parameters, log_to_console=False
    )
    values = found.GetParameterMap(0)
    return ras_matrix(_euler(values["TransformParameters"], values["CenterOfRotationPoint"]))


def _euler(numbers, centre):
    import SimpleITK as sitk

    transform = sitk.Euler3DTransform()
    transform.SetCenter([float(c) for c in centre])
    transform.SetParameters([float(n) for n in numbers])
    return to_transform(ras_matrix(transform))


def _itk_image(volume):
    import itk

    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.geometry.ijk_to_ras
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image = itk.image_from_array(np.ascontiguousarray(volume.array, np.float32))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection(itk.matrix_from_array(lps[:3, :3] / spacing))
    return image


def compare(pair, find: Callable) -> tuple[list[float], list[float], list[float]]:
    """Errors in mm to the given and to the program's own position, and seconds of processor time."""
    points, ends, seconds = head(pair.reference), [], []
    for number in range(TRIALS):
        rng = np.random.default_rng(number)
        turn = rotation(rng.uniform(0, MOST_DEG) * random_direction(rng), points.mean(axis=0))
        matrix = shift(rng.uniform(0, MOST_MM) * random_direction(rng)) @ turn
        started = time.process_time()
        found = find(pair.reference, moved(pair.moving, matrix))
        seconds.append(time.process_time() - started)
        ends.append(mapped(np.linalg.inv(matrix) @ found, points))
    middle = np.mean(ends, axis=0)
    return [mean_distance(end, points) for end in ends], [mean_distance(end, middle) for end in ends], seconds


def main() -> None:
    """Print the table."""
    programs = {"MedFusion": ours, "SimpleITK": simpleitk}
    if find_spec("itk") is not None:
        programs["itk-elastix"] = elastix
    pairs = [pair for pair in brain_pairs(data_folder()) if pair.name in NAMES] + [simulated_pair(data_folder())]
    print("| pair | program | error to the given position, median (worst) | scatter, median (worst) | s on a core |")
    print("|---|---|---|---|---|")
    for pair in pairs:
        for name, find in programs.items():
            given, own, seconds = compare(pair, find)
            cells = [f"{np.median(e):.2f} ({max(e):.2f}) mm" for e in (given, own)]
            print(f"| {pair.name} | {name} | {cells[0]} | {cells[1]} | {np.median(seconds):.1f} |", flush=True)


if __name__ == "__main__":
    main()
