"""Fusion by sparse representation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.pixelwise import PixelwiseFusion
from MedFusionLib.methods.rules.sparse_activity import DICTIONARY, SparseActivity
from MedFusionLib.weights import card


@dataclass(frozen=True)
class SparseRepresentation:
    """Patches chosen by the activity of their sparse codes.

    Parameters
    ----------
    stride : int
        Distance between patches of 8 x 8.
    most_atoms : int
        Largest number of atoms per patch.
    error : float
        Length of the residual at which a patch is done (sources are in 0..1).
    """

    stride: int = 2
    most_atoms: int = 5
    error: float = 0.02

    info: ClassVar[MethodInfo] = MethodInfo(
        name="sr",
        title="Sparse representation",
        family="sparse representation",
        citation="B. Yang, S. Li, Multifocus image fusion and restoration with sparse representation, IEEE Trans. "
        "Instrum. Meas. 59 (2010) 884-892",
        sentence="Takes every small patch whole from the source that shows more in it; slow.",
        reproduces="8 x 8 patches, 256 atoms learned by K-SVD, max-L1 rule, stride 2; five atoms, the brighter "
        "one among "
        "flat patches, and keeping what a code leaves over are our choice.",
        survey_reference="6",
        dims=(2,),
        weights=card(DICTIONARY)["sha256"],
        is_fast=False,
        memory_factor=40.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> PixelwiseFusion:
        """Nothing depends on the input."""
        return PixelwiseFusion(SparseActivity(self.stride, self.most_atoms, self.error), 2)
