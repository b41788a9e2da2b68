"""Metrics of two sources and a fused volume on the scale 0..255, slice by slice, in the usual way.

VIF is that of sewar; where it is not installed (it is no dependency), its formula with the same filters of SciPy.
"""

import numpy as np
from scipy import ndimage, signal
from skimage.metrics import structural_similarity

try:
    from sewar.full_ref import vifp
except ImportError:
    vifp = None

VISUAL_INFORMATION = "scipy.signal.convolve2d as sewar" if vifp is None else "sewar"
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


def visual_information(sources, fused):
    """Sum over the sources of VIFp, mean over slices, with two-dimensional windows as sewar takes them."""
    one = vifp or _visual_information
    values = [sum(one(s[k], fused[k]) for s in sources) for k in range(len(fused))]
    return float(np.mean(values))


def _visual_information(source, fused, noise=2.0, least=1e-10):
    told = known = 0.0
    for scale in range(4):
        size = 2 ** (4 - scale) + 1
        along = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * (size / 5) ** 2))
        window = np.outer(along, along) / along.sum() ** 2
        if scale:
            source, fused = (_windowed(image, window)[::2, ::2] for image in (source, fused))
        mean, mean_fused = _windowed(source, window), _windowed(fused, window)
        variance = np.maximum(_windowed(source * source, window) - mean * mean, 0)
        variance_fused = np.maximum(_windowed(fused * fused, window) - mean_fused * mean_fused, 0)
        covariance = _windowed(source * fused, window) - mean * mean_fused
        gain = covariance / (variance + least)
        gain[(variance < least) | (variance_fused < least) | (gain < 0)] = 0
        rest = np.maximum(variance_fused - gain * covariance, least)
        told += np.log10(1 + gain**2 * variance / (rest + noise)).sum()
        known += np.log10(1 + variance / noise).sum()
    return told / known


def _windowed(image, window):
    return signal.convolve2d(image, window, mode="valid")
