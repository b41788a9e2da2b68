"""Evaluate a fused image or volume against its sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from MedFusionLib.errors import UsageError
from MedFusionLib.threads import one_torch_thread
from MedFusionLib.volume import Volume

FOREGROUND_LEVEL = 2.0
_CHUNK_SAMPLES = 1 << 19


def evaluate(
    sources: Sequence[np.ndarray | Volume], fused: np.ndarray | Volume, *, data_range: float | None = None
) -> dict[str, float]:
    """All metrics of `metrics.METRICS` for one fused image or volume.

    Histogram metrics take the whole volume; gradient and similarity metrics are taken per slice
    (first array axis) and averaged over the slices in which any source is above two grey levels.

    Parameters
    ----------
    sources : sequence of (H, W) or (K, H, W) arrays, or Volumes
        Two or more, on the grid of `fused` and on one scale. Volumes in another unit than the
        fusion index are mapped to 0..1 by their default window.
    fused : array or Volume
        The fused image.
    data_range : float or None
        Value that stands for white: 255 for uint8 arrays and 1 for everything else by default.

    Returns
    -------
    dict of str to float
        Metric names and values; NaN where a metric is undefined.

    Raises
    ------
    UsageError
        When shapes differ, there are fewer than two sources, or values leave 0..data_range.
    """
    if len(sources) < 2:
        raise UsageError(f"{len(sources)} source", "at least two sources")
    images = [_on_grey_scale(image, data_range) for image in (*sources, fused)]
    if len({image.shape for image in images}) > 1:
        raise UsageError(f"Shapes {[image.shape for image in images]} differ", "all images on one grid")
    import torch

    with torch.inference_mode(), one_torch_thread():
        tensors = [torch.from_numpy(image) for image in images]
        return {**_whole(tensors), **_by_slices(tensors)}


def _whole(images: list) -> dict[str, float]:
    from MedFusionLib.metrics.histogram import entropy, grey_levels, mutual_information

    levels = [grey_levels(image) for image in images]
    shared, normalised = mutual_information(levels[:-1], levels[-1])
    spread = float(images[-1].double().std(correction=0))
    return {"en": entropy(levels[-1]), "sd": spread, "mi": shared, "nmi": normalised}


def _by_slices(images: list) -> dict[str, float]:
    from MedFusionLib.metrics.gradient import average_gradient, edge_preservation, spatial_frequency
    from MedFusionLib.metrics.similarity import structural_similarity

    *sources, fused = images

    def similarity(sources: list, fused):
        return sum(structural_similarity(source, fused) for source in sources) / len(sources)

    measures: dict[str, Callable] = {
        "sf": lambda sources, fused: spatial_frequency(fused),
        "ag": lambda sources, fused: average_gradient(fused),
        "ssim": similarity,
        "qabf": edge_preservation,
    }
    if min(fused.shape[1:]) < 3:
        return dict.fromkeys(measures, float("nan"))
    shown = [k for k in range(len(fused)) if any(bool((s[k] > FOREGROUND_LEVEL).any()) for s in sources)]
    numbers = shown or list(range(len(fused)))
    step = max(1, _CHUNK_SAMPLES // fused[0].numel())
    found: dict[str, list[float]] = {name: [] for name in measures}
    for start in range(0, len(numbers), step):
        part = numbers[start : start + step]
        for name, measure in measures.items():
            found[name].extend(measure([s[part] for s in sources], fused[part]).tolist())
    return {name: _mean(values) for name, values in found.items()}


def _mean(values: list[float]) -> float:
    """Mean of the defined values."""
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


def _on_grey_scale(image: np.ndarray | Volume, data_range: float | None) -> np.ndarray:
    """(K, H, W) float32 on the scale 0..255."""
    if isinstance(image, Volume):
        image = _normalised(image)
    image = np.asarray(image)
    if image.ndim not in (2, 3):
        raise UsageError(f"An image of shape {image.shape}", "(H, W) or (K, H, W)")
    white = data_range if data_range is not None else (255.0 if image.dtype == np.uint8 else 1.0)
    values = image.reshape(-1, *image.shape[-2:]).astype(np.float32) * np.float32(255.0 / white)
    if not np.isfinite(values).all() or values.min() < -0.5 or values.max() > 255.5:
        raise UsageError(f"Values from {image.min():g} to {image.max():g}", f"0 to {white:g}", "Give the data range")
    return values


def _normalised(volume: Volume) -> np.ndarray:
    from MedFusionLib.intensity import default_window, normalise
    from MedFusionLib.units import FUSION_INDEX

    return volume.array if volume.unit == FUSION_INDEX else normalise(volume, default_window(volume))
