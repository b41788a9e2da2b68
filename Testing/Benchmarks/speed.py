"""The speed contests: fusion and metrics against what SciPy, scikit-image and NumPy offer."""

from __future__ import annotations

import numpy as np
import torch
from baselines import directional, measures, networks, pyramid, sparse
from scipy import ndimage
from timing import Contest

from MedFusionLib.allocation import keep_freed_memory
from MedFusionLib.engine import EngineOptions, run
from MedFusionLib.methods.additive import SliceBankFusion
from MedFusionLib.methods.catalogue import create_method
from MedFusionLib.methods.densefuse import DenseFuseFusion
from MedFusionLib.methods.laplacian import LaplacianFusion
from MedFusionLib.methods.rules import ChooseMax, Weighted
from MedFusionLib.metrics.edge_preservation import edge_preservation
from MedFusionLib.metrics.histogram import grey_levels, mutual_information
from MedFusionLib.metrics.similarity import structural_similarity
from MedFusionLib.metrics.visual_fidelity import information_fidelity
from MedFusionLib.networks.densefuse import DenseFuse
from MedFusionLib.networks.loading import load_network
from MedFusionLib.sparse.convolutional import Coder
from MedFusionLib.sparse.dictionaries import load_dictionary
from MedFusionLib.sparse.patches import PatchGrid
from MedFusionLib.sparse.pursuit import matching_pursuit
from MedFusionLib.transforms.directional import Tiling, directional_bank
from MedFusionLib.transforms.stationary import StationaryWavelet

SLOW_SHARE = 8
"""The slowest baselines see only this part of the slices."""
SHAPE, QUICK_SHAPE = (128, 256, 256), (32, 128, 128)
LEVELS = 3
CHUNK_SAMPLES = 1 << 19
FEW_SLICES = 8
PREVIEW = 512
DENSEFUSE_PRODUCTS = 87_984
"""Multiplications per fused sample of two sources."""


def contests(shape: tuple[int, int, int]) -> list[Contest]:
    """All contests on two phantoms and their mean, (K, J, I)."""
    keep_freed_memory()  # as the engine does; the baselines profit alike
    first, second = phantom(shape, 1), phantom(shape, 2)
    return [
        _laplacian(first, second),
        *_shearlets(first, second),
        _stationary(first),
        *_networks(first, second),
        _preview(),
        *_sparse(first[len(first) // 2]),
        *_metrics([first * 255, second * 255], (first + second) * 127.5),
    ]


def _laplacian(first: np.ndarray, second: np.ndarray) -> Contest:
    stack = torch.from_numpy(np.stack([first, second])[None])
    method = LaplacianFusion(levels=LEVELS, base_rule=Weighted())

    def ours() -> np.ndarray:
        with torch.inference_mode():
            return method.fit(stack, (1.0, 1.0, 1.0)).fuse(stack).image[0].numpy()

    return Contest(
        f"Laplacian pyramid fusion, 3-D, {LEVELS} levels", "scipy.ndimage", ours,
        lambda: pyramid.fuse(first, second, LEVELS), _share_apart, gate=3.0, tolerance=1e-3,
    )  # fmt: skip


def _shearlets(first: np.ndarray, second: np.ndarray) -> list[Contest]:
    """Three scales of eight directions: against slice-wise NumPy, and against its own inverse transforms alone."""
    shape = first.shape[1:]
    bank = directional_bank(shape, shape, (1.0, 1.0), Tiling((8, 8, 8), "slope"))
    fitted = SliceBankFusion(bank, ChooseMax(), Weighted())
    stack = torch.from_numpy(np.stack([first, second], axis=1))
    full = _full_spectrum(bank.windows.double().numpy(), shape[1])
    few = slice(0, max(1, len(first) // SLOW_SHARE))

    def ours(part: slice) -> np.ndarray:
        with torch.inference_mode():
            return fitted.fuse(stack[part]).image.numpy()

    def floor() -> None:
        spectrum = torch.fft.rfft2(stack[:2, 0])
        with torch.inference_mode():
            for _ in range(len(bank) * len(first)):
                torch.fft.irfft2(spectrum, s=shape)

    return [
        Contest(
            "NSST fusion, slices, 25 bands", "numpy.fft slice by slice", lambda: ours(few),
            lambda: directional.fuse_slices(first[few], second[few], full), _share_apart, gate=6.0, tolerance=1e-3,
        ),
        Contest(
            "NSST fusion against its 50 inverse transforms", "torch.fft.irfft2 alone", lambda: ours(slice(None)),
            floor, lambda own, other: 0.0, gate=0.4, tolerance=0.0,
        ),
    ]  # fmt: skip


def _stationary(volume: np.ndarray) -> Contest:
    transform, image = StationaryWavelet(((0, 1),) * LEVELS, 2), torch.from_numpy(volume)

    def ours() -> np.ndarray:
        with torch.inference_mode():
            parts = [transform.synthesise(transform.analyse(part), part.shape[1:]) for part in image.split(2)]
            return torch.cat(parts).numpy()

    return Contest(
        f"Stationary wavelets there and back, {LEVELS} levels", "pywt.swt2 slice by slice", ours,
        lambda: directional.stationary(volume, transform.wavelet, LEVELS), _largest, gate=1.3, tolerance=1e-4,
    )  # fmt: skip


def _networks(first: np.ndarray, second: np.ndarray) -> list[Contest]:
    """DenseFuse, exact and in bfloat16, against the public way and against its own multiplications at full speed."""
    few = slice(0, FEW_SLICES)
    stack = torch.from_numpy(np.stack([first[few], second[few]], axis=1))
    fitted = DenseFuseFusion("addition").fit(stack, (1.0, 1.0))
    public = networks.PublicDenseFuse().take(list(load_network("densefuse", DenseFuse).parameters()))
    layer = torch.nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)
    image = torch.rand(1, 64, 128, stack.shape[-1]).contiguous(memory_format=torch.channels_last)
    per_sample = image.shape[2] * image.shape[3] * 64 * 64 * 9
    rounds = round(stack[:, 0].numel() * DENSEFUSE_PRODUCTS / per_sample)

    def ours(precision: torch.dtype | None) -> np.ndarray:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision is not None):
            return fitted.fuse(stack).image.numpy()

    def ceiling() -> None:
        with torch.inference_mode():
            for _ in range(rounds):
                layer(image)

    def theirs() -> np.ndarray:
        return networks.fuse_slices(public, first[few], second[few])

    slice_by_slice = "padding layers, channels first, slice by slice"
    return [
        Contest("DenseFuse, exact", slice_by_slice, lambda: ours(None), theirs, _largest, gate=1.2, tolerance=1e-5),
        Contest("DenseFuse, bfloat16", slice_by_slice, lambda: ours(torch.bfloat16), theirs, _largest, gate=2.0,
                tolerance=0.02),
        Contest("DenseFuse, exact, against as many products in one layer", "conv 64 to 64", lambda: ours(None), ceiling,
                lambda own, other: 0.0, gate=0.6, tolerance=0.0),
    ]  # fmt: skip


def _preview() -> Contest:
    """The flagship on the one slice that a live preview needs, as the engine runs it: fast against exact."""
    sources = np.stack([phantom((1, PREVIEW, PREVIEW), seed) for seed in (3, 4)])
    method = create_method("convex")

    def fused(precision: str) -> np.ndarray:
        return run(method, sources, options=EngineOptions("slice", "cpu", precision, workers=1)).fused

    return Contest(
        f"Convex weights, one slice of {PREVIEW} x {PREVIEW}, fast", "the same, exact", lambda: fused("fast"),
        lambda: fused("exact"), _largest, gate=1.0, tolerance=0.01,
    )  # fmt: skip


def _sparse(plane: np.ndarray) -> list[Contest]:
    """Pursuit on patches of a slice, and ten iterations of convolutional coding of the slice."""
    atoms = load_dictionary("patches8").double()
    patches = PatchGrid(plane.shape, 8, 4).take(torch.from_numpy(plane)).double()
    patches = patches - patches.mean(dim=1, keepdim=True)
    filters = load_dictionary("filters8")
    coder = Coder(filters, 0.01, 1.5, iterations=10, tolerance=0.0)

    def pursuit() -> np.ndarray:
        with torch.inference_mode():
            return matching_pursuit(patches, atoms, 5).dense(len(atoms)).numpy()

    def convolutional() -> np.ndarray:
        with torch.inference_mode():
            return coder.code(torch.from_numpy(plane))[0].numpy()

    return [
        Contest(
            "Batch pursuit, 256 atoms, 5 per patch", "sklearn orthogonal_mp_gram", pursuit,
            lambda: sparse.pursuit(patches.numpy(), atoms.numpy(), 5), _largest, gate=8.0, tolerance=1e-6,
        ),
        Contest(
            "Convolutional sparse coding, 10 iterations", sparse.CONVOLUTIONAL, convolutional,
            lambda: sparse.convolutional(plane, filters.numpy(), 0.01, 1.5, 10), _largest, gate=1.5, tolerance=1e-4,
        ),
    ]  # fmt: skip


def _full_spectrum(windows: np.ndarray, width: int) -> np.ndarray:
    """Windows on the full spectrum from their half (B, H, W // 2 + 1); they are even."""
    mirrored = np.roll(windows[:, ::-1, ::-1], 1, axis=1)
    missing = width - windows.shape[2]
    return np.concatenate([windows, mirrored[:, :, -missing - 1 : -1] if width % 2 == 0 else mirrored[:, :, :-1]], 2)


def _metrics(sources: list[np.ndarray], fused: np.ndarray) -> list[Contest]:
    images = [torch.from_numpy(image) for image in sources]
    target = torch.from_numpy(fused)
    return [
        Contest(
            "Mutual information", "numpy.histogram2d",
            lambda: mutual_information([grey_levels(i) for i in images], grey_levels(target))[0],
            lambda: measures.mutual_information(sources, fused), _largest, gate=5.0, tolerance=1e-6,
        ),
        Contest(
            "SSIM", "skimage.metrics",
            lambda: np.mean([_by_chunks(lambda a, f: structural_similarity(a[0], f), [i], target) for i in images]),
            lambda: measures.similarity(sources, fused), _largest, gate=2.0, tolerance=1e-4,
        ),
        Contest(
            "Edge preservation Q_AB/F", "scipy.ndimage and numpy",
            lambda: _by_chunks(edge_preservation, images, target),
            lambda: measures.edge_preservation(sources, fused), _largest, gate=2.0, tolerance=1e-4,
        ),
        Contest(
            "VIF, pixel domain", measures.VISUAL_INFORMATION,
            lambda: _by_chunks(_fidelity, [image[:FEW_SLICES] for image in images], target[:FEW_SLICES]),
            lambda: measures.visual_information([s[:FEW_SLICES] for s in sources], fused[:FEW_SLICES]),
            _largest, gate=8.0, tolerance=1e-3,
        ),
    ]  # fmt: skip


def _fidelity(sources: list, fused):
    return sum(information_fidelity(sources, fused))


def _by_chunks(measure, images: list, target) -> float:
    """A slice-wise metric in chunks of the size that `evaluate` takes."""
    step = max(1, CHUNK_SAMPLES // target[0].numel())
    with torch.inference_mode():
        parts = [
            measure([image[start : start + step] for image in images], target[start : start + step])
            for start in range(0, len(target), step)
        ]
        return float(torch.cat(parts).mean())


def _share_apart(one: np.ndarray, other: np.ndarray) -> float:
    """Share of voxels that differ: where both sources are equally strong, rounding decides."""
    return float(np.mean(np.abs(one - other) > 1e-5))


def _largest(one, other) -> float:
    return float(np.max(np.abs(np.asarray(one) - np.asarray(other))))


def phantom(shape: tuple[int, int, int], seed: int) -> np.ndarray:
    """Smooth blobs with some noise in 0..1, float32."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(shape, dtype=np.float32)
    image = ndimage.gaussian_filter(noise, 4)
    image = image / image.std() + 0.1 * noise
    low, high = np.percentile(image[::4, ::4, ::4], (0.5, 99.5))
    return np.clip((image - low) / (high - low), 0, 1).astype(np.float32)
