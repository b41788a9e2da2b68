"""A few neighbouring slices of all images: what metrics are computed on, so that memory stays small."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Slab:
    """Slices of the sources and of the fused image on the scale 0..255.

    Parameters
    ----------
    sources : list of (K, H, W) float tensors
        Two or more.
    fused : (K, H, W) float tensor
        The fused image.
    mask : (K, H, W) bool tensor or None
        Where to measure; None measures everywhere.
    roles : tuple of str
        ``"anatomical"``, ``"functional"`` or ``""`` per source.
    """

    sources: list[Tensor]
    fused: Tensor
    mask: Tensor | None = None
    roles: tuple[str, ...] = ()

    @property
    def foreground(self) -> Tensor:
        """(K, H, W) bool: any source above two grey levels, and inside the mask."""
        found = self.brightest > FOREGROUND_LEVEL
        return found if self.mask is None else found & self.mask

    @property
    def brightest(self) -> Tensor:
        """The brightest source at each voxel, (K, H, W)."""
        return torch.stack(self.sources).amax(dim=0)

    def of_role(self, role: str) -> list[Tensor]:
        """The sources with a role."""
        return [source for source, own in zip(self.sources, self.roles) if own == role]

    def at(self, numbers: Tensor | list[int]) -> Slab:
        """Some of the slices."""
        mask = None if self.mask is None else self.mask[numbers]
        return Slab([source[numbers] for source in self.sources], self.fused[numbers], mask, self.roles)

    def double(self) -> Slab:
        """In float64, for metrics whose small constants need it."""
        return Slab([source.double() for source in self.sources], self.fused.double(), self.mask, self.roles)

    def blanked(self) -> Slab:
        """All images set to 0 outside the mask, for metrics that have no local map to average."""
        if self.mask is None:
            return self
        return Slab([source * self.mask for source in self.sources], self.fused * self.mask, None, self.roles)


FOREGROUND_LEVEL = 2.0
