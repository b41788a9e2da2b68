"""What a fused picture keeps of its two sources, by the names of the metrics, differentiable."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from MedFusionLib.training import objectives as measure
from MedFusionLib.training.losses import ms_ssim

TINY = 5e-5


def kept_of(
    fused: Tensor, sources: Tensor, information: Callable[[Tensor, Tensor], Tensor] = measure.mutual_information
) -> dict[str, Tensor]:
    """Metrics (B,) by name, for images in 0..1: fused (B, 1, H, W), sources (B, 2, H, W), the anatomical one first.

    ``vif_w`` and ``ssim_w`` are those of the worse source, ``clin`` the worse of function and anatomy, ``detail`` minus
    the logarithm of what ``anat`` lacks to 1.

    Parameters
    ----------
    fused, sources : Tensor
        See above.
    information : callable
        Of `objectives`: how mutual information is measured.
    """
    fused, sources = 255 * fused, 255 * sources
    anatomical, functional = sources.split(1, dim=1)
    both = (anatomical, functional)
    fidelity = [measure.information_fidelity(source, fused) for source in both]
    alike = [measure.similarity(source, fused) for source in both]
    func = measure.functional_fidelity(fused, functional)
    anat = measure.anatomical_detail(fused, anatomical, functional)
    return {
        "q_mi": sum(information(source, fused) for source in both),
        "scd": measure.difference_correlation(fused, sources),
        "qabf": measure.edge_preservation(fused, sources),
        "vif": sum(fidelity),
        "vif_w": torch.minimum(*fidelity),
        "ssim": sum(alike) / 2,
        "ssim_w": torch.minimum(*alike),
        "ms_ssim": torch.stack([sum(ms_ssim(s[None] / 255, f[None] / 255) for s in pair) / 2
                                for f, pair in zip(fused, sources[:, :, None])]),
        "func": func,
        "anat": anat,
        "detail": -(1 - anat + TINY).log(),
        "clin": torch.minimum(func, anat),
    }  # fmt: skip


def kept_of_plain_fusions(
    sources: Tensor, information: Callable[[Tensor, Tensor], Tensor] = measure.mutual_information
) -> dict[str, dict[str, Tensor]]:
    """The same of the pixel-wise ``maximum``, and of the ``better`` of maximum and average by every metric."""
    with torch.no_grad():
        maximum = kept_of(sources.amax(dim=1, keepdim=True), sources, information)
        average = kept_of(sources.mean(dim=1, keepdim=True), sources, information)
    better = {name: torch.maximum(value, average[name]) for name, value in maximum.items()}
    return {"maximum": maximum, "better": better}
