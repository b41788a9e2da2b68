"""Weights from the activity of sparse codes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.sparse.dictionaries import load_dictionary
from MedFusionLib.sparse.patches import PatchGrid
from MedFusionLib.sparse.pursuit import matching_pursuit

DICTIONARY = "patches8"


@dataclass(frozen=True)
class SparseActivity:
    """Every patch is taken from the source whose sparse code is most active; overlapping patches are averaged.

    The activity is the sum of the moduli of the coefficients; between codes of equal activity (flat
    patches) the brighter one wins. Where patches overlap the weights are the share of patches that a
    source won. Volumes are taken plane by plane across their first axis.

    Parameters
    ----------
    stride : int
        Distance between patches.
    most_atoms : int
        Largest number of atoms per patch.
    error : float
        Length of the residual at which a patch is done, on the sources' scale 0..1.
    counts_mean : bool
        Whether the mean of a patch counts too, as the coefficient of a constant atom. Without it the
        livelier of two nearly flat patches wins, however dark it is.

    Notes
    -----
    B. Yang, S. Li, "Multifocus image fusion and restoration with sparse representation", IEEE Trans.
    Instrum. Meas. 59 (2010) 884-892. There the winner's code replaces the patch; here the patch
    itself is kept, so that nothing that a code leaves over is lost.
    """

    stride: int = 2
    most_atoms: int = 5
    error: float = 0.02
    counts_mean: bool = False

    @property
    def reach(self) -> None:
        """The last patches lie flush with the far borders, wherever those are."""
        return

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Weights in 0..1, shape (N, S, *spatial)."""
        if ndim == 3:
            planes = bands.transpose(1, 2).flatten(0, 1)
            return self(planes, 2).unflatten(0, (len(bands), bands.shape[2])).transpose(1, 2)
        dictionary = load_dictionary(DICTIONARY).to(bands.device, bands.dtype)
        return torch.stack([self._of_slice(slices, dictionary) for slices in bands])

    def _of_slice(self, slices: Tensor, dictionary: Tensor) -> Tensor:
        """Weights (S, H, W) of one slice (S, H, W)."""
        checkpoint()
        size = round(dictionary.shape[1] ** 0.5)
        padded = _at_least(slices, size)
        grid = PatchGrid(tuple(padded.shape[1:]), size, self.stride)
        patches = grid.take(padded)
        means = patches.mean(dim=2, keepdim=True)
        codes = matching_pursuit((patches - means).flatten(0, 1), dictionary, self.most_atoms, self.error)
        activity = codes.values.abs().sum(dim=1).reshape(means.shape[:2])
        if self.counts_mean:
            activity = activity + size * means[..., 0].abs()  # a constant atom of length 1 is 1 / size everywhere
        won = winners(activity, means[..., 0])[..., None].expand(-1, -1, size * size)
        return grid.put(won)[:, : slices.shape[1], : slices.shape[2]]


def winners(activity: Tensor, brightness: Tensor) -> Tensor:
    """Shares (S, P): all to the most active code, among equal ones to the brightest, then equal shares."""
    leads = activity == activity.amax(dim=0, keepdim=True)
    brightness = torch.where(leads, brightness, -torch.inf)
    leads = (leads & (brightness == brightness.amax(dim=0, keepdim=True))).to(activity.dtype)
    return leads / leads.sum(dim=0, keepdim=True)


def _at_least(slices: Tensor, size: int) -> Tensor:
    """Slices (S, H, W) whose last rows and columns are repeated up to one patch."""
    for axis in (1, 2):
        missing = size - slices.shape[axis]
        if missing > 0:
            last = slices.narrow(axis, slices.shape[axis] - 1, 1)
            slices = torch.cat([slices, last.repeat_interleave(missing, dim=axis)], dim=axis)
    return slices
