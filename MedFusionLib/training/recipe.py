"""What a recipe is, and gradient descent, in one stage or several: the way most networks are trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from MedFusionLib.errors import MedFusionError

LEVEL_STEPS = 20
"""Steps over which the loss is averaged, to tell whether it falls."""
RISEN = 1.5
"""A loss that is so many times what it was at first has risen, whatever the chances of a batch."""
ADVICE = "Train with a lower rate or another seed; what was reached is in the checkpoint"


class TrainingCollapsed(MedFusionError):
    """A training from which nothing more can come."""


class Training(Protocol):
    """A training under way. All it knows is in its tensors and the number of the step."""

    network: nn.Module

    def advance(self, number: int, batch: Any) -> dict[str, float]:
        """Do step `number` of the training; the terms that were minimised."""

    def tensors(self) -> dict[str, Tensor]:
        """Everything needed to go on later."""

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Go on from what `tensors` gave."""


@dataclass(frozen=True)
class Recipe:
    """How one network is trained.

    Parameters
    ----------
    name : str
        Of the weights: NAME.safetensors and NAME.json.
    build : callable
        Makes the network with its first values (the seed is set before).
    load : callable
        ``load(folder)``: the training data; `folder` is None for recipes that bring their own.
    batch : callable
        ``batch(data, generator)``: one batch, chosen with the generator alone.
    begin : callable
        ``begin(network)``: the `Training`.
    steps : int
        Batches in all.
    about : dict
        For the card: title, citation, reproduces, guessed, training_data, licence_of_data, intended_use ...
    figures : callable or None
        ``figures(network, data)``: figures on the data held back, for the card.
    needs_data : bool
        Whether a folder with data is needed.
    seed : int
        Of everything.
    sheet : callable or None
        ``sheet(network, data)``: a sample sheet (H, W) in 0..1, drawn after every epoch.
    epoch : int
        Steps between two sample sheets.
    words : str
        What follows ``medfusion train`` where that is not the name.
    """

    name: str
    build: Callable[[], nn.Module]
    load: Callable[[Path | None], Any]
    batch: Callable[[Any, torch.Generator], Any]
    begin: Callable[[nn.Module], Training]
    steps: int
    about: dict = field(default_factory=dict)
    figures: Callable[[nn.Module, Any], dict] | None = None
    needs_data: bool = False
    seed: int = 0
    sheet: Callable[[nn.Module, Any], Tensor] | None = None
    epoch: int = 200
    words: str = ""


class Descent:
    """Adam with a rate that rises quickly and falls along a cosine.

    Parameters
    ----------
    network : nn.Module
        What is trained.
    loss : callable
        ``loss(network, batch)``: terms, whose sum is minimised.
    steps : int
        Number of steps that the rate is planned for.
    rate : float
        Largest learning rate.
    longest : float
        Gradients longer than this are shortened.
    trained : sequence of Parameter or None
        What is changed; None takes all that is not frozen.
    settled : float
        Share of the steps, at the end, in which batch normalisation keeps its statistics: the network then
        learns with what it will be used with.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[[nn.Module, Any], dict[str, Tensor]],
        steps: int,
        rate: float = 1e-3,
        longest: float = 1.0,
        trained: Sequence[nn.Parameter] | None = None,
        settled: float = 0.0,
    ) -> None:
        self.network, self.loss, self.steps, self.rate, self.longest = network, loss, steps, rate, longest
        self.settled = settled
        chosen = network.parameters() if trained is None else trained
        self.trained = [parameter for parameter in chosen if parameter.requires_grad]
        self.optimiser = torch.optim.Adam(self.trained, lr=rate)
        self.levels = torch.zeros(2, dtype=torch.float64)
        """Mean loss of the first steps, and of the last ones."""

    def advance(self, number: int, batch: Any) -> dict[str, float]:
        """One step."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * rate_factor(number, self.steps)
        if number >= self.steps * (1 - self.settled):
            keep_statistics(self.network)
        self.optimiser.zero_grad()
        terms = self.loss(self.network, batch)
        self._watch(number, sum(float(value.detach()) for value in terms.values()))
        sum(terms.values()).backward()
        nn.utils.clip_grad_norm_(self.trained, self.longest)
        self.optimiser.step()
        return {name: float(value.detach()) for name, value in terms.items()}

    def _watch(self, number: int, loss: float) -> None:
        """Stop a training that comes to nothing."""
        if not math.isfinite(loss):
            raise TrainingCollapsed(f"The loss of step {number} is no number", "a training that converges", ADVICE)
        first, late = self.levels.tolist()
        if number < LEVEL_STEPS:
            first += loss / LEVEL_STEPS
            late = first
        late += (loss - late) / LEVEL_STEPS
        self.levels = torch.tensor([first, late], dtype=torch.float64)
        if number >= self.steps // 2 and number >= 5 * LEVEL_STEPS and late > RISEN * first:
            what = f"After {number} steps the loss is {late:.3g}, and it began at {first:.3g}"
            raise TrainingCollapsed(what, "a loss that falls", ADVICE)

    def tensors(self) -> dict[str, Tensor]:
        """Values of the network and moments of the optimiser."""
        return {**named(self.network, "network"), **self.state("optimiser")}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take them back."""
        put_back(self.network, tensors, "network")
        self.take_back(tensors, "optimiser")

    def state(self, prefix: str) -> dict[str, Tensor]:
        """Moments of the optimiser, and levels of the loss, without the network."""
        return {**moments(self.optimiser, prefix), f"levels.{prefix}": self.levels.clone()}

    def take_back(self, tensors: dict[str, Tensor], prefix: str) -> None:
        """What `state` gave."""
        put_moments_back(self.optimiser, tensors, prefix)
        self.levels = tensors[f"levels.{prefix}"]


class Stages:
    """Trainings of one network, one after the other.

    Parameters
    ----------
    stages : Descent
        Each does as many steps as its rate is planned for.
    """

    def __init__(self, *stages: Descent) -> None:
        self.stages, self.network = stages, stages[0].network

    def advance(self, number: int, batch: Any) -> dict[str, float]:
        """A step of the stage whose turn it is."""
        for stage in self.stages:
            if number < stage.steps:
                break
            number -= stage.steps
        return stage.advance(number, batch)

    def tensors(self) -> dict[str, Tensor]:
        """Values of the network and moments of every optimiser."""
        found = named(self.network, "network")
        for turn, stage in enumerate(self.stages):
            found.update(stage.state(f"optimiser{turn}"))
        return found

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take them back."""
        put_back(self.network, tensors, "network")
        for turn, stage in enumerate(self.stages):
            stage.take_back(tensors, f"optimiser{turn}")


def rate_factor(number: int, steps: int, warm: float = 0.05) -> float:
    """Share of the largest rate at step `number`: linear rise over the first steps, then a cosine to 1 %."""
    rise = max(1, int(warm * steps))
    if number < rise:
        return (number + 1) / rise
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (number - rise) / max(1, steps - rise)))


def keep_statistics(network: nn.Module) -> None:
    """Batch normalisation uses its running statistics from now on, and does not change them."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def named(network: nn.Module, prefix: str) -> dict[str, Tensor]:
    """State of a network with a prefix to its names."""
    return {f"{prefix}.{name}": value.detach().clone() for name, value in network.state_dict().items()}


def put_back(network: nn.Module, tensors: dict[str, Tensor], prefix: str) -> None:
    """State of a network from `named`."""
    start = prefix + "."
    network.load_state_dict({key[len(start) :]: v for key, v in tensors.items() if key.startswith(start)})


def moments(optimiser: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """State of an optimiser as tensors."""
    state = optimiser.state_dict()["state"]
    return {
        f"{prefix}.{number}.{name}": torch.as_tensor(value).detach().clone()
        for number, entry in state.items()
        for name, value in entry.items()
    }


def put_moments_back(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor], prefix: str) -> None:
    """State of an optimiser from `moments`."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(prefix + "."):
            number, name = key[len(prefix) + 1 :].split(".")
            state.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
