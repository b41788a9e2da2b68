"""IFT: the features of two sources fused at four scales, by convolutions and by attention along rows and columns.

Attention along an axis knows how far apart two samples are from a table of relative positions. The
tables of the paper fit slices of 256 x 256 samples; here they are interpolated to the length of the
axis, so that slices of any size are fused. Their statistics are those of the whole slice.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.layers import at_least, conv
from MedFusionLib.networks.nestfuse import SMALLEST, WIDTHS, NestDecoder, NestEncoder

SMALL_WIDTHS = (16, 28, 40, 52)
"""What is trained here."""
TABLES = (256, 128, 64, 32)
"""Samples along an axis that the tables of the four scales are made for."""
ENTRIES_AT_ONCE = 1 << 22
"""Attention weights that are held together, once the network is no longer trained."""


class AxialAttention(nn.Module):
    """Every sample of a line looks at all others of it, with tables of relative positions.

    Parameters
    ----------
    width : int
        Channels.
    table : int
        Length of a line that the tables are made for.
    """

    def __init__(self, width: int, table: int) -> None:
        super().__init__()
        self.ask = nn.Conv1d(width, 2 * width, 1, bias=False)
        self.norm_asked, self.norm_alike = nn.BatchNorm1d(2 * width), nn.BatchNorm2d(3)
        self.norm_answer = nn.BatchNorm1d(2 * width)
        self.positions = nn.Parameter(torch.randn(2 * width, 2 * table - 1) * width**-0.5)
        self.sizes = (width // 2, width // 2, width)
        nn.init.normal_(self.ask.weight, std=width**-0.5)

    def forward(self, lines: Tensor) -> Tensor:
        """(B, C, L) to the same shape."""
        places = self._places(lines.shape[2])
        step = len(lines) if self.training else max(1, ENTRIES_AT_ONCE // lines.shape[2] ** 2)
        found = [self._answer(some, places) for some in lines.split(step)]
        return found[0] if len(found) == 1 else torch.cat(found)

    def _places(self, length: int) -> tuple[Tensor, Tensor, Tensor]:
        """Tables (C', L, L) for queries, keys and values."""
        if length == 1:
            table = self.positions[:, self.positions.shape[1] // 2, None]
        else:
            table = F.interpolate(self.positions[None], size=2 * length - 1, mode="linear", align_corners=True)[0]
        index = torch.arange(length, device=table.device)
        apart = index[:, None] - index + length - 1
        return table.index_select(1, apart.flatten()).unflatten(1, (length, length)).split(self.sizes)

    def _answer(self, lines: Tensor, places: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        query, key, value = self.norm_asked(self.ask(lines)).split(self.sizes, dim=1)
        for_query, for_key, for_value = places
        weights = torch.softmax(self._alike(query, key, for_query, for_key), dim=-1)
        told = torch.cat((value @ weights.transpose(1, 2), torch.einsum("bij,cij->bci", weights, for_value)), dim=1)
        return sum(self.norm_answer(told).chunk(2, dim=1))

    def _alike(self, query: Tensor, key: Tensor, for_query: Tensor, for_key: Tensor) -> Tensor:
        """How alike samples of a line are (B, L, L), by content and by both tables of positions."""
        if self.training:
            alike = torch.stack((
                query.transpose(1, 2) @ key,
                torch.einsum("bci,cij->bij", query, for_query),
                torch.einsum("bci,cij->bji", key, for_key),
            ), dim=1)  # fmt: skip
            return self.norm_alike(alike).sum(dim=1)
        # fixed statistics only scale, and an offset common to a line drops out of the softmax: a third of the time
        norm = self.norm_alike
        content, by_query, by_key = (norm.weight * (norm.running_var + norm.eps).rsqrt()).unbind()
        found = torch.einsum("bci,cij->bij", by_query * query, for_query)
        found = torch.baddbmm(found, (content * query).transpose(1, 2), key)
        return found + torch.einsum("bci,cij->bji", by_key * key, for_key)


class AxialBlock(nn.Module):
    """Attention along columns, then along rows, on half the channels, beside a short cut."""

    def __init__(self, width: int, table: int) -> None:
        super().__init__()
        half = width // 2
        self.narrow, self.norm_narrow = nn.Conv2d(width, half, 1, bias=False), nn.BatchNorm2d(half)
        self.columns, self.rows = AxialAttention(half, table), AxialAttention(half, table)
        self.widen, self.norm_wide = nn.Conv2d(half, width, 1, bias=False), nn.BatchNorm2d(width)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        found = torch.relu(self.norm_narrow(self.narrow(features)))
        batch, _, height, width = found.shape
        lines = self.columns(found.permute(0, 3, 1, 2).flatten(0, 1))
        found = lines.unflatten(0, (batch, width)).permute(0, 2, 3, 1)
        lines = self.rows(found.permute(0, 2, 1, 3).flatten(0, 1))
        found = torch.relu(lines.unflatten(0, (batch, height)).permute(0, 2, 1, 3))
        return torch.relu(self.norm_wide(self.widen(found)) + features)


class SpatioTransformer(nn.Module):
    """Fuses the features of two sources: a branch of convolutions for what is near, one of attention for the rest."""

    def __init__(self, width: int, table: int) -> None:
        super().__init__()
        self.axial, self.join_axial = AxialBlock(width, table), conv(2 * width, width, 1)
        self.apart = conv(width, width, 1)
        self.near = nn.Sequential(
            conv(2 * width, width, 1), nn.ReLU(), conv(width, width), nn.ReLU(), conv(width, width), nn.ReLU()
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, 2, C, H, W) to (N, C, H, W)."""
        both, pairs = features.flatten(0, 1), (len(features), -1, *features.shape[3:])
        near = self.near(torch.relu(self.apart(both)).reshape(pairs))
        return near + torch.relu(self.join_axial(self.axial(both).reshape(pairs)))


class IFT(nn.Module):
    """Encoder and decoder of NestFuse with a spatio-transformer at every scale; two sources.

    In full width the fusion has 2,335,728 values and the decoder 2,511,081 [V. Vs et al., ICIP 2022, 3566-3570].
    """

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.encoder, self.decoder = NestEncoder(widths), NestDecoder(widths)
        self.fusion = nn.ModuleList(SpatioTransformer(width, table) for width, table in zip(widths, TABLES))

    def rebuild(self, images: Tensor) -> Tensor:
        """Images (B, 1, H, W) through the features, without fusion."""
        return self.decoder(self.encoder(images))

    def features(self, sources: Tensor) -> list[Tensor]:
        """Features (N, 2, C, H, W) of sources (N, 2, H, W), fine to coarse."""
        return [one.unflatten(0, sources.shape[:2]) for one in self.encoder(sources.flatten(0, 1)[:, None])]

    def fuse(self, features: list[Tensor]) -> list[Tensor]:
        """Fused features (N, C, H, W), fine to coarse."""
        return [rule(one) for rule, one in zip(self.fusion, features)]

    def forward(self, sources: Tensor) -> Tensor:
        """Fused image (N, H, W) of sources (N, 2, H, W); within 0..1 once the network is no longer trained."""
        height, width = sources.shape[-2:]
        fused = self.decoder(self.fuse(self.features(at_least(sources, SMALLEST))))[:, 0, :height, :width]
        return fused if self.training else fused.clamp(0, 1)


def shipped() -> IFT:
    """The width that is trained and comes with MedFusion."""
    return IFT(SMALL_WIDTHS)
