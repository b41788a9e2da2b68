"""Adversarial training: a generator against one or several discriminators, both watched.

Every discriminator is held back while it is clearly ahead, so that the generator keeps a chance. A
run in which one side has won for good, the outputs are all alike, or a loss is no number is
stopped: going on would only cost time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.training.recipe import (
    TrainingCollapsed,
    keep_statistics,
    moments,
    named,
    put_back,
    put_moments_back,
    rate_factor,
)


class Game(Protocol):
    """What the players are paid for."""

    boundary: float

    def judge(self, real: Tensor, fake: Tensor) -> Tensor:
        """Loss of a discriminator with these scores (B,)."""

    def fool(self, fake: Tensor) -> Tensor:
        """Loss of the generator with these scores (B,)."""


@dataclass(frozen=True)
class LeastSquares:
    """Squared distance from soft labels, drawn anew for every picture: FusionGAN [Inf. Fusion 48 (2019) 11-26].

    Parameters
    ----------
    real, fake : tuple of float
        Ranges of the labels.
    """

    real: tuple[float, float] = (0.7, 1.2)
    fake: tuple[float, float] = (0.0, 0.3)

    @property
    def boundary(self) -> float:
        """Scores above it say "real"."""
        return (sum(self.real) + sum(self.fake)) / 4

    def judge(self, real: Tensor, fake: Tensor) -> Tensor:
        """Real ones near the high labels, fused ones near the low."""
        return (real - _drawn(self.real, real)).square().mean() + (fake - _drawn(self.fake, fake)).square().mean()

    def fool(self, fake: Tensor) -> Tensor:
        """Fused ones near the high labels."""
        return (fake - _drawn(self.real, fake)).square().mean()


@dataclass(frozen=True)
class Logarithmic:
    """Cross entropy of the scores' logistic function [I. Goodfellow et al., NIPS 2014], without saturation."""

    boundary: float = 0.0

    def judge(self, real: Tensor, fake: Tensor) -> Tensor:
        """Real ones positive, fused ones negative."""
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def fool(self, fake: Tensor) -> Tensor:
        """Fused ones positive."""
        return F.softplus(-fake).mean()


@dataclass(frozen=True)
class Opponent:
    """One discriminator, and what it is shown.

    Parameters
    ----------
    network : nn.Module
        Scores (B,) of images (B, 1, H, W).
    real : callable
        ``real(batch)``: images (B, 1, H, W).
    fake : callable
        ``fake(outputs)``: what the generator made in their place.
    price : float
        Weight of fooling it in the generator's loss.
    """

    network: nn.Module
    real: Callable[[Any], Tensor]
    fake: Callable[[Any], Tensor]
    price: float = 1.0


@dataclass(frozen=True)
class Rules:
    """How the players take turns, and when the game is over.

    Parameters
    ----------
    rate, judge_rate : float
        Largest learning rates of generator and discriminators.
    ahead : float
        Share of right answers above which a discriminator is not trained further.
    won : float
        Share of right answers at which, or at the rest of which, one side has won.
    alike : float
        Least spread of the outputs, in shares of that of the real images.
    memory : int
        Steps over which shares and spread are averaged; nothing is judged before three times as many.
    longest : float
        Gradients longer than this are shortened.
    settled : float
        Share of the steps, at the end, in which batch normalisation of the generator keeps its statistics: it then
        learns with what it will be used with.
    """

    rate: float = 1e-3
    judge_rate: float = 4e-4
    ahead: float = 0.8
    won: float = 0.995
    alike: float = 0.1
    memory: int = 50
    longest: float = 1.0
    settled: float = 0.0


@dataclass
class Adversarial:
    """A training under way, see `training.recipe.Training`.

    Parameters
    ----------
    network : nn.Module
        The generator.
    opponents : dict of str to Opponent
        By name.
    generate : callable
        ``generate(network, batch)``: outputs.
    content : callable
        ``content(network, batch, outputs)``: the other terms of the generator's loss, which are added.
    steps : int
        Number of steps that the rate is planned for.
    game, rules
        What the players are paid for, and how they take turns.
    """

    network: nn.Module
    opponents: dict[str, Opponent]
    generate: Callable[[nn.Module, Any], Any]
    content: Callable[[nn.Module, Any, Any], dict[str, Tensor]]
    steps: int
    game: Game = field(default_factory=LeastSquares)
    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=self.rules.rate, betas=(0.5, 0.999))
        self.judges = {
            name: torch.optim.Adam(one.network.parameters(), lr=self.rules.judge_rate, betas=(0.5, 0.999))
            for name, one in self.opponents.items()
        }
        # per opponent the share of right answers and the spread of the outputs, averaged over the last steps
        self.watch = torch.tensor([[0.5, 1.0]] * len(self.opponents), dtype=torch.float64)

    def advance(self, number: int, batch: Any) -> dict[str, float]:
        """One step of every player that has one.

        Raises
        ------
        TrainingCollapsed
            When one side has won, the outputs are all alike, or a loss is no number.
        """
        factor = rate_factor(number, self.steps)
        self._set_rates(factor)
        if number >= self.steps * (1 - self.rules.settled):
            keep_statistics(self.network)
        outputs = self.generate(self.network, batch)
        terms: dict[str, Tensor | float] = {}
        for row, (name, opponent) in enumerate(self.opponents.items()):
            terms |= self._train_judge(row, name, opponent, batch, outputs)
        terms |= self._train_generator(batch, outputs)
        found = {name: float(value) for name, value in terms.items()}
        self._stop_if_collapsed(number, found)
        return found

    def tensors(self) -> dict[str, Tensor]:
        """Values and moments of all players, and what was watched."""
        found = {**named(self.network, "network"), **moments(self.optimiser, "optimiser"), "watch": self.watch.clone()}
        for name, opponent in self.opponents.items():
            found |= named(opponent.network, f"judge-{name}") | moments(self.judges[name], f"judge-{name}-optimiser")
        return found

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take them back."""
        put_back(self.network, tensors, "network")
        put_moments_back(self.optimiser, tensors, "optimiser")
        self.watch = tensors["watch"].clone()
        for name, opponent in self.opponents.items():
            put_back(opponent.network, tensors, f"judge-{name}")
            put_moments_back(self.judges[name], tensors, f"judge-{name}-optimiser")

    def _train_judge(self, row: int, name: str, opponent: Opponent, batch: Any, outputs: Any) -> dict:
        real, fake = opponent.real(batch), opponent.fake(outputs).detach()
        scores = opponent.network(torch.cat((real, fake))).split(len(real))
        loss = self.game.judge(*scores)
        with torch.no_grad():
            right = torch.cat((scores[0] > self.game.boundary, scores[1] < self.game.boundary)).float().mean()
            spread = fake.std() / real.std().clamp(min=1e-6)
        self._remember(row, float(right), float(spread))
        if self.watch[row, 0] <= self.rules.ahead:
            self.judges[name].zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(opponent.network.parameters(), self.rules.longest)
            self.judges[name].step()
        return {f"judge {name}": loss.detach(), f"accuracy {name}": float(self.watch[row, 0])}

    def _train_generator(self, batch: Any, outputs: Any) -> dict[str, Tensor]:
        terms = {
            f"fool {name}": one.price * self.game.fool(one.network(one.fake(outputs)))
            for name, one in self.opponents.items()
        }
        terms |= self.content(self.network, batch, outputs)
        self.optimiser.zero_grad()
        sum(terms.values()).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.rules.longest)
        self.optimiser.step()
        return {name: value.detach() for name, value in terms.items()}

    def _set_rates(self, factor: float) -> None:
        for optimiser, rate in (
            (self.optimiser, self.rules.rate),
            *((one, self.rules.judge_rate) for one in self.judges.values()),
        ):
            for group in optimiser.param_groups:
                group["lr"] = rate * factor

    def _remember(self, row: int, *values: float) -> None:
        share = 1 / self.rules.memory
        self.watch[row] = (1 - share) * self.watch[row] + share * torch.tensor(values, dtype=torch.float64)

    def _stop_if_collapsed(self, number: int, terms: dict[str, float]) -> None:
        wrong = [name for name, value in terms.items() if not math.isfinite(value)]
        if wrong:
            raise _collapsed(number, f"{wrong[0]} is no number")
        if number < 3 * self.rules.memory:
            return
        for name, (right, spread) in zip(self.opponents, self.watch.tolist()):
            if right > self.rules.won:
                raise _collapsed(number, f"the discriminator {name} is always right ({right:.1%})")
            if right < 1 - self.rules.won:
                raise _collapsed(number, f"the discriminator {name} is always wrong ({right:.1%} right)")
            if spread < self.rules.alike:
                raise _collapsed(number, f"the outputs shown to {name} are all alike ({spread:.1%} of the real spread)")


def _drawn(ends: tuple[float, float], like: Tensor) -> Tensor:
    return ends[0] + (ends[1] - ends[0]) * torch.rand_like(like)


def _collapsed(number: int, why: str) -> TrainingCollapsed:
    return TrainingCollapsed(
        f"The training collapsed at step {number}: {why}", "players of about equal strength",
        "The curve and the last sample sheet show how; change rates or prices and begin anew",
    )  # fmt: skip
