"""Fusion by joint sparse representation: what sources share is kept once, what only one shows is added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from MedFusionLib.errors import UsageError
from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import Fused, Global, MethodInfo
from MedFusionLib.methods.rules.sparse_activity import DICTIONARY, winners
from MedFusionLib.sparse.dictionaries import load_dictionary
from MedFusionLib.sparse.patches import PatchGrid
from MedFusionLib.sparse.pursuit import matching_pursuit
from MedFusionLib.weights import card


@dataclass(frozen=True)
class JointSparseFusion:
    """Patches of all sources coded together: common part, plus each source's own innovation.

    Parameters
    ----------
    stride : int
        Distance between patches of 8 x 8.
    most_atoms : int
        Largest number of atoms per joint patch.
    error : float
        Length of the residual at which a joint patch is done (sources are in 0..1).
    """

    stride: int = 2
    most_atoms: int = 8
    error: float = 0.02

    info: ClassVar[MethodInfo] = MethodInfo(
        name="jsr",
        title="Joint sparse representation",
        family="sparse representation",
        citation="H. Yin, S. Li, Multimodal image fusion with joint sparsity model, Opt. Eng. 50 (2011) 067007",
        sentence="Keeps what all sources share once and adds what only one shows: detail of both in one patch; slow.",
        reproduces="The joint model with one common and one own part per source, and their sum; eight atoms, the "
        "mean of "
        "the liveliest patch (of the brightest among flat ones), and keeping its left-over are our choice.",
        survey_reference="6",
        dims=(2,),
        weights=card(DICTIONARY)["sha256"],
        is_fast=False,
        memory_factor=60.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedJoint:
        """The joint dictionary for this number of sources."""
        if min(sources.shape[2:]) < 8:
            raise UsageError(f"Slices of {tuple(sources.shape[2:])} samples", "at least 8 x 8")
        return FittedJoint(joint_dictionary(load_dictionary(DICTIONARY), sources.shape[1]), self)


@dataclass(frozen=True, eq=False)
class FittedJoint:
    """Joint coding for a number of sources.

    Parameters
    ----------
    dictionary : (K (S + 1), S n) Tensor
        See `joint_dictionary`.
    settings : JointSparseFusion
        Stride, atoms and error.
    """

    dictionary: Tensor
    settings: JointSparseFusion

    @property
    def support(self) -> Global:
        """The last patches lie flush with the far borders, wherever those are."""
        return Global()

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse sources (N, S, H, W)."""
        parts = torch.empty_like(sources)
        dictionary = self.dictionary.to(sources.device, sources.dtype)
        for number, slices in enumerate(sources):
            checkpoint()
            parts[number] = self._parts(slices, dictionary)
        return Fused(parts.sum(dim=1), parts if with_parts else None)

    def _parts(self, slices: Tensor, dictionary: Tensor) -> Tensor:
        """What every source gives, (S, H, W), of one slice."""
        settings, count = self.settings, len(slices)
        grid = PatchGrid(tuple(slices.shape[1:]), 8, settings.stride)
        patches = grid.take(slices)  # (S, P, n)
        means = patches.mean(dim=2, keepdim=True)
        flat = patches - means
        signals = flat.movedim(0, 1).flatten(1)  # (P, S n): the sources' patches behind each other
        codes = matching_pursuit(signals, dictionary, settings.most_atoms, settings.error)
        dense = codes.dense(len(dictionary)).unflatten(1, (count + 1, -1))  # (P, S + 1, K)
        atoms = dictionary[: dense.shape[2], : flat.shape[2]] * count**0.5
        common = dense[:, 0] @ atoms / count**0.5
        own = [dense[:, 1 + source] @ atoms for source in range(count)]
        energy = flat.square().sum(dim=2)
        energy = torch.where(energy > settings.error**2, energy, 0)  # noise is no life
        lively = winners(energy, means[..., 0])[..., None]
        left = flat - common - torch.stack(own)
        whole = torch.stack([common / count + part for part in own]) + lively * (left + means)
        return grid.put(whole)


def joint_dictionary(atoms: Tensor, count: int) -> Tensor:
    """Atoms for signals of `count` patches behind each other: first common ones, then those of each source.

    Parameters
    ----------
    atoms : (K, n) Tensor
        Atoms of length 1.
    count : int
        Number of sources.

    Returns
    -------
    (K (count + 1), count n) Tensor
        Atoms of length 1: a common atom repeats an atom in all patches, an own one has it in one.
    """
    common = atoms.repeat(1, count) / count**0.5
    own = [torch.cat([atoms if s == source else torch.zeros_like(atoms) for s in range(count)], dim=1)
           for source in range(count)]  # fmt: skip
    return torch.cat([common, *own])
