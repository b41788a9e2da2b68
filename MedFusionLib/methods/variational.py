"""Gradient-domain fusion: the image whose gradients are the strongest of all sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import Fused, Global, MethodInfo
from MedFusionLib.methods.rules import LocalEnergy, Rule, share_between_winners
from MedFusionLib.transforms.frequency import extend, extended_lengths, half_spectrum
from MedFusionLib.transforms.smoothing import crop, squared_gradient

SEAM = 16


@dataclass(frozen=True)
class VariationalFusion:
    """Minimise the distance to the strongest gradients, and a little to a mixture of the sources.

    Parameters
    ----------
    fidelity : float
        Weight of the distance to the mixture; more of it flattens edges, less lets brightness drift.
    intensity_rule : Rule
        How the mixture is made.
    """

    fidelity: float = 0.05
    intensity_rule: Rule = field(default_factory=LocalEnergy)

    info: ClassVar[MethodInfo] = MethodInfo(
        name="variational",
        title="Variational gradient-domain fusion",
        family="variational",
        citation="D. A. Socolinsky, L. B. Wolff, Multispectral image visualization through first-order fusion, IEEE "
        "Trans. Image Process. 11 (2002) 923-931",
        sentence="Rebuilds the image from the strongest edges of all sources, held to their brightness by a soft "
        "constraint.",
        reproduces="Gradient fusion and its least-squares solution, in one step in the frequency domain; selection by "
        "modulus and the intensity term are our choice.",
        memory_factor=14.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedVariational:
        """The periodic extension of the whole input."""
        lengths = extended_lengths(sources, sources.ndim - 2, SEAM)
        return FittedVariational(self.fidelity, self.intensity_rule, tuple(spacing), lengths)


@dataclass(frozen=True)
class FittedVariational:
    """Variational fusion for one size; parameters as in `VariationalFusion`."""

    fidelity: float
    intensity_rule: Rule
    spacing: Sequence[float]
    lengths: Sequence[int]

    @property
    def support(self) -> Global:
        """Every sample depends on all of them."""
        return Global()

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse sources (N, S, *spatial)."""
        ndim = len(self.lengths)
        stack = extend(sources, self.lengths)
        mixture = self.intensity_rule(stack, ndim) * stack
        target = mixture * self.fidelity + self._strongest_divergence(stack)
        image = self._solve(target.sum(dim=1))
        parts = self._solve(target) if with_parts else None
        return Fused(crop(image, sources[:, 0]), None if parts is None else crop(parts, sources))

    def _strongest_divergence(self, stack: Tensor) -> Tensor:
        """Negative divergence of what every source adds to the field of strongest gradients."""
        ndim = len(self.lengths)
        factors = [min(self.spacing) / step for step in self.spacing]
        steps = [(stack.roll(-1, axis) - stack) * factor for axis, factor in zip(range(-ndim, 0), factors)]
        weights = share_between_winners(sum(step * step for step in steps))
        total = torch.zeros_like(stack)
        for step, axis, factor in zip(steps, range(-ndim, 0), factors):
            checkpoint()
            step *= weights
            total += (step.roll(1, axis) - step) * factor
        return total

    def _solve(self, target: Tensor) -> Tensor:
        axes = tuple(range(-len(self.lengths), 0))
        window = 1 / (self.fidelity + squared_gradient(self.spacing, self.lengths))
        spectrum = half_spectrum(target, len(axes)) * window.to(target.device, target.dtype)
        return torch.fft.irfftn(spectrum, s=tuple(self.lengths), dim=axes)
