"""Losses of fusion networks, on images (B, 1, H, W) in 0..1; all are differentiable."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

SIGMA, WINDOW = 1.5, 11
BLACK = 1 / 255
C1, C2 = 0.01**2, 0.03**2
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
SOBEL = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
LAPLACE = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])


def gaussian(image: Tensor, sigma: float = SIGMA, window: int = WINDOW) -> Tensor:
    """Gaussian mean of (B, C, H, W), where the window fits."""
    x = torch.arange(window, device=image.device, dtype=image.dtype) - (window - 1) / 2
    taps = torch.exp(-(x**2) / (2 * sigma**2))
    taps = taps / taps.sum()
    for axis in (-2, -1):
        length = image.shape[axis] - window + 1
        image = sum(image.narrow(axis, k, length) * taps[k] for k in range(window))
    return image


def ssim_map(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM where the window fits, and its contrast-structure part [Z. Wang et al., IEEE TIP 13 (2004) 600-612]."""
    a, b, aa, bb, ab = gaussian(torch.cat((first, second, first**2, second**2, first * second), dim=1)).split(
        first.shape[1], dim=1
    )
    contrast = (2 * (ab - a * b) + C2) / (aa - a * a + bb - b * b + C2)
    return (2 * a * b + C1) / (a * a + b * b + C1) * contrast, contrast


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Mean SSIM."""
    return ssim_map(first, second)[0].mean()


def ms_ssim(first: Tensor, second: Tensor) -> Tensor:
    """Multi-scale SSIM, with as many of the five scales as fit [Z. Wang et al., Asilomar 2003]."""
    result, weights = first.new_ones(()), []
    for number, weight in enumerate(SCALE_WEIGHTS):
        full, contrast = ssim_map(first, second)
        is_last = number == len(SCALE_WEIGHTS) - 1 or min(first.shape[-2:]) // 2 < WINDOW
        result = result * (full if is_last else contrast).mean().clamp(min=1e-4) ** weight
        weights.append(weight)
        if is_last:
            break
        first, second = F.avg_pool2d(first, 2), F.avg_pool2d(second, 2)
    return result ** (1 / sum(weights))


def filtered(image: Tensor, kernel: Tensor) -> Tensor:
    """Every channel filtered with a 3 x 3 kernel, borders reflected."""
    kernel = kernel.to(image).expand(image.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(image, (1, 1, 1, 1), mode="reflect"), kernel, groups=image.shape[1])


def gradient(image: Tensor) -> tuple[Tensor, Tensor]:
    """Sobel derivatives along rows and columns, per sample."""
    return filtered(image, SOBEL), filtered(image, SOBEL.T)


def gradient_modulus(image: Tensor) -> Tensor:
    """Length of the Sobel gradient."""
    x, y = gradient(image)
    return (x * x + y * y + 1e-10).sqrt()


def gradient_loss(fused: Tensor, sources: Tensor) -> Tensor:
    """L1 distance of the gradient's modulus from the largest of the sources (B, S, H, W)."""
    wanted = gradient_modulus(sources).amax(dim=1, keepdim=True)
    return (gradient_modulus(fused) - wanted).abs().mean()


def intensity_loss(fused: Tensor, sources: Tensor) -> Tensor:
    """L1 distance from the pixel-wise maximum of the sources (B, S, H, W)."""
    return (fused - sources.amax(dim=1, keepdim=True)).abs().mean()


def veil(fused: Tensor, sources: Tensor) -> Tensor:
    """Mean brightness (B,) where no source (B, S, H, W) shows anything, over all samples of the image."""
    is_black = sources.amax(dim=1, keepdim=True) < BLACK
    return (fused * is_black).abs().mean(dim=(1, 2, 3))


def total_variation(image: Tensor) -> Tensor:
    """Mean absolute difference between neighbours."""
    return image.diff(dim=-1).abs().mean() + image.diff(dim=-2).abs().mean()


def correlation(first: Tensor, second: Tensor, where: Tensor | None = None) -> Tensor:
    """Pearson correlation of every pair of images (B, 1, H, W), over a mask if given; (B,)."""
    weight = torch.ones_like(first) if where is None else where.to(first)
    total = weight.sum(dim=(1, 2, 3), keepdim=True).clamp(min=1)
    a = (first - (first * weight).sum(dim=(1, 2, 3), keepdim=True) / total) * weight
    b = (second - (second * weight).sum(dim=(1, 2, 3), keepdim=True) / total) * weight
    product = (a * b).sum(dim=(1, 2, 3))
    return product / ((a * a).sum(dim=(1, 2, 3)) * (b * b).sum(dim=(1, 2, 3)) + 1e-8).sqrt()


def feature_loss(first: list[Tensor], second: list[Tensor]) -> Tensor:
    """Mean squared distance of features, averaged over their levels."""
    return sum(F.mse_loss(a, b) for a, b in zip(first, second)) / len(first)


def reconstruction(image: Tensor, original: Tensor, structure: float) -> dict[str, Tensor]:
    """Terms of an auto-encoder: mean squared error, and one minus SSIM times `structure`."""
    return {"mse": F.mse_loss(image, original), "ssim": structure * (1 - ssim(image, original))}
