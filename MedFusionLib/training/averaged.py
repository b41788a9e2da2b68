"""A training that ends with the mean of the weights of its last steps.

Steps scatter around what they approach; their mean lies nearer to it [P. Izmailov et al., Averaging weights leads to
wider optima and better generalization, UAI 2018].
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from MedFusionLib.training.recipe import Training


class Averaged:
    """A training, and the mean of its weights.

    Parameters
    ----------
    training : Training
        Goes on with its own weights until the end.
    first : int
        Step after which weights are averaged.
    steps : int
        In all; the last one leaves the mean in the network.
    """

    def __init__(self, training: Training, first: int, steps: int) -> None:
        self.training, self.first, self.steps = training, first, steps
        self.mean = {name: value.detach().clone() for name, value in self.network.state_dict().items()}

    @property
    def network(self) -> nn.Module:
        """What is trained."""
        return self.training.network

    def advance(self, number: int, batch: Any) -> dict[str, float]:
        """One step."""
        terms = self.training.advance(number, batch)
        count = max(number - self.first, 0) + 1
        for name, value in self.network.state_dict().items():
            self.mean[name] += (value - self.mean[name]) / count
        if number + 1 == self.steps:
            self.network.load_state_dict(self.mean)
        return terms

    def tensors(self) -> dict[str, Tensor]:
        """Of the training, and the mean."""
        return {**self.training.tensors(), **{f"mean.{name}": value.clone() for name, value in self.mean.items()}}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take them back."""
        self.training.restore(tensors)
        self.mean = {name: tensors[f"mean.{name}"].clone() for name in self.mean}
