"""Dictionaries learned from patches: K-SVD and online learning."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from MedFusionLib.sparse.pursuit import matching_pursuit

TOO_ALIKE = 0.99
"""Atoms whose product is larger are one and the same."""
SMALLEST = 1e-12


def learn_ksvd(
    patches: Tensor,
    count: int,
    *,
    most_atoms: int = 5,
    rounds: int = 20,
    seed: int = 0,
    report: Callable[[int, float], None] | None = None,
) -> Tensor:
    """Dictionary that codes patches best with few atoms each.

    Parameters
    ----------
    patches : (P, n) Tensor
        Training patches without their means.
    count : int
        Number of atoms.
    most_atoms : int
        Atoms per patch.
    rounds : int
        Rounds of coding and atom updates.
    seed : int
        Of the choice of first atoms.
    report : callable
        ``report(round, error)``, the root mean squared error per sample.

    Returns
    -------
    (count, n) Tensor
        Atoms of length 1.

    Notes
    -----
    M. Aharon, M. Elad, A. Bruckstein, "K-SVD: an algorithm for designing overcomplete dictionaries
    for sparse representation", IEEE Trans. Signal Process. 54 (2006) 4311-4322; one power step per
    atom instead of a singular value decomposition (R. Rubinstein et al., Technion CS-2008-08).
    """
    atoms = _first_atoms(patches, count, seed)
    for number in range(rounds):
        codes = matching_pursuit(patches, atoms, most_atoms).dense(count)
        residual = patches - codes @ atoms
        if report:
            report(number, float(residual.square().mean().sqrt()))
        for atom in range(count):
            users = codes[:, atom].nonzero()[:, 0]
            if len(users):
                _update_atom(atoms, codes, residual, atom, users)
        _replace_idle(atoms, codes, residual, patches)
    return atoms


def learn_online(
    patches: Tensor, count: int, *, most_atoms: int = 5, batch: int = 512, passes: int = 2, seed: int = 0
) -> Tensor:
    """Dictionary learned from small batches, for training sets that do not fit K-SVD.

    Parameters and result as for `learn_ksvd`; `batch` patches are coded at a time.

    Notes
    -----
    J. Mairal, F. Bach, J. Ponce, G. Sapiro, "Online dictionary learning for sparse coding", Proc.
    ICML (2009) 689-696, with orthogonal matching pursuit for the codes.
    """
    atoms = _first_atoms(patches, count, seed)
    generator = torch.Generator().manual_seed(seed)
    usage, matched = atoms.new_zeros(count, count), atoms.new_zeros(count, atoms.shape[1])
    for _ in range(passes):
        for chosen in torch.randperm(len(patches), generator=generator).split(batch):
            some = patches[chosen]
            codes = matching_pursuit(some, atoms, most_atoms).dense(count)
            usage += codes.T @ codes
            matched += codes.T @ some
            for atom in usage.diagonal().nonzero()[:, 0].tolist():
                moved = (matched[atom] - usage[atom] @ atoms) / usage[atom, atom] + atoms[atom]
                atoms[atom] = moved / moved.norm().clamp(min=SMALLEST)
    return atoms


def _first_atoms(patches: Tensor, count: int, seed: int) -> Tensor:
    """Random training patches that are not flat, of length 1."""
    lengths = patches.norm(dim=1)
    lively = (lengths > lengths.median()).nonzero()[:, 0]
    order = torch.randperm(len(lively), generator=torch.Generator().manual_seed(seed))
    chosen = lively[order[:count]]
    return patches[chosen] / lengths[chosen, None]


def _update_atom(atoms: Tensor, codes: Tensor, residual: Tensor, atom: int, users: Tensor) -> None:
    """Best atom for its users' residuals with their codes fixed, then their best codes."""
    values = codes[users, atom]
    without = residual[users] + values[:, None] * atoms[atom]
    direction = values @ without
    atoms[atom] = direction / direction.norm().clamp(min=SMALLEST)
    values = without @ atoms[atom]
    codes[users, atom] = values
    residual[users] = without - values[:, None] * atoms[atom]


def _replace_idle(atoms: Tensor, codes: Tensor, residual: Tensor, patches: Tensor) -> None:
    """Atoms that nobody uses, or that repeat another, become the patches that are coded worst."""
    alike = (atoms @ atoms.T).abs().triu(1) > TOO_ALIKE
    idle = ((codes != 0).sum(dim=0) == 0) | alike.any(dim=0)
    numbers = idle.nonzero()[:, 0]
    if len(numbers):
        worst = residual.square().sum(dim=1).topk(len(numbers)).indices
        atoms[numbers] = patches[worst] / patches[worst].norm(dim=1, keepdim=True).clamp(min=SMALLEST)
