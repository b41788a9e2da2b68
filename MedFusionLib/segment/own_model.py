"""Segment with the model of a folder: its grid, its channels, its windows, its names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import ndimage

from MedFusionLib.errors import ResourcesExhausted, UnreadableFile, UsageError
from MedFusionLib.networks.sliding import slide
from MedFusionLib.region import Region
from MedFusionLib.segment.carry import sample_array
from MedFusionLib.segment.driver import island_of
from MedFusionLib.segment.labels import COLOURS
from MedFusionLib.segment.model_folder import ModelCard, load_model, read_card
from MedFusionLib.segment.spot import SEED_RADIUS_MM
from MedFusionLib.segmentation import Segment, Segmentation, segment_type
from MedFusionLib.volume import Geometry, Origin, Volume

MOST_BYTES = 4 << 30
"""Of the model's input and output together."""
_LEAST_SHARE = 0.5


def segment_by_model(
    sources: tuple[Volume, ...], folder: str | Path, *, region: Region | None = None, seed=None
) -> Segmentation:
    """Segment by the user's own model.

    The sources are sampled on the model's spacing over the first source's field of view (with a region:
    over the region and a window's half around it), windows slide over them, and the answer is
    carried to the first source's grid. With a seed only the islands at it stay, with a region only
    what lies in it.

    Parameters
    ----------
    sources : tuple of Volume
        In one world; each channel of the model takes the source of its name or modality.
    folder : path
        See `model_folder`.
    region, seed
        Marks; neither is needed.

    Raises
    ------
    UsageError
        When a channel has no source, or nothing is found.
    UnreadableFile, NotSupported
        See `model_folder`.
    ResourcesExhausted
        When the model's grid is too fine for the field of view.
    """
    card = read_card(folder)
    chosen = _chosen(sources, card)
    predict = load_model(folder, card)
    geometry = _grid(sources[0], card, region)
    image = np.stack([_channel(source, geometry, card, n) for n, source in enumerate(chosen)])
    probability = slide(lambda part: _activated(predict(part), card), image, card.window, card.overlap)
    if not np.isfinite(probability).all():
        raise UnreadableFile("The model answers with values that are no numbers", "finite values")
    labels = _labels(probability, card, geometry, sources[0].geometry)
    labels = _marked(labels, sources[0].geometry, region, seed)
    if not labels.any():
        raise UsageError(f"The model {card.name} finds nothing at the marked place", "a lesion that it knows")
    segments = tuple(_segment(card, label) for label in range(1, 1 + len(_shown(card))))
    notes = (f"model {card.name} {card.version}".rstrip(), "made by a model of the user's, to be reviewed")
    evidence = {"method": "model", "model": card.name, "version": card.version, "sha256": card.sha256}
    return Segmentation(labels, sources[0].geometry, segments, source=Origin(notes=notes), evidence=evidence)


def _chosen(sources: tuple[Volume, ...], card: ModelCard) -> list[Volume]:
    """The source of every channel: by name, else by modality in order."""
    left, chosen = list(sources), []
    for channel in card.channels:
        match = [s for s in left if s.name == channel.name] or [s for s in left if s.modality == channel.name]
        if not match:
            given = ", ".join(f"{s.name} ({s.modality})" for s in sources)
            raise UsageError(f"No source for the model's channel {channel.name!r}: there are {given}",
                             "a source of that name or modality")  # fmt: skip
        chosen.append(match[0])
        left.remove(match[0])
    return chosen


def _grid(reference: Volume, card: ModelCard, region: Region | None) -> Geometry:
    """Grid along the model's axes; its first array axis is the model's first axis."""
    spacing = np.array(card.spacing_mm)
    low, high = np.array(reference.geometry.bounds_ras()).reshape(3, 2).T
    if region is not None:
        window = np.array(card.window)[list(np.argsort(card.order))]
        first, last = region.bounds_ras()
        low = np.maximum(low, first - spacing * window / 2)
        high = np.minimum(high, last + spacing * window / 2)
    counts = np.maximum(np.ceil((high - low) / spacing - 1e-6).astype(int), 1)
    needed = 4 * int(np.prod([int(n) for n in counts])) * (len(card.channels) + 2 * len(card.classes))
    if needed > MOST_BYTES:
        raise ResourcesExhausted(
            f"The model's grid of {'x'.join(map(str, counts))} samples needs {needed / 2**30:.1f} GiB",
            f"at most {MOST_BYTES >> 30} GiB", "Mark a region around the lesion",
        )  # fmt: skip
    matrix = np.eye(4)
    axes = card.order[::-1]  # an array's last axis is i
    for column, axis in enumerate(axes):
        matrix[:3, column] = spacing[axis] * np.eye(3)[axis]
    matrix[:3, 3] = (low + high) / 2 - (counts - 1) * spacing / 2
    return Geometry(tuple(int(counts[axis]) for axis in card.order), matrix)


def _channel(source: Volume, geometry: Geometry, card: ModelCard, number: int) -> np.ndarray:
    values = sample_array(source.array, source.geometry, geometry, order=1, outside=np.nan)
    covered = ~np.isnan(values)
    if not covered.any():
        raise UsageError(f"{source.name} does not reach the field of view", "sources that share one space")
    channel = card.channels[number]
    if channel.low is None:
        scaled = (values - values[covered].mean()) / max(float(values[covered].std()), 1e-6)
        return np.where(covered, scaled, scaled[covered].min()).astype(np.float32)
    scaled = np.clip((values - channel.low) / (channel.high - channel.low), 0, 1)
    return np.where(covered, scaled, 0).astype(np.float32)


def _activated(logits: np.ndarray, card: ModelCard) -> np.ndarray:
    if not card.exclusive:
        return 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
    raised = np.exp(logits - logits.max(axis=0, keepdims=True))
    return raised / raised.sum(axis=0, keepdims=True)


def _shown(card: ModelCard) -> tuple[int, ...]:
    """Outputs that become segments."""
    return tuple(range(1 if card.exclusive else 0, len(card.classes)))


def _labels(probability: np.ndarray, card: ModelCard, geometry: Geometry, target: Geometry) -> np.ndarray:
    """Labels (K, J, I) on the reference grid: the likeliest output, probabilities interpolated."""
    best = np.full(target.shape, _LEAST_SHARE, np.float32)
    if card.exclusive:
        best = sample_array(probability[0], geometry, target, order=1, outside=1.0)
    labels = np.zeros(target.shape, np.uint8)
    for label, output in enumerate(_shown(card), 1):
        here = sample_array(probability[output], geometry, target, order=1, outside=0.0)
        better = here > best
        labels[better], best[better] = label, here[better]
    return labels


def _marked(labels: np.ndarray, geometry: Geometry, region: Region | None, seed) -> np.ndarray:
    if region is not None:
        labels = np.where(region.mask_on(geometry), labels, 0).astype(np.uint8)
    if seed is None:
        return labels
    place = np.rint(geometry.to_ijk(np.asarray(seed, np.float64)))[::-1].astype(int)
    if (place < 0).any() or (place >= labels.shape).any():
        raise UsageError(f"The seed {seed} lies outside the first source", "a point in the lesion, RAS in mm")
    away = np.ones(labels.shape, bool)
    away[tuple(place)] = False
    near = ndimage.distance_transform_edt(away, sampling=geometry.spacing_kji_mm) <= SEED_RADIUS_MM
    return np.where(island_of(labels > 0, near & (labels > 0)), labels, 0).astype(np.uint8)


def _segment(card: ModelCard, label: int) -> Segment:
    output = _shown(card)[label - 1]
    colour = COLOURS[(label - 1) % len(COLOURS)]
    if output not in card.types:
        return Segment(label, card.classes[output], colour)
    kind = segment_type(card.types[output])
    return Segment(label, card.classes[output], kind.colour, kind.type_code, kind.category_code)
