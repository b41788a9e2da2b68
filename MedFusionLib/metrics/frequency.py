"""Frequency grids for metrics that filter whole slices by the FFT."""

from __future__ import annotations

import torch
from torch import Tensor


def frequency_grid(image: Tensor) -> tuple[Tensor, Tensor]:
    """Frequencies along y and x in cycles per sample, (H, 1) and (1, W), type and device of the image."""
    height, width = image.shape[-2:]
    options = {"dtype": image.dtype, "device": image.device}
    return torch.fft.fftfreq(height, **options)[:, None], torch.fft.fftfreq(width, **options)[None]


def filtered(image: Tensor, response: Tensor) -> Tensor:
    """Slices (K, H, W) filtered by a real, symmetric frequency response (H, W); periodic borders."""
    return torch.fft.ifft2(torch.fft.fft2(image) * response).real
