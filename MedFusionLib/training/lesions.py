"""Lesions that never were, put into real volumes: training data with exact contours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from MedFusionLib.errors import UsageError
from MedFusionLib.segment.learned import click_map, prepared
from MedFusionLib.training.augment import uniform

SIZE = 32
"""Edge of an example in samples."""
SPACING_MM = 2.0
MOST_SOURCES = 3
SMALLEST, LARGEST = 2.5, 11.0
"""Radius of a lesion in samples."""


@dataclass(frozen=True)
class Background:
    """Volumes of one head or body on one grid.

    Parameters
    ----------
    values : (S, K, J, I) float32 tensor
        In any unit.
    functional : tuple of bool
        Per source, whether it shows function.
    allowed : (K, J, I) bool tensor
        False where there is a real lesion.
    """

    values: Tensor
    functional: tuple[bool, ...]
    allowed: Tensor


@dataclass(frozen=True)
class Examples:
    """Marked lesions with their contours.

    Parameters
    ----------
    sources : (B, S, D, H, W) tensor
        In 0..1.
    marks : (B, S, 3, D, H, W) tensor
        Region, click, function.
    truth : (B, D, H, W) tensor
        0 or 1.
    """

    sources: Tensor
    marks: Tensor
    truth: Tensor


FOLDERS = (
    ("mni_multimodal", tuple(f"{n}.nii.gz" for n in ("spm_T1", "spm_T2", "spm_PD", "clinical_FLAIR", "spm_EPI")),
     tuple(f"{n}.nii.gz" for n in ("spm_PET", "spm_SPECT")), None),
    ("lgg_du7294", ("t1.nii.gz", "t1c.nii.gz", "t2.nii.gz", "flair.nii.gz"), (), "seg/fusion_mav.nii.gz"),
)  # fmt: skip
"""Per folder: anatomical volumes, functional volumes, label map of what is a real lesion."""


def read_backgrounds(folder: Path) -> list[Background]:
    """Real volumes around which lesions are put: head templates, and a glioma patient without the glioma.

    Raises
    ------
    UsageError
        When none of them is below the folder.
    """
    found = [_background(Path(folder), *one) for one in FOLDERS if (Path(folder) / one[0] / one[1][0]).is_file()]
    if not found:
        raise UsageError(f"{folder} holds none of the volumes", ", ".join(f"{one[0]}/{one[1][0]}" for one in FOLDERS))
    return found


def _background(folder: Path, name: str, anatomical: tuple, functional: tuple, lesion: str | None) -> Background:
    from MedFusionLib.align import to_reference
    from MedFusionLib.io import read_labels, read_volume
    from MedFusionLib.volume import Case

    kinds = [("MR", one) for one in anatomical] + [("PT", one) for one in functional]
    volumes = [read_volume(folder / name / file, modality=kind) for kind, file in kinds]
    case = to_reference(Case(volumes))
    values = torch.from_numpy(np.stack([source.array for source in case.sources]))
    allowed = torch.ones(values.shape[1:], dtype=torch.bool)
    if lesion is not None:
        allowed = torch.from_numpy(read_labels(folder / name / lesion)[0] == 0)
    step = max(1, round(SPACING_MM / case.reference.geometry.spacing_mm[0]))
    if step > 1:
        values = F.avg_pool3d(values, step)
        allowed = -F.max_pool3d(-allowed.float()[None], step)[0] > 0
    return Background(values, tuple(kind == "PT" for kind, _ in kinds), allowed)


def lesion_batch(backgrounds: list[Background], generator: Generator, count: int) -> Examples:
    """Some examples of as many sources each, chosen with the generator alone."""
    sources = 1 + _below(MOST_SOURCES, generator)
    made = [_example(backgrounds, sources, generator) for _ in range(count)]
    return Examples(*(torch.stack(parts) for parts in zip(*made)))


def _example(backgrounds: list[Background], sources: int, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """One lesion in every source that shows it, and what a person would have marked of it."""
    crop, functional = _crop(backgrounds[_below(len(backgrounds), generator)], sources, generator)
    depth = _blob(generator, uniform(generator, 0.35, 0.65))
    other = torch.where(depth < 1.6, 9.0, _blob(generator, uniform(generator, 0.0, 1.0)))
    painted = []
    for values, function, visible in zip(crop, functional, _visible(sources, generator)):
        values = _paint(values, depth, generator, function=function, visible=visible)
        if uniform(generator, 0, 1) < 0.5:  # something else that nobody marked
            values = _paint(values, other, generator, function=function, visible=True)
        painted.append(_noisy(values, generator))
    return _marked(torch.stack(painted), functional, depth < 1, generator)


def _below(count: int, generator: Generator) -> int:
    return int(torch.randint(0, count, (), generator=generator))


def _crop(background: Background, count: int, generator: Generator) -> tuple[Tensor, tuple[bool, ...]]:
    """A cube of some of the sources, mirrored and turned by chance, free of real lesions."""
    shape = background.values.shape[1:]
    for _ in range(20):
        box = tuple(slice(a, a + SIZE) for a in (_below(n - SIZE + 1, generator) for n in shape))
        shown = background.values[(0, *box)]
        if background.allowed[box].all() and float((shown > 0.1 * background.values[0].max()).float().mean()) > 0.3:
            break
    chosen = torch.randperm(len(background.functional), generator=generator)[:count].tolist()
    values = background.values[(chosen, *box)]
    for axis in (1, 2, 3):
        if uniform(generator, 0, 1) < 0.5:
            values = values.flip(axis)
    order = torch.randperm(3, generator=generator) + 1
    return values.permute(0, *order.tolist()).clone(), tuple(background.functional[n] for n in chosen)


def _blob(generator: Generator, place: float) -> Tensor:
    """Depth field (SIZE, SIZE, SIZE) of a lumpy ellipsoid: below 1 inside, 0 at its centre."""
    radius = math.exp(uniform(generator, math.log(SMALLEST), math.log(LARGEST)))
    axes = torch.tensor([math.exp(uniform(generator, -0.3, 0.3)) for _ in range(3)])
    turn, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator))
    free = max(0.0, SIZE / 2 - radius - 2)
    centre = SIZE / 2 + free * (2 * torch.rand(3, generator=generator) - 1) * 2 * abs(place)
    line = torch.arange(SIZE, dtype=torch.float32)
    where = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), dim=-1) - centre
    distance = ((where @ turn) / (radius * axes)).norm(dim=-1)
    lumps = _smooth_noise(generator, 3 + _below(4, generator))
    return (distance * (1 + uniform(generator, 0.0, 0.35) * lumps)).clamp(min=0)


def _smooth_noise(generator: Generator, knots: int) -> Tensor:
    """A random field of unit order, interpolated between some knots per axis."""
    field = torch.randn(1, 1, knots, knots, knots, generator=generator)
    return F.interpolate(field, size=(SIZE,) * 3, mode="trilinear", align_corners=True)[0, 0].clamp(-2, 2)


def _visible(count: int, generator: Generator) -> list[bool]:
    """Which sources show the lesion: at least one does."""
    seen = [uniform(generator, 0, 1) < 0.7 for _ in range(count)]
    seen[_below(count, generator)] = True
    return seen


def _paint(values: Tensor, depth: Tensor, generator: Generator, *, function: bool, visible: bool) -> Tensor:
    """The source with a lesion of some level, texture and sharpness, with or without a core of another level."""
    spread = float(values.std()) + 1e-6
    contrast = uniform(generator, 1.5, 6.0) if visible else uniform(generator, 0.0, 0.5)
    sign = 1.0 if function or uniform(generator, 0, 1) < 0.7 else -1.0
    level = float(values[depth < 1.5].mean()) if bool((depth < 1.5).any()) else float(values.mean())
    level = level + sign * contrast * spread * (2.0 if function else 1.0)
    texture = 1 + uniform(generator, 0.0, 0.35) * _smooth_noise(generator, 6)
    inside = torch.full_like(values, level) + (level - values.mean()) * (texture - 1)
    if uniform(generator, 0, 1) < (0.5 if function else 0.25):  # necrosis
        core = depth < uniform(generator, 0.4, 0.8)
        inside = torch.where(core, values.mean() + uniform(generator, 0.0, 0.6) * (inside - values.mean()), inside)
    share = _blurred((depth < 1).float(), uniform(generator, 0.8, 1.8) if function else uniform(generator, 0.3, 1.0))
    kept = uniform(generator, 0.0, 0.3)
    return values + share * (1 - kept) * (inside - values)


def _blurred(mask: Tensor, sigma: float) -> Tensor:
    line = torch.arange(-4, 5, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (line / sigma) ** 2)
    kernel = kernel / kernel.sum()
    found = mask[None, None]
    for axis in range(3):
        shape = [1, 1, 1, 1, 1]
        shape[2 + axis] = len(kernel)
        padding = [0, 0, 0]
        padding[axis] = len(kernel) // 2
        found = F.conv3d(found, kernel.view(shape), padding=padding)
    return found[0, 0]


def _noisy(values: Tensor, generator: Generator) -> Tensor:
    strength = uniform(generator, 0.0, 0.25) * float(values.std())
    return values + strength * torch.randn(values.shape, generator=generator)


def _marked(
    values: Tensor, functional: tuple[bool, ...], truth: Tensor, generator: Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """With a click, a box around the lesion, or both."""
    has_click, has_box = [(True, False), (False, True), (True, True)][_below(3, generator)]
    region, click, places = torch.ones(truth.shape), torch.zeros(truth.shape), truth.nonzero()
    if has_box:
        low, high = places.amin(dim=0), places.amax(dim=0) + 1
        margins = torch.randint(1, 7, (2, 3), generator=generator)
        region = torch.zeros(truth.shape)
        region[tuple(slice(max(0, int(a - m)), int(b + n)) for a, b, m, n in zip(low, high, *margins))] = 1
    if has_click:
        click = torch.from_numpy(click_map(tuple(truth.shape), tuple(places[_below(len(places), generator)].tolist())))
    sources = torch.from_numpy(prepared(values.numpy(), region.numpy() > 0))
    marks = torch.stack([torch.stack((region, click, torch.full_like(region, float(f)))) for f in functional])
    return sources, marks, truth.float()
