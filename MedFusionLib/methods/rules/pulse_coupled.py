"""Pulse-coupled neural networks: the source that fires more often wins."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.rules.activity import Activity
from MedFusionLib.methods.rules.base import share_between_winners

SMALLEST = 1e-6
OTSU_BINS = 256


class Neuron(Protocol):
    """Constants of the network for one band."""

    def constants(self, stimulus: Tensor, ndim: int) -> Constants:
        """Constants for a stimulus (N, S, *spatial)."""


@dataclass(frozen=True, eq=False)
class Constants:
    """What drives a network; numbers, or tensors (N, S, 1, ..).

    Parameters
    ----------
    decay, linking : float or Tensor
        Decay factor of the internal activity per step, and strength of the linking.
    threshold_decay, threshold_rise : float or Tensor
        Decay factor of the threshold per step, and what a pulse adds to it.
    """

    decay: float | Tensor
    linking: float | Tensor
    threshold_decay: float | Tensor
    threshold_rise: float | Tensor


@dataclass(frozen=True)
class FixedNeuron:
    """Constants given by hand.

    Parameters
    ----------
    decay, linking, threshold_decay, threshold_rise : float
        Exponents of the decays, linking strength and rise of the threshold.
    """

    decay: float = 0.1
    linking: float = 0.2
    threshold_decay: float = 0.2
    threshold_rise: float = 20.0

    def constants(self, stimulus: Tensor, ndim: int) -> Constants:
        """The same for every band."""
        return Constants(
            math.exp(-self.decay), self.linking, math.exp(-self.threshold_decay), self.threshold_rise
        )  # fmt: skip


@dataclass(frozen=True)
class AdaptiveNeuron:
    """Constants from the statistics of each band: Otsu threshold, maximum and standard deviation.

    Notes
    -----
    Y. Chen, S.-K. Park, Y. Ma, R. Ala, "A new automatic parameter setting method of a simplified
    PCNN for image segmentation", IEEE Trans. Neural Netw. 22 (2011) 880-892.
    """

    def constants(self, stimulus: Tensor, ndim: int) -> Constants:
        """Constants of shape (N, S, 1, ..), one set per slice (or volume) and source."""
        flat = stimulus.flatten(2)
        shape = (*flat.shape[:2], *[1] * ndim)
        highest = flat.amax(dim=2).clamp(min=SMALLEST)
        middle = torch.maximum(otsu_threshold(flat), highest * 1e-3)
        spread = flat.std(dim=2, correction=0).clamp(SMALLEST, 0.9)
        decay = torch.log10(1 / spread)
        linking = (highest / middle - 1) / 6
        rise = torch.exp(-decay) + 1 + 6 * linking
        summed = (1 - torch.exp(-3 * decay)) / (1 - torch.exp(-decay)) + 6 * linking * torch.exp(-decay)
        threshold_decay = torch.log(rise / (middle * summed)).clamp(min=1e-3)
        values = (torch.exp(-decay), linking, torch.exp(-threshold_decay), rise)
        return Constants(*(value.reshape(shape) for value in values))


@dataclass(frozen=True)
class PulseCoupled:
    """Give a sample to the source whose neuron fires more often.

    Every step the internal activity decays and is fed by
    the stimulus, modulated by the pulses of the neighbours; where it exceeds its threshold the
    neuron fires and the threshold rises.

    Parameters
    ----------
    neuron : Neuron
        Gives the constants.
    steps : int
        Number of steps.
    stimulus : Activity or None
        What drives the neurons; the modulus of the band when None.

    Notes
    -----
    J. L. Johnson, M. L. Padgett, "PCNN models and applications", IEEE Trans. Neural Netw. 10 (1999)
    480-498; with adaptive constants: M. Yin et al., IEEE Trans. Instrum. Meas. 68 (2019) 49-64.
    """

    neuron: Neuron = AdaptiveNeuron()
    steps: int = 110
    stimulus: Activity | None = None

    @property
    def reach(self) -> None:
        """Pulses travel across the whole band."""
        return

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Weights 0, 1 (or an equal share in a tie), shape (N, S, *spatial)."""
        stimulus = bands.abs() if self.stimulus is None else self.stimulus(bands, ndim)
        return share_between_winners(self.pulses(stimulus, ndim))

    def pulses(self, stimulus: Tensor, ndim: int) -> Tensor:
        """How often every neuron fired, (N, S, *spatial)."""
        given = self.neuron.constants(stimulus, ndim)
        activity, fired = torch.zeros_like(stimulus), torch.zeros_like(stimulus)
        threshold, count = torch.ones_like(stimulus), torch.zeros_like(stimulus)
        for _ in range(self.steps):
            checkpoint()
            fed = _linked(fired, ndim).mul_(given.linking).add_(1).mul_(stimulus)
            activity.mul_(given.decay).add_(fed)
            torch.gt(activity, threshold, out=fired)
            count += fired
            threshold.mul_(given.threshold_decay).addcmul_(fired, _tensor(given.threshold_rise, stimulus))
        return count


def otsu_threshold(values: Tensor) -> Tensor:
    """Threshold that separates two classes best, of values (N, S, samples) that are not negative.

    N. Otsu, "A threshold selection method from gray-level histograms", IEEE Trans. Syst. Man Cybern.
    9 (1979) 62-66; 256 bins from 0 to the maximum.
    """
    highest = values.amax(dim=2, keepdim=True).clamp(min=SMALLEST)
    level = (values / highest * OTSU_BINS).clamp(0, OTSU_BINS - 1).long()
    histogram = torch.zeros(*values.shape[:2], OTSU_BINS, dtype=torch.float64, device=values.device)
    histogram.scatter_add_(2, level, torch.ones_like(level, dtype=torch.float64))
    centres = (torch.arange(OTSU_BINS, device=values.device, dtype=torch.float64) + 0.5) / OTSU_BINS
    weight = histogram.cumsum(2) / values.shape[2]
    moment = (histogram * centres).cumsum(2) / values.shape[2]
    between = (moment[..., -1:] * weight - moment).square() / (weight * (1 - weight)).clamp(min=1e-12)
    best = (between.argmax(dim=2) + 1) / OTSU_BINS
    return (best * highest[..., 0]).to(values.dtype)


def _linked(fired: Tensor, ndim: int) -> Tensor:
    """Pulses of the neighbours, weighted by the inverse of their distance (1 and 1/2 in the plane)."""
    total = torch.zeros_like(fired)
    for step in itertools.product((-1, 0, 1), repeat=ndim):
        if any(step):
            target, source = fired, fired
            target = total
            for axis, shift in enumerate(step, -ndim):
                length = fired.shape[axis] - abs(shift)
                source = source.narrow(axis, max(shift, 0), length)
                target = target.narrow(axis, max(-shift, 0), length)
            target.add_(source, alpha=1 / sum(s * s for s in step))
    return total


def _tensor(value: float | Tensor, like: Tensor) -> Tensor:
    return value if isinstance(value, Tensor) else torch.tensor(value, dtype=like.dtype, device=like.device)
