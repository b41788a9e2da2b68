"""Shearlet and stationary wavelet fusion slice by slice, as public code does it: NumPy, SciPy, PyWavelets."""

from __future__ import annotations

import numpy as np
import pywt
from scipy import ndimage


def fuse_slices(first, second, windows):
    """Multiply full complex spectra by every window, choose the stronger coefficient, sum the bands.

    Parameters
    ----------
    first, second : (K, H, W) ndarray
        The sources.
    windows : (B, H, W) float64 ndarray
        Full-spectrum windows, the base last.
    """
    out = np.empty_like(first)
    for number, (a, b) in enumerate(zip(first, second)):
        spectra = np.fft.fft2(a), np.fft.fft2(b)
        total = np.zeros(a.shape)
        for position, window in enumerate(windows):
            bands = [np.fft.ifft2(spectrum * window).real for spectrum in spectra]
            total += np.mean(bands, axis=0) if position == len(windows) - 1 else choose(*bands)
        out[number] = total
    return out


def choose(first, second):
    """Choose-max with consistency verification, ties shared."""
    activity = [ndimage.maximum_filter(np.abs(band), 3, mode="constant") for band in (first, second)]
    votes = ndimage.convolve(np.sign(activity[0] - activity[1]), np.ones((3, 3)), mode="constant")
    weight = (np.sign(votes) + 1) / 2
    return weight * first + (1 - weight) * second


def stationary(volume, wavelet, levels):
    """Analysis and synthesis of every slice with pywt.swt2."""
    return np.stack([pywt.iswt2(pywt.swt2(plane, wavelet, levels, norm=True), wavelet, norm=True) for plane in volume])
