"""Sample sheets: what a network makes of a few pictures held back, as a picture to look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from MedFusionLib.training.pairs import Pair, Pairs

EXAMPLES_PER_SET = 2


def examples(data: Pairs) -> list[Pair]:
    """Two pairs of every set held back, from the inner third of its slices."""
    found = []
    for name in sorted({pair.set for pair in data.test}):
        own = [pair for pair in data.test if pair.set == name]
        found += own[len(own) // 3 :: max(1, len(own) // 4)][:EXAMPLES_PER_SET]
    return found


def fused_sheet(network: nn.Module, data: Pairs) -> Tensor:
    """Rows of first source, second source, fused (H, W) in 0..1; `network` as for `held_back.pair_figures_of`."""
    return sheet(examples(data), lambda sources: [*sources[0], network(sources)[0]])


def sheet(pairs: list[Pair], columns: Callable[[Tensor], list[Tensor]]) -> Tensor:
    """A row of images per pair, joined; images of pairs may differ in size."""
    rows = [torch.cat([one.detach().clamp(0, 1) for one in columns(pair.tensor()[None])], dim=1) for pair in pairs]
    width = max(row.shape[1] for row in rows)
    return torch.cat([torch.nn.functional.pad(row, (0, width - row.shape[1])) for row in rows])


def draw_sheet(image: Tensor, path: Path) -> None:
    """Write (H, W) in 0..1 as an 8-bit picture."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((255 * image.clamp(0, 1)).round().byte().numpy()).save(path)
