"""Does the fused image keep the function and the anatomy, and invent nothing?

These keep the usual metrics honest: a copy of one source scores well on information, fidelity and
artefacts, yet loses the other source. They need to know which source is anatomical (the MR) and
which functional (PET, SPECT; the CT beside an MR).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from MedFusionLib.metrics.filters import box, sobel_magnitude, widest
from MedFusionLib.metrics.slab import FOREGROUND_LEVEL, Slab

ANATOMICAL, FUNCTIONAL = "anatomical", "functional"
TOP_SHARE, COLLAR = 0.9, 3
QUIET_WINDOW, BACKGROUND_WINDOW, ENVELOPE_WINDOW = 7, 5, 3
TOLERANCE = 8.0
LEAST_SPREAD = 1e-6
FINE_LEVELS = 1 << 16
FINE_STEP = 255.0 / (FINE_LEVELS - 1)


def roles_of(modalities: Sequence[str]) -> tuple[str, ...]:
    """Role of each source from its DICOM modality.

    PET and SPECT are functional and everything else of CT and MR anatomical. Without PET and SPECT
    the CT beside an MR takes the functional part. Unknown modalities (OT) have no role.
    """
    known = set(modalities)
    functional = {"PT", "NM"} & known or ({"CT"} if {"CT", "MR"} <= known else set())
    return tuple(
        FUNCTIONAL if modality in functional else ANATOMICAL if modality in ("CT", "MR") else ""
        for modality in modalities
    )


class TopDecile:
    """Threshold of the brightest tenth of each functional source, from histograms gathered slab by slab."""

    def __init__(self) -> None:
        self.counts: list[Tensor] = []

    def add(self, slab: Slab) -> None:
        """Count one slab in steps of 1/257 of a grey level."""
        for n, source in enumerate(slab.of_role(FUNCTIONAL)):
            values = source if slab.mask is None else source[slab.mask]
            levels = (values.clamp(0, 255) / FINE_STEP).round().to(torch.int32).reshape(-1)
            counts = torch.bincount(levels, minlength=FINE_LEVELS)
            if n == len(self.counts):
                self.counts.append(counts)
            else:
                self.counts[n] += counts

    def thresholds(self) -> list[float]:
        """The 90th percentile of each functional source, in grey levels."""
        found = []
        for counts in self.counts:
            rank = math.ceil(TOP_SHARE * (int(counts.sum()) - 1)) + 1
            level = int((counts.cumsum(0) < rank).sum())
            found.append((level - 0.5) * FINE_STEP)
        return found


class Function:
    """``func`` and ``flevel``: the worst over the functional sources, over the whole volume."""

    def __init__(self, thresholds: list[float]) -> None:
        self.thresholds = thresholds
        self.sums = [torch.zeros(3, 3, dtype=torch.float64) for _ in thresholds]
        self.inside = [torch.zeros(2, dtype=torch.float64) for _ in thresholds]

    def add(self, slab: Slab) -> None:
        """Gather one slab; the collar is taken within each slice."""
        for n, source in enumerate(slab.of_role(FUNCTIONAL)):
            hot = (source >= self.thresholds[n]) & (source > FOREGROUND_LEVEL)
            if slab.mask is not None:
                hot &= slab.mask
            region = widest(hot.to(source.dtype), 2 * COLLAR + 1) > 0
            if slab.mask is not None:
                region &= slab.mask
            parts = torch.stack([region.to(source), slab.fused * region, source * region]).flatten(1).double()
            self.sums[n] += (parts @ parts.T).cpu()
            self.inside[n] += torch.stack([(slab.fused * hot).sum(), (source * hot).sum()]).double().cpu()

    def result(self) -> dict[str, float]:
        """The metrics; NaN without a functional source or inside a constant region."""
        fidelity = [_pearson_of_sums(sums) for sums in self.sums]
        levels = [float(fused / source) if source > 0 else math.nan for fused, source in self.inside]
        return {"func": _worst(fidelity), "flevel": _worst(levels)}


class Invention:
    """``invent`` and ``bg``: what the fused image shows where no source has it."""

    def __init__(self, wanted: set[str]) -> None:
        self.with_background = "bg" in wanted
        self.foreground = self.invented = self.background = 0
        self.lifted = 0.0

    def add(self, slab: Slab) -> None:
        """Count one slab; envelopes are taken within each slice."""
        stack = torch.stack(slab.sources)
        brightest, darkest = stack.amax(dim=0), stack.amin(dim=0)
        outside = slab.fused > widest(brightest, ENVELOPE_WINDOW).add_(TOLERANCE)
        outside |= slab.fused < widest(darkest.neg_(), ENVELOPE_WINDOW).neg_().sub_(TOLERANCE)
        foreground = brightest > FOREGROUND_LEVEL
        if slab.mask is not None:
            foreground &= slab.mask
        self.foreground += int(foreground.sum())
        self.invented += int((outside & foreground).sum())
        if self.with_background:
            dark = widest(brightest, BACKGROUND_WINDOW) <= FOREGROUND_LEVEL
            dark = dark if slab.mask is None else dark & slab.mask
            self.background += int(dark.sum())
            self.lifted += float(slab.fused[dark].double().sum())

    def result(self) -> dict[str, float]:
        """Share of invented foreground, and mean grey level of the background."""
        return {
            "invent": self.invented / self.foreground if self.foreground else math.nan,
            "bg": self.lifted / self.background if self.background else math.nan,
        }


class Flicker:
    """``flicker``: change between neighbouring fused slices beyond the largest change in any source."""

    def __init__(self) -> None:
        self.before: Slab | None = None
        self.excess, self.count = 0.0, 0

    def add(self, slab: Slab) -> None:
        """Compare the slices of one slab with each other and with the last one before it."""
        if self.before is not None:
            slab = _joined(self.before, slab)
        change = (slab.fused[1:] - slab.fused[:-1]).abs_()
        allowed = torch.stack([(source[1:] - source[:-1]).abs_() for source in slab.sources]).amax(dim=0)
        shown = slab.foreground
        shown = shown[1:] | shown[:-1]
        self.excess += float((change.sub_(allowed).clamp_(min=0) * shown).double().sum())
        self.count += int(shown.sum())
        self.before = slab.at([len(slab.fused) - 1])

    def result(self) -> dict[str, float]:
        """Mean excess over the foreground in grey levels; NaN for a single slice."""
        return {"flicker": self.excess / self.count if self.count else math.nan}


def anatomical_detail(slab: Slab) -> dict[str, Tensor]:
    """``anat`` of each slice (K,): the worst over the anatomical sources.

    Pearson correlation of the Sobel gradient strengths of F and A over the foreground where the
    gradient energy of the functional sources (7 x 7 mean) is at or below its median there.
    """
    energy = 0.0
    for source in slab.of_role(FUNCTIONAL):
        energy = energy + box(_around(_edges(source).square(), QUIET_WINDOW // 2), QUIET_WINDOW)
    head = slab.foreground
    middle = torch.where(head, energy, math.nan).flatten(1).nanmedian(dim=1).values
    quiet = head & (energy <= middle[:, None, None])
    fused = _edges(slab.fused)
    found = [_pearson_inside(fused, _edges(source), quiet) for source in slab.of_role(ANATOMICAL)]
    return {"anat": torch.stack(found).amin(dim=0)}


def _edges(image: Tensor) -> Tensor:
    return sobel_magnitude(_around(image, 1))


def _around(image: Tensor, width: int) -> Tensor:
    return torch.nn.functional.pad(image[:, None], (width,) * 4, mode="replicate")[:, 0]


def _pearson_inside(first: Tensor, second: Tensor, mask: Tensor) -> Tensor:
    parts = torch.stack([mask.to(first), first * mask, second * mask], dim=1).flatten(2)
    sums = (parts @ parts.transpose(1, 2)).double()
    count = torch.where(sums[:, 0, 0] > 0, sums[:, 0, 0], math.nan)
    moments = sums / count[:, None, None]
    covariance = moments[:, 1:, 1:] - moments[:, 0, 1:, None] * moments[:, 0, None, 1:]
    spread = covariance[:, 0, 0] * covariance[:, 1, 1]
    return covariance[:, 0, 1] / torch.where(spread > LEAST_SPREAD, spread, math.nan).sqrt()


def _pearson_of_sums(sums: Tensor) -> float:
    (count, a, b), (_, aa, ab), (_, _, bb) = sums.tolist()
    if count == 0:
        return math.nan
    spread = (aa / count - (a / count) ** 2, bb / count - (b / count) ** 2)
    if min(spread) < LEAST_SPREAD:
        return math.nan
    return (ab / count - a * b / count**2) / math.sqrt(spread[0] * spread[1])


def _worst(values: list[float]) -> float:
    """The smallest; NaN when there is none or one of them is undefined."""
    return math.nan if not values or any(math.isnan(value) for value in values) else min(values)


def _joined(first: Slab, second: Slab) -> Slab:
    mask = None if second.mask is None else torch.cat([first.mask, second.mask])
    sources = [torch.cat(pair) for pair in zip(first.sources, second.sources)]
    return Slab(sources, torch.cat([first.fused, second.fused]), mask, second.roles)
