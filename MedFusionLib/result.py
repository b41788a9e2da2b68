"""FusionResult: everything that one fusion gives back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from MedFusionLib.intensity import Window
from MedFusionLib.segmentation import Segmentation
from MedFusionLib.volume import Volume

OPTIONAL_MAPS = ("loss", "stability")
"""Maps of trust that a result has only when they were asked for."""


@dataclass(frozen=True)
class Verdict:
    """Whether sources line up.

    Parameters
    ----------
    status : {"pass", "doubt", "fail"}
        The verdict.
    reasons : tuple of str
        Sentences for a person, most important first.
    evidence : dict
        Numbers behind the reasons; keys carry units.
    """

    status: str
    reasons: tuple[str, ...] = ()
    evidence: dict = field(default_factory=dict)

    def as_json(self) -> dict:
        """The verdict as plain JSON types."""
        return {"status": self.status, "reasons": list(self.reasons), "evidence": dict(self.evidence)}


@dataclass(frozen=True, eq=False)
class FusionResult:
    """The outcome of `fuse`.

    Parameters
    ----------
    fused : Volume
        Dimensionless fusion index 0..1 on the reference grid (UCUM unit ``1``); never HU or SUV.
    sources : tuple of Volume
        The sources on the reference grid, each in its own unit.
    windows : tuple of Window
        Per source the interval that was mapped onto 0..1 before fusion.
    colour : (K, J, I, 3) uint8 or None
        Hue from the functional source, brightness from the fused volume; None without one.
    contribution : (S, K, J, I) float32 or None
        Share of each source in each voxel; sums to 1 in the foreground, 0 in the background.
    invention : (K, J, I) float32 or None
        How far the fused values leave, or their edges exceed, what the sources show around (fusion index).
    alignment : Verdict
        Whether the sources line up.
    tumour : Segmentation or None
        The tumour, if one was asked for.
    metrics, timings, provenance : dict
        Plain JSON types; `timings` in seconds.
    loss : (S, K, J, I) float32 or None
        Structure of each source that the fused volume does not show (fusion index).
    stability : (K, J, I) float32 or None
        Change under 1 mm of misregistration and under noise (fusion index).
    transforms : tuple
        Per moving source the SimpleITK transform (reference LPS to moving LPS) it was resampled
        through, or None; empty when unknown.
    """

    fused: Volume
    sources: tuple[Volume, ...]
    windows: tuple[Window, ...]
    colour: np.ndarray | None
    contribution: np.ndarray | None
    invention: np.ndarray | None
    alignment: Verdict
    tumour: Segmentation | None = None
    metrics: dict = field(default_factory=dict)
    timings: dict = field(default_factory=dict)
    provenance: dict = field(default_factory=dict)
    loss: np.ndarray | None = None
    stability: np.ndarray | None = None
    transforms: tuple = ()

    def changed(self, **fields) -> FusionResult:
        """A copy with other values in some fields."""
        return replace(self, **fields)

    @property
    def functional_index(self) -> int | None:
        """Index of the source whose hue colours the fused volume; None without a functional one.

        The first functional source that is not the reference; the reference if only it is one.
        """
        functional = [n for n, source in enumerate(self.sources) if source.is_functional]
        moving = [n for n in functional if n > 0]
        return (moving or functional or [None])[0]
