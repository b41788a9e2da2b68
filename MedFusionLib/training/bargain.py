"""Training towards aims: the price of an aim rises while it is missed and falls while it is exceeded.

An aim that is easy costs nothing, so nothing is given up for more than it asks; one that is hard gets dear, up to a
limit. Prices are those of a saddle point: the network descends, they ascend [K. J. Arrow, L. Hurwicz and H. Uzawa,
Studies in Linear and Non-Linear Programming, Stanford 1958].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from MedFusionLib.training.recipe import Descent

FIRST_PRICE, LEAST_PRICE, RISE = 0.05, 0.002, 0.003
"""Price at first, at least, and by how much it rises in a step for a shortfall of one unit."""
MOST_SHORT = 2.0
"""Units of shortfall that move a price at most."""
EXCEEDED = 3.0
"""Units above an aim from which on more of it is worth nothing."""
NEAR = 20.0
"""Units missed, all aims of a set together, up to which a training is near them: how many it is then is chance."""


@dataclass(frozen=True)
class Aim:
    """What one metric should reach, in relation to what a plain fusion of the same picture has.

    Parameters
    ----------
    unit : float
        Shortfall that counts as one.
    share, surplus : float
        The aim: this share of what the reference has, and so much more.
    reference : str
        Name of the fusion, of those that are measured.
    dearest : float
        Highest price of a unit.
    """

    unit: float
    share: float = 1.0
    surplus: float = 0.0
    reference: str = "maximum"
    dearest: float = 0.5

    def shortfall(self, found: Tensor, had: Tensor) -> Tensor:
        """By how many units a metric misses the aim; negative when it exceeds it."""
        return (self.share * had + self.surplus - found) / self.unit


@dataclass(frozen=True, eq=False)
class Shown:
    """A batch: the set that every picture is of, and the pictures (B, S, H, W) in 0..1."""

    sets: tuple[str, ...]
    images: Tensor


@dataclass(frozen=True, eq=False)
class Measured:
    """Metrics (B,) of a batch by name: of the fused pictures and of every reference; terms that have no aim."""

    found: dict[str, Tensor]
    had: dict[str, dict[str, Tensor]]
    beside: dict[str, Tensor]


class Bargain(Descent):
    """Descent on aims with prices, apart for every set of pictures.

    Parameters
    ----------
    network, options
        As of `Descent`.
    measure : callable
        ``measure(network, images)``: what was `Measured`.
    aims : callable
        ``aims(set)``: the aims of a set by metric.
    prices : dict or None
        Prices at first by set and metric, the least where none is named; None begins with the same price for all.
    """

    def __init__(
        self, network: nn.Module, measure: Callable[[nn.Module, Tensor], Measured],
        aims: Callable[[str], Mapping[str, Aim]], prices: Mapping[str, Mapping[str, float]] | None = None, **options,
    ) -> None:  # fmt: skip
        super().__init__(network, loss=self._terms, **options)
        self.measure, self.aims = measure, aims
        self.first = prices or {}
        self.prices: dict[str, Tensor] = {}
        self.missed = 0.0

    def tensors(self) -> dict[str, Tensor]:
        """Of a descent, and the prices."""
        return {**super().tensors(), **{f"prices.{name}": value.clone() for name, value in self.prices.items()}}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take them back."""
        super().restore(tensors)
        self.prices = {key.removeprefix("prices."): tensors[key] for key in tensors if key.startswith("prices.")}

    def _terms(self, network: nn.Module, batch: Shown) -> dict[str, Tensor]:
        measured = self.measure(network, batch.images)
        terms: dict[str, Tensor] = {}
        self.missed = 0.0
        for number, name in enumerate(batch.sets):
            aims = self.aims(name)
            if name not in self.prices:
                self.prices[name] = self._first_prices(name, aims)
            prices = self.prices[name]
            for place, (metric, aim) in enumerate(aims.items()):
                short = aim.shortfall(measured.found[metric][number], measured.had[aim.reference][metric][number])
                cost = float(prices[place]) * short.clamp(min=-EXCEEDED) / len(batch.sets)
                terms[metric] = terms.get(metric, 0.0) + cost
                now = float(short.detach().clamp(-MOST_SHORT, MOST_SHORT))
                self.missed += max(float(short.detach()), 0.0) / len(batch.sets)
                prices[place] = min(aim.dearest, max(LEAST_PRICE, float(prices[place]) + RISE * now))
        return {**terms, **measured.beside}

    def _first_prices(self, name: str, aims: Mapping[str, Aim]) -> Tensor:
        known = self.first.get(name)
        found = [FIRST_PRICE if known is None else known.get(metric, LEAST_PRICE) for metric in aims]
        return torch.tensor(found, dtype=torch.float64)

    def _watch(self, number: int, loss: float) -> None:
        """Costs rise with the prices: what is missed is watched instead, unless that is little."""
        super()._watch(number, loss if loss != loss else max(self.missed, NEAR))
