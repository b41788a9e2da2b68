"""Metrics from grey-level histograms: entropy, mutual information, nonlinear correlation."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from MedFusionLib.metrics.slab import Slab

LEVELS = 256


def grey_levels(image: Tensor) -> Tensor:
    """Values on the scale 0..255 as whole grey levels (int32)."""
    return image.round().clamp_(0, LEVELS - 1).to(torch.int32)


def entropy_of(probabilities: Tensor) -> float:
    """Entropy in bits of probabilities of any shape."""
    positive = probabilities[probabilities > 0]
    return abs(float((positive * positive.log2()).sum()))


def joint_counts(first: Tensor, second: Tensor) -> Tensor:
    """(256, 256) int64 joint histogram of two images of grey levels."""
    pairs = (first * LEVELS + second).reshape(-1)
    return torch.bincount(pairs, minlength=LEVELS * LEVELS).reshape(LEVELS, LEVELS)


def information(counts: Tensor) -> tuple[float, float, float]:
    """Mutual information, and the entropies of both images, in bits, from a joint histogram."""
    joint = counts.double() / counts.sum()
    entropies = entropy_of(joint.sum(dim=1)), entropy_of(joint.sum(dim=0))
    return max(0.0, sum(entropies) - entropy_of(joint)), *entropies


def mutual_information(sources: list[Tensor], fused: Tensor) -> tuple[float, float]:
    """MI in bits and Q_MI, both summed over the sources (grey levels, (K, H, W))."""
    histograms = [sum(joint_counts(a, f) for a, f in zip(source, fused)) for source in sources]
    found = _informations(histograms)
    return found["mi"], found["q_mi"]


class Information:
    """``en``, ``mi`` and its normalised forms, ``ncie``: joint histograms gathered slab by slab."""

    def __init__(self, wanted: set[str]) -> None:
        self.with_pairs = "ncie" in wanted
        self.counts: dict[tuple[int, int], Tensor | int] = {}

    def add(self, slab: Slab) -> None:
        """Count one slab."""
        images = [*slab.sources, slab.fused]
        levels = [grey_levels(image if slab.mask is None else image[slab.mask]) for image in images]
        last = len(levels) - 1
        for pair in itertools.combinations(range(len(levels)), 2):
            if pair[1] == last or self.with_pairs:
                self.counts[pair] = self.counts.get(pair, 0) + joint_counts(levels[pair[0]], levels[pair[1]])

    def result(self) -> dict[str, float]:
        """The metrics; NaN without any voxel."""
        last = max(pair[1] for pair in self.counts)
        histograms = [self.counts[n, last] for n in range(last)]
        if int(histograms[0].sum()) == 0:
            return dict.fromkeys(("en", "mi", "mi_nats", "q_mi", "nmi", "nmi_joint", "ncie"), math.nan)
        found = _informations(histograms)
        if self.with_pairs:
            found["ncie"] = nonlinear_correlation(self.counts, last + 1)
        return found


def nonlinear_correlation(counts: dict[tuple[int, int], Tensor], images: int) -> float:
    """Nonlinear correlation information entropy of all images, from their joint histograms by pairs."""
    matrix = torch.eye(images, dtype=torch.float64)
    for (row, column), histogram in counts.items():
        matrix[row, column] = matrix[column, row] = information(histogram)[0] / math.log2(LEVELS)
    shares = torch.linalg.eigvalsh(matrix) / images
    shares = shares[shares > 0]
    return float(1 + (shares * shares.log()).sum() / math.log(LEVELS))


def _informations(histograms: list[Tensor]) -> dict[str, float]:
    total, hossny, joint = 0.0, 0.0, 0.0
    for histogram in histograms:
        shared, own, fused_entropy = information(histogram)
        both = own + fused_entropy
        total += shared
        hossny += 2 * shared / both if both > 0 else 0.0
        joint += both / (both - shared) / len(histograms) if both - shared > 0 else math.nan
    return {
        "en": fused_entropy, "mi": total, "mi_nats": total * math.log(2),
        "q_mi": hossny, "nmi": hossny, "nmi_joint": joint,
    }  # fmt: skip
