"""Sparse coding as public code does it: scikit-learn's pursuit, and convolutional ADMM of sporco.

Where sporco is not installed (it is no dependency) the same iteration in NumPy and SciPy, which is faster, stands in.
"""

from __future__ import annotations

import numpy as np
from scipy import fft
from sklearn.linear_model import orthogonal_mp_gram

try:
    import pyfftw
    from sporco.admm import cbpdn
except ImportError:
    cbpdn = None

CONVOLUTIONAL = "numpy and scipy.fft" if cbpdn is None else "sporco"


def pursuit(signals, atoms, most):
    """Dense codes (P, K) of signals (P, n) by orthogonal matching pursuit with at most `most` atoms (K, n)."""
    return orthogonal_mp_gram(atoms @ atoms.T, atoms @ signals.T, n_nonzero_coefs=most).T


def convolutional(image, filters, sparsity, penalty, iterations):
    """Sparse maps (M, H, W) of an image (H, W): ADMM with the Sherman-Morrison formula, single precision."""
    return (_in_numpy if cbpdn is None else _in_sporco)(image, filters, sparsity, penalty, iterations)


def _in_sporco(image, filters, sparsity, penalty, iterations):
    pyfftw.config.NUM_THREADS = 1
    options = cbpdn.ConvBPDN.Options({
        "MaxMainIter": iterations, "RelStopTol": 0.0, "rho": penalty, "AutoRho": {"Enabled": False},
        "RelaxParam": 1.0, "DataType": np.float32,
    })  # fmt: skip
    columns = np.ascontiguousarray(filters.transpose(1, 2, 0))
    return cbpdn.ConvBPDN(columns, image, sparsity, options).solve().squeeze().transpose(2, 0, 1)


def _in_numpy(image, filters, sparsity, penalty, iterations):
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
