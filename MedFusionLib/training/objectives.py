"""Metrics of fusion as differentiable objectives, on images (B, 1, H, W) in 0..255; one value per image, (B,).

They follow the definitions of `MedFusionLib.metrics`, which are not differentiable, count in
histograms, or work in place: information is that of a soft histogram here, and orientation is
compared by the cosine of twice the angle.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from MedFusionLib.training.losses import correlation, gaussian, gradient, gradient_modulus, ssim_map

BINS = 64
LEVELS = 256
FOREGROUND = 2.0


def mutual_information(first: Tensor, second: Tensor) -> Tensor:
    """2 I(A; F) / (H(A) + H(F)) from soft histograms of 64 bins, from every fourth sample.

    Wide bins have a slope everywhere, but in them a mixture seems to tell as much as the values themselves.
    """
    a, b = _soft_bins(first[..., ::2, ::2]), _soft_bins(second[..., ::2, ::2])
    joint = a.transpose(1, 2) @ b / a.shape[1]
    return _shared_information(joint)


def fine_information(first: Tensor, second: Tensor) -> Tensor:
    """The same from a bin per grey level and every sample: nearly the metric itself, with a slope only nearby."""
    counts = [first.new_zeros(LEVELS * LEVELS)] * len(first)
    for row, row_share in _neighbours(first):
        for column, column_share in _neighbours(second):
            counts = [
                count.index_add(0, place, share)
                for count, place, share in zip(counts, row * LEVELS + column, row_share * column_share)
            ]
    return _shared_information(torch.stack(counts).unflatten(1, (LEVELS, LEVELS)) / first[0].numel())


def _shared_information(joint: Tensor) -> Tensor:
    h_joint, h_a, h_b = (_entropy(p) for p in (joint.flatten(1), joint.sum(dim=2), joint.sum(dim=1)))
    return 2 * (h_a + h_b - h_joint) / (h_a + h_b + 1e-6)


def edge_preservation(fused: Tensor, sources: Tensor) -> Tensor:
    """Q_AB/F with the orientation by the cosine of twice the angle."""
    fx, fy = gradient(fused)
    strength_f = (fx * fx + fy * fy + 1e-4).sqrt()
    kept, total = 0.0, 0.0
    for source in sources.split(1, dim=1):
        x, y = gradient(source)
        strength = (x * x + y * y + 1e-4).sqrt()
        ratio = torch.minimum(strength, strength_f) / torch.maximum(strength, strength_f)
        cosine = ((fx * x + fy * y) / (strength * strength_f)).square().clamp(0, 1 - 1e-4)
        agreement = 1 - torch.acos(cosine.clamp(min=1e-6).sqrt()) * 2 / torch.pi
        quality = 0.9994 * torch.sigmoid(15 * (ratio - 0.5)) * 0.9879 * torch.sigmoid(22 * (agreement - 0.8))
        kept = kept + (quality * strength).sum(dim=(1, 2, 3))
        total = total + strength.sum(dim=(1, 2, 3))
    return kept / total


def invented_edges(fused: Tensor, sources: Tensor) -> Tensor:
    """Share of gradient that is stronger than in every source: what N_AB/F counts, without its curves."""
    strength = gradient_modulus(sources)
    excess = (gradient_modulus(fused) - strength.amax(dim=1, keepdim=True)).clamp(min=0)
    return excess.sum(dim=(1, 2, 3)) / strength.sum(dim=(1, 2, 3)).clamp(min=1e-3)


def information_fidelity(source: Tensor, fused: Tensor) -> Tensor:
    """VIFp of one source."""
    told, known = 0.0, 0.0
    for scale in range(4):
        size = 2 ** (4 - scale) + 1
        if scale:
            source, fused = (gaussian(image, size / 5, size)[..., ::2, ::2] for image in (source, fused))
        a, f, aa, ff, af = gaussian(
            torch.cat((source, fused, source**2, fused**2, source * fused), dim=1), size / 5, size
        ).split(1, dim=1)
        variance = (aa - a * a).clamp(min=0)
        gain = ((af - a * f) / (variance + 1e-2)).clamp(min=0)
        rest = (ff - f * f - gain * (af - a * f)).clamp(min=0)
        told = told + torch.log1p(gain**2 * variance / (rest + 2)).sum(dim=(1, 2, 3))
        known = known + torch.log1p(variance / 2).sum(dim=(1, 2, 3))
    return told / known.clamp(min=1e-3)


def similarity(first: Tensor, second: Tensor) -> Tensor:
    """SSIM of images in 0..255."""
    return ssim_map(first / 255, second / 255)[0].mean(dim=(1, 2, 3))


def difference_correlation(fused: Tensor, sources: Tensor) -> Tensor:
    """SCD of two sources: r(A, F - B) + r(B, F - A)."""
    a, b = sources.split(1, dim=1)
    return correlation(a, fused - b) + correlation(b, fused - a)


def functional_fidelity(fused: Tensor, functional: Tensor) -> Tensor:
    """FUNC: correlation over the brightest tenth and a collar of three samples."""
    threshold = functional.flatten(1).quantile(0.9, dim=1)[:, None, None, None]
    hot = (functional >= threshold) & (functional > FOREGROUND)
    return correlation(fused, functional, F.max_pool2d(hot.float(), 7, stride=1, padding=3) > 0)


def anatomical_detail(fused: Tensor, anatomical: Tensor, functional: Tensor) -> Tensor:
    """ANAT: correlation of edges in the quieter half of the functional source."""
    energy = F.avg_pool2d(F.pad(gradient_modulus(functional).square(), (3,) * 4, mode="replicate"), 7, stride=1)
    head = torch.maximum(anatomical, functional) > FOREGROUND
    middle = torch.where(head, energy, torch.nan).flatten(1).nanmedian(dim=1).values
    quiet = head & (energy <= middle.nan_to_num(0)[:, None, None, None])
    return correlation(gradient_modulus(fused), gradient_modulus(anatomical), quiet)


def _soft_bins(image: Tensor) -> Tensor:
    """(B, samples, BINS): every sample shared linearly between its two nearest bins."""
    positions = image.flatten(1)[..., None] * ((BINS - 1) / 255)
    centres = torch.arange(BINS, device=image.device, dtype=image.dtype)
    return (1 - (positions - centres).abs()).clamp(min=0)


def _neighbours(image: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The grey levels below and above every sample, (B, samples), and the sample's share in each."""
    positions = image.flatten(1)
    below = positions.detach().floor().clamp(0, LEVELS - 2)
    return (below.long(), 1 - (positions - below)), (below.long() + 1, positions - below)


def _entropy(share: Tensor) -> Tensor:
    return -(share * (share + 1e-9).log()).sum(dim=1)
