"""Sparse coding as public code does it: scikit-learn's pursuit, and convolutional ADMM in NumPy and SciPy."""

from __future__ import annotations

import numpy as np
from scipy import fft
from sklearn.linear_model import orthogonal_mp_gram


def pursuit(signals, atoms, most):
    """Dense codes (P, K) of signals (P, n) by orthogonal matching pursuit with at most `most` atoms (K, n)."""
    return orthogonal_mp_gram(atoms @ atoms.T, atoms @ signals.T, n_nonzero_coefs=most).T


def convolutional(image, filters, sparsity, penalty, iterations):
    """Sparse maps (M, H, W) of an image (H, W): ADMM with the Sherman-Morrison formula, single precision."""
    spectrum = fft.rfft2(filters, s=image.shape)
    power = (np.abs(spectrum) ** 2).sum(axis=0) + penalty
    target = np.conj(spectrum) * fft.rfft2(image)
    maps = np.zeros((len(filters), *image.shape), np.float32)
    multipliers = np.zeros_like(maps)
    for _ in range(iterations):
        right = target + penalty * fft.rfft2(maps - multipliers)
        dense = (right - np.conj(spectrum) * ((spectrum * right).sum(axis=0) / power)) / penalty
        dense = fft.irfft2(dense, s=image.shape)
        raised = dense + multipliers
        maps = np.sign(raised) * np.maximum(np.abs(raised) - sparsity / penalty, 0)
        multipliers = raised - maps
    return maps
