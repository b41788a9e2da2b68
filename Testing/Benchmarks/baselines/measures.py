"""Metrics of two sources and a fused volume on the scale 0..255, slice by slice, in the usual way."""

import numpy as np
from scipy import ndimage
from skimage.metrics import structural_similarity

SMOOTH, DERIVE = np.array([1.0, 2.0, 1.0], np.float32), np.array([-1.0, 0.0, 1.0], np.float32)
SSIM_OPTIONS = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}


def mutual_information(sources, fused):
    """Sum over the sources in bits, from numpy.histogram2d over the whole volume."""
    total = 0.0
    for source in sources:
        counts = np.histogram2d(np.rint(source).ravel(), np.rint(fused).ravel(), 256, ((-0.5, 255.5),) * 2)[0]
        joint = counts / counts.sum()
        outer = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
        held = joint > 0
        total += float((joint[held] * np.log2(joint[held] / outer[held])).sum())
    return total


def similarity(sources, fused):
    """Mean SSIM over sources and slices, from scikit-image."""
    values = [structural_similarity(s[k], fused[k], **SSIM_OPTIONS) for s in sources for k in range(len(fused))]
    return float(np.mean(values))


def edge_preservation(sources, fused):
    """Mean Q_AB/F over slices, from scipy.ndimage and NumPy."""
    return float(np.mean([_edge_preservation([s[k] for s in sources], fused[k]) for k in range(len(fused))]))


def _edge_preservation(sources, fused):
    fused_strength, fused_angle = _sobel(fused)
    kept = total = 0.0
    for source in sources:
        strength, angle = _sobel(source)
        highest = np.maximum(strength, fused_strength)
        lowest = np.minimum(strength, fused_strength)
        ratio = np.divide(lowest, highest, out=np.ones_like(highest), where=highest > 0)
        turn = np.abs(angle - fused_angle)
        agreement = 1 - np.minimum(turn, np.pi - turn) * np.float32(2 / np.pi)
        quality = 0.9994 / (1 + np.exp(-15 * (ratio - 0.5))) * (0.9879 / (1 + np.exp(-22 * (agreement - 0.8))))
        kept += float((quality * strength).sum())
        total += float(strength.sum())
    return kept / total


def _sobel(image):
    along_x = ndimage.correlate1d(ndimage.correlate1d(image, SMOOTH, 0), DERIVE, 1)[1:-1, 1:-1]
    along_y = ndimage.correlate1d(ndimage.correlate1d(image, SMOOTH, 1), DERIVE, 0)[1:-1, 1:-1]
    angle = np.arctan(np.divide(along_y, along_x, out=np.full_like(along_x, np.inf), where=along_x != 0))
    return np.hypot(along_x, along_y), np.where((along_x == 0) & (along_y == 0), np.float32(0), angle)
