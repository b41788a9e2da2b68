"""The images of one evaluation: checked once, scaled to grey levels slab by slab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from MedFusionLib.errors import UsageError
from MedFusionLib.metrics.faithfulness import ANATOMICAL, FUNCTIONAL, roles_of
from MedFusionLib.metrics.slab import FOREGROUND_LEVEL, Slab
from MedFusionLib.volume import Volume

WHITE = 255.0


@dataclass(frozen=True)
class Grey:
    """An image and how its values become grey levels 0..255.

    Parameters
    ----------
    values : (K, H, W) array or tensor
        As given; never copied as a whole.
    lower, upper : float
        The values of black and white.
    clipped : bool
        Whether values beyond are clipped (a window) or refused (a declared range).
    """

    values: np.ndarray | Tensor
    lower: float
    upper: float
    clipped: bool

    @classmethod
    def of(cls, image, data_range: float | None) -> Grey:
        """From an array, a tensor, or a Volume, which its default window maps to grey levels."""
        if isinstance(image, Volume):
            from MedFusionLib.intensity import default_window
            from MedFusionLib.units import FUSION_INDEX

            if image.unit != FUSION_INDEX:
                window = default_window(image)
                return cls(image.array, window.lower, window.upper, True)
            image = image.array
        values = image if isinstance(image, Tensor) else np.asarray(image)
        if values.ndim not in (2, 3):
            raise UsageError(f"An image of shape {tuple(values.shape)}", "(H, W) or (K, H, W)")
        eight_bit = values.dtype in (np.uint8, torch.uint8)
        white = data_range if data_range is not None else (WHITE if eight_bit else 1.0)
        return cls(values.reshape(-1, *values.shape[-2:]), 0.0, float(white), False)

    def slab(self, start: int, stop: int) -> Tensor:
        """Some slices, (k, H, W) float32 on the scale 0..255."""
        part = self.values[start:stop]
        tensor = part if isinstance(part, Tensor) else torch.from_numpy(np.array(part, np.float32))
        levels = tensor.to(torch.float32, copy=True).sub_(self.lower).mul_(WHITE / (self.upper - self.lower))
        low, high = torch.stack(torch.aminmax(levels)).tolist() if levels.numel() else (0.0, 0.0)
        if self.clipped and np.isfinite(low + high):
            return levels.clamp_(0, WHITE)
        if not (low >= -0.5 and high <= WHITE + 0.5):
            scale = (self.upper - self.lower) / WHITE
            span = f"{low * scale + self.lower:g} to {high * scale + self.lower:g}"
            raise UsageError(f"Values from {span}", f"{self.lower:g} to {self.upper:g}", "Give the data range")
        return levels


@dataclass(frozen=True)
class Images:
    """Sources and fused image of one evaluation, on one grid.

    Parameters
    ----------
    sources : list of Grey
        Two or more.
    fused : Grey
        The fused image.
    mask : "auto", (K, H, W) bool tensor, or None
        Where to measure.
    roles : tuple of str
        Role of each source.
    """

    sources: list[Grey]
    fused: Grey
    mask: str | Tensor | None
    roles: tuple[str, ...]

    @classmethod
    def of(cls, sources: Sequence, fused, *, data_range, mask, roles) -> Images:
        """Check what was given; see `evaluate`."""
        if len(sources) < 2:
            raise UsageError(f"{len(sources)} source", "at least two sources")
        if data_range is not None and not (np.isfinite(data_range) and data_range > 0):
            raise UsageError(f"The data range {data_range}", "the positive value that stands for white")
        *greys, target = [Grey.of(image, data_range) for image in (*sources, fused)]
        shapes = [tuple(grey.values.shape) for grey in (*greys, target)]
        if len(set(shapes)) > 1:
            raise UsageError(f"Shapes {shapes} differ", "all images on one grid")
        if min(shapes[0]) < 1:
            raise UsageError(f"Images of shape {shapes[0]}", "at least one voxel")
        return cls(greys, target, _checked_mask(mask, shapes[0]), _checked_roles(roles, sources))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return tuple(self.fused.values.shape)

    @property
    def has_roles(self) -> bool:
        """Whether there is an anatomical and a functional source."""
        return {ANATOMICAL, FUNCTIONAL} <= set(self.roles)

    def slab(self, start: int, stop: int) -> Slab:
        """Some slices of all images, on the device of the fused one."""
        fused = self.fused.slab(start, stop)
        sources = [source.slab(start, stop).to(fused.device) for source in self.sources]
        if isinstance(self.mask, str):
            mask = torch.stack(sources).amax(dim=0) > FOREGROUND_LEVEL
        else:
            mask = None if self.mask is None else self.mask[start:stop].to(fused.device)
        return Slab(sources, fused, mask, self.roles)


def _checked_mask(mask, shape: tuple[int, ...]) -> str | Tensor | None:
    if mask is None or (isinstance(mask, str) and mask == "auto"):
        return mask
    if isinstance(mask, str):
        raise UsageError(f"The mask {mask!r}", '"auto" or an array')
    given = mask if isinstance(mask, Tensor) else torch.from_numpy(np.asarray(mask) > 0)
    given = given > 0
    if given.ndim not in (2, 3) or tuple(given.reshape(-1, *given.shape[-2:]).shape) != shape:
        raise UsageError(f"A mask of shape {tuple(given.shape)}", f"the shape of the images, {shape}")
    if not bool(given.any()):
        raise UsageError("An empty mask", "at least one voxel to measure")
    return given.reshape(shape)


def _checked_roles(roles: Sequence[str] | None, sources: Sequence) -> tuple[str, ...]:
    if roles is None:
        return roles_of([source.modality if isinstance(source, Volume) else "OT" for source in sources])
    if len(roles) != len(sources) or not set(roles) <= {ANATOMICAL, FUNCTIONAL, ""}:
        raise UsageError(f"Roles {list(roles)} for {len(sources)} sources",
                         f'"{ANATOMICAL}", "{FUNCTIONAL}" or "" for each source')  # fmt: skip
    return tuple(roles)
