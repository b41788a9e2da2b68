"""Orthogonal matching pursuit of many signals at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MedFusionLib.interrupt import checkpoint

CHUNK_SIGNALS = 256
"""Signals coded at once: their correlations with the atoms then stay in the cache."""
DEPENDENT = 1e-7
"""An atom with less than this of its squared length outside the chosen ones is not taken."""


@dataclass(frozen=True, eq=False)
class Codes:
    """Sparse codes of P signals with at most L atoms each.

    Parameters
    ----------
    atoms : (P, L) int64 Tensor
        Numbers of the chosen atoms, in the order of choice.
    values : (P, L) Tensor
        Their coefficients; 0 where a signal needed fewer atoms.
    """

    atoms: Tensor
    values: Tensor

    def rebuild(self, dictionary: Tensor) -> Tensor:
        """The signals (P, n) that the codes stand for, with atoms (K, n)."""
        out = self.values.new_zeros(len(self.values), dictionary.shape[1])
        for position in range(self.atoms.shape[1]):
            out.addcmul_(self.values[:, position, None], dictionary[self.atoms[:, position]])
        return out

    def dense(self, count: int) -> Tensor:
        """Coefficients of all `count` atoms, (P, count)."""
        full = self.values.new_zeros(len(self.values), count)
        return full.scatter_add_(1, self.atoms, self.values)


def matching_pursuit(signals: Tensor, dictionary: Tensor, most_atoms: int, error: float = 0.0) -> Codes:
    """Code every signal with few atoms, greedily, each step orthogonal to the ones before.

    Parameters
    ----------
    signals : (P, n) Tensor
        Signals to code.
    dictionary : (K, n) Tensor
        Atoms of length 1.
    most_atoms : int
        Largest number of atoms per signal.
    error : float
        A signal whose residual is not longer than this is done.

    Notes
    -----
    R. Rubinstein, M. Zibulevsky, M. Elad, "Efficient implementation of the K-SVD algorithm using
    batch orthogonal matching pursuit", Technion CS-2008-08. Here the Cholesky factor grows by one
    row per step, and its rows are kept multiplied with all atoms, so that residual correlations
    follow without solving.
    """
    gram = dictionary @ dictionary.T
    parts = [
        _code(chunk, dictionary, gram, min(most_atoms, len(dictionary)), error)
        for chunk in signals.split(CHUNK_SIGNALS)
    ]
    if not parts:
        empty = signals.new_zeros(0, most_atoms)
        return Codes(empty.long(), empty)
    return Codes(torch.cat([part.atoms for part in parts]), torch.cat([part.values for part in parts]))


def _code(signals: Tensor, dictionary: Tensor, gram: Tensor, most: int, error: float) -> Codes:
    checkpoint()
    count, rows = len(signals), torch.arange(len(signals), device=signals.device)
    correlation = signals @ dictionary.T
    left = signals.square().sum(dim=1)
    # products of the atoms with the orthonormal directions
    basis = signals.new_empty(count, max(most - 1, 1), len(dictionary))
    factor = torch.diag_embed(signals.new_ones(count, most))
    projections = signals.new_zeros(count, most)
    atoms = torch.zeros(count, most, dtype=torch.int64, device=signals.device)
    for step in range(most):
        chosen = correlation.abs().argmax(dim=1)
        known = basis[rows, :step, chosen]
        squared = 1 - known.square().sum(dim=1)
        active = (left > error * error) & (squared > DEPENDENT)
        length = squared.clamp(min=DEPENDENT).sqrt()
        share = torch.where(active, correlation[rows, chosen] / length, 0)
        projections[:, step] = share
        atoms[:, step] = chosen
        factor[:, step, :step] = torch.where(active[:, None], known, 0)
        factor[:, step, step] = torch.where(active, length, 1)
        if step < most - 1:
            row = gram[chosen]
            if step:
                row.sub_(torch.bmm(known[:, None], basis[:, :step])[:, 0])
            basis[:, step] = row.div_(length[:, None])
            correlation.addcmul_(share[:, None], row, value=-1)
            left = left - share * share
    values = torch.linalg.solve_triangular(factor.mT, projections[..., None], upper=True)[..., 0]
    return Codes(atoms, values)
