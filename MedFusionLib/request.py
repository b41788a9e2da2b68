"""FusionRequest: everything that one fusion is asked for, besides its sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from MedFusionLib.colour import DEFAULT_TABLE
from MedFusionLib.errors import UsageError
from MedFusionLib.intensity import Window
from MedFusionLib.region import Region
from MedFusionLib.result import OPTIONAL_MAPS
from MedFusionLib.segmentation import Segmentation


@dataclass(frozen=True, eq=False)
class FusionRequest:
    """What to do with the sources; the fields are the arguments of `fuse`.

    Raises
    ------
    UsageError
        For a registration or a map that does not exist.
    """

    method: str | None = None
    mode: str = "auto"
    device: str = "auto"
    precision: str = "exact"
    register: str | None = None
    transform: str | Path | Sequence[str | Path | None] | None = None
    tumour: str | Path | Segmentation | None = None
    parameters: dict[str, Any] | None = None
    windows: Sequence[Window | None] | None = None
    seed: tuple[float, float, float] | None = None
    roi: str | Path | Segmentation | Region | None = None
    liver: tuple[float, float, float] | None = None
    blood_pool: tuple[float, float, float] | None = None
    force: bool = False
    table: str = DEFAULT_TABLE
    workers: int = 0
    maps: Sequence[str] = ()

    def __post_init__(self) -> None:
        from MedFusionLib.align import MODELS

        if self.register not in (None, "none", *MODELS):
            raise UsageError(f"Unknown registration {self.register!r}", "one of none, " + ", ".join(MODELS))
        for name in self.maps:
            if name not in OPTIONAL_MAPS:
                raise UsageError(f"Unknown map {name!r}", "one of " + ", ".join(OPTIONAL_MAPS))
