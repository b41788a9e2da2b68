"""Evaluate a fused image or volume against its sources, a few slices at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.threads import one_torch_thread

_CHUNK_SAMPLES = 1 << 19


def evaluate(
    sources: Sequence,
    fused,
    *,
    data_range: float | None = None,
    mask: str | np.ndarray | None = None,
    metrics: str | Iterable[str] = "standard",
    roles: Sequence[str] | None = None,
) -> dict[str, float]:
    """Metrics of one fused image or volume; `metrics.METRICS` says what each of them means.

    Slice-wise metrics run along the first array axis. The work streams in slabs of a few slices on
    the device of the images, so that it needs little memory beside its inputs.

    Parameters
    ----------
    sources : sequence of (H, W) or (K, H, W) arrays or tensors, or Volumes
        Two or more, on the grid of `fused` and on one scale. Volumes in another unit than the
        fusion index are mapped to 0..1 by their default window.
    fused : array, tensor or Volume
        The fused image.
    data_range : float or None
        Value that stands for white: 255 for uint8 arrays and 1 for everything else by default.
    mask : None, "auto", or (H, W) or (K, H, W) array
        Where to measure. ``"auto"`` is where any source is above two grey levels.
    metrics : str or iterable of str
        ``"standard"`` (the fast set), ``"all"``, or names.
    roles : sequence of str or None
        ``"anatomical"``, ``"functional"`` or ``""`` per source; None takes them from the modalities
        of Volumes. Without one source of either kind the sets leave out what needs roles, and such
        a metric is NaN when asked for by name.

    Returns
    -------
    dict of str to float
        Metric names and values; NaN where a metric is undefined.

    Raises
    ------
    UsageError
        When shapes differ, there are fewer than two sources, values leave 0..data_range or are not
        finite, or a name, role or mask is wrong.
    """
    from MedFusionLib.metrics.catalogue import METRICS
    from MedFusionLib.metrics.images import Images
    from MedFusionLib.metrics.registry import choose

    images = Images.of(sources, fused, data_range=data_range, mask=mask, roles=roles)
    names = choose(METRICS, metrics, with_roles=images.has_roles)
    import torch

    with torch.inference_mode(), one_torch_thread():
        found = _measure(images, set(names))
    return {name: found.get(name, math.nan) for name in names}


def _measure(images, wanted: set[str]) -> dict[str, float]:
    from MedFusionLib.metrics.measures import SLICE_MEASURES

    if "clin" in wanted:
        wanted = wanted | {"func", "anat"}
    roles_needed = {"func", "flevel", "anat", "clin"}
    if not images.has_roles:
        wanted = wanted - roles_needed
    gathering, shown = _survey(images, wanted)
    measures = [one for one in SLICE_MEASURES if wanted.intersection(one.names)]
    values: dict[str, list[float]] = {name: [] for one in measures for name in one.names}
    for start, slab in _slabs(images):
        for gatherer in gathering:
            checkpoint()
            gatherer.add(slab)
        picked = [k for k in range(len(slab.fused)) if shown[start + k]]
        if not picked or min(slab.fused.shape[1:]) < 3:
            continue
        slab = slab if len(picked) == len(slab.fused) else slab.at(picked)
        for measure in measures:
            checkpoint()
            for name, tensor in measure(slab).items():
                values[name].extend(tensor.tolist())
    found = {name: _mean(each) for name, each in values.items()}
    for gatherer in gathering:
        found.update(gatherer.result())
    if "clin" in wanted:
        found["clin"] = math.nan if math.isnan(found["func"] + found["anat"]) else min(found["func"], found["anat"])
    return found


def _survey(images, wanted: set[str]) -> tuple[list, list[bool]]:
    """What gathers over the whole volume, and which slices count: all when none has foreground."""
    from MedFusionLib.metrics import faithfulness
    from MedFusionLib.metrics.histogram import Information
    from MedFusionLib.metrics.measures import INFORMATION, MOMENTS
    from MedFusionLib.metrics.statistics import Moments

    decile = faithfulness.TopDecile() if wanted & {"func", "flevel"} else None
    shown: list[bool] = []
    for _, slab in _slabs(images):
        checkpoint()
        counted = slab.foreground if slab.mask is None else slab.mask
        shown.extend(counted.flatten(1).any(dim=1).tolist())
        if decile:
            decile.add(slab)
    gathering: list = [Information(wanted)] if wanted & INFORMATION else []
    if wanted & MOMENTS:
        gathering.append(Moments(wanted))
    if wanted & {"invent", "bg"}:
        gathering.append(faithfulness.Invention(wanted))
    if "flicker" in wanted:
        gathering.append(faithfulness.Flicker())
    if decile:
        gathering.append(faithfulness.Function(decile.thresholds()))
    return gathering, shown if any(shown) else [True] * len(shown)


def _slabs(images) -> Iterator[tuple[int, object]]:
    slices, height, width = images.shape
    step = max(1, _CHUNK_SAMPLES // (height * width))
    for start in range(0, slices, step):
        yield start, images.slab(start, min(start + step, slices))


def _mean(values: list[float]) -> float:
    """Mean of the defined values."""
    defined = [value for value in values if not math.isnan(value)]
    return float(np.mean(defined)) if defined else math.nan
