"""Each metric against an independent NumPy and SciPy version of its definition, on textured images."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft, ndimage, signal, stats

from MedFusionLib.metrics import evaluate

SIDE = (72, 88)


def _texture(seed):
    noise = np.random.default_rng(seed).standard_normal(SIDE)
    image = ndimage.gaussian_filter(noise, 2) * 6 + 0.2 * noise
    return np.clip(110 + 60 * image, 0, 255).round()


A, B = _texture(1), _texture(2)
F = np.clip(0.6 * A + 0.5 * B - 15, 0, 255).round()


@pytest.fixture(scope="module")
def found():
    return evaluate([A, B], F, data_range=255, metrics="all", roles=("anatomical", "functional"))


def _windows(image, size):
    return sliding_window_view(image, (size, size)).reshape(-1, size * size)


def _gaussian(size, sigma):
    along = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * sigma**2))
    return np.outer(along, along).ravel() / along.sum() ** 2


def _moments(first, second, size, weights):
    """Means and covariance in all windows."""
    a, b = _windows(first, size), _windows(second, size)
    mean_a, mean_b = a @ weights, b @ weights
    return mean_a, mean_b, (a * b) @ weights - mean_a * mean_b


def _similarity(first, second, size, weights, c1, c2):
    mean_a, mean_b, covariance = _moments(first, second, size, weights)
    variances = _moments(first, first, size, weights)[2] + _moments(second, second, size, weights)[2]
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return luminance * (2 * covariance + c2) / (variances + c2)


def test_errors_and_correlations_equal_the_plain_formulas(found):
    errors = [np.mean((s - F) ** 2) for s in (A, B)]
    assert found["mse"] == pytest.approx(np.mean(errors))
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(errors)))
    assert found["psnr"] == pytest.approx(10 * np.log10(255**2 / np.mean(errors)))
    assert found["psnr_legacy"] == pytest.approx(10 * np.log10(F.max() ** 2 / np.mean(errors)))
    assert found["cc"] == pytest.approx(np.mean([stats.pearsonr(s.ravel(), F.ravel())[0] for s in (A, B)]))
    differences = [stats.pearsonr(s.ravel(), (F - other).ravel())[0] for s, other in ((A, B), (B, A))]
    assert found["scd"] == pytest.approx(sum(differences))


def test_information_equals_scikit_learn_style_histograms(found):
    def entropies(first, second):
        joint = np.histogram2d(first.ravel(), second.ravel(), 256, ((-0.5, 255.5),) * 2)[0] / first.size
        return [stats.entropy(p.ravel(), base=2) for p in (joint.sum(1), joint.sum(0), joint)]

    pairs = [entropies(s, F) for s in (A, B)]
    shared = [a + f - joint for a, f, joint in pairs]
    assert found["mi"] == pytest.approx(sum(shared))
    assert found["mi_nats"] == pytest.approx(sum(shared) / 1.442695, rel=1e-6)
    assert found["q_mi"] == found["nmi"] == pytest.approx(sum(2 * i / (a + f) for i, (a, f, _) in zip(shared, pairs)))
    assert found["nmi_joint"] == pytest.approx(np.mean([(a + f) / joint for a, f, joint in pairs]))
    matrix = np.eye(3)
    for row, column, pair in ((0, 2, pairs[0]), (1, 2, pairs[1]), (0, 1, entropies(A, B))):
        matrix[row, column] = matrix[column, row] = (pair[0] + pair[1] - pair[2]) / 8
    shares = np.linalg.eigvalsh(matrix) / 3
    assert found["ncie"] == pytest.approx(1 + np.sum(shares * np.log(shares)) / np.log(256))


def test_edge_intensity_equals_the_sobel_filter_of_scipy(found):
    magnitude = np.hypot(ndimage.sobel(F, 0), ndimage.sobel(F, 1))[1:-1, 1:-1]
    assert found["ei"] == pytest.approx(magnitude.mean(), rel=1e-5)


def _edges(image, mode="valid", hand=1):
    along_x = signal.convolve2d(image, np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]]), mode)
    along_y = signal.convolve2d(image, np.array([[1, 2, 1], [0, 0, 0], [-1, -2, -1]]), mode)
    with np.errstate(divide="ignore", invalid="ignore"):
        angle = np.where(along_x == 0, np.pi / 2, np.arctan(hand * along_y / along_x))
    return np.hypot(along_x, along_y), angle


def _logistic(value, gain, slope, centre):
    return gain / (1 + np.exp(-slope * (value - centre)))


def test_loss_and_artefacts_equal_their_definition(found):
    for keys, grow in ((("labf", "nabf"), 0), (("labf_legacy", "nabf_legacy"), 1)):
        (g_a, o_a), (g_b, o_b), (g_f, o_f) = (_edges(np.pad(image, grow, mode="wrap")) for image in (A, B, F))
        missing, weights = 0, 0
        for g, o in ((g_a, o_a), (g_b, o_b)):
            ratio = np.where(g == g_f, 1, np.minimum(g, g_f) / np.maximum(g, g_f))
            turn = np.abs(np.abs(o - o_f) - np.pi / 2) * 2 / np.pi
            quality = np.sqrt(_logistic(ratio, 0.9999, 19, 0.5) * _logistic(turn, 0.9995, 22, 0.5))
            weight = np.where(g / 8 >= 2, (g / 8) ** 1.5, 0.001)
            missing, weights = missing + (1 - quality) * weight, weights + weight
        stronger = (g_f > g_a) & (g_f > g_b)
        assert found[keys[0]] == pytest.approx((missing * ~stronger).sum() / weights.sum(), rel=1e-4)
        assert found[keys[1]] == pytest.approx((missing * stronger).sum() / weights.sum(), rel=1e-4)


def test_the_widespread_edge_preservation_keeps_its_three_faults(found):
    (g_f, o_f), kept, total = _edges(F, "same", -1), 0, 0
    for source in (A, B):
        g, o = _edges(source, "same", -1)
        ratio = np.where(g == g_f, g_f, np.minimum(g, g_f) / np.maximum(np.maximum(g, g_f), 1e-300))
        turn = 1 - np.abs(o - o_f) / (np.pi / 2)
        kept += (_logistic(ratio, 0.9994, 15, 0.5) * _logistic(turn, 0.9879, 22, 0.8) * g).sum()
        total += g.sum()
    assert found["qabf_legacy"] == pytest.approx(kept / total, rel=1e-4)


def test_the_similarity_with_range_two_is_that_of_scikit_image(found):
    from skimage.metrics import structural_similarity

    expected = sum(structural_similarity(source, F, data_range=2) for source in (A, B))
    assert found["ssim_legacy"] == pytest.approx(expected, rel=1e-6)


def test_the_worse_source_is_the_smaller_similarity(found):
    weights = _gaussian(11, 1.5)
    each = [_similarity(s, F, 11, weights, 6.5025, 58.5225).mean() for s in (A, B)]
    assert found["ssim"] == pytest.approx(np.mean(each), abs=1e-5)
    assert found["ssim_w"] == pytest.approx(min(each), abs=1e-5)


def test_multi_scale_similarity_equals_its_definition():
    rng = np.random.default_rng(4)
    first = np.clip(ndimage.zoom(rng.random((24, 25)) * 255, 8, order=3), 0, 255)
    second = np.clip(first + 20 * rng.standard_normal(first.shape), 0, 255)
    product, one, other, weights = 1.0, first, second, _gaussian(11, 1.5)
    for level, power in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        whole = _similarity(one, other, 11, weights, 6.5025, 58.5225)
        mean_a, mean_b, _ = _moments(one, other, 11, weights)
        luminance = (2 * mean_a * mean_b + 6.5025) / (mean_a**2 + mean_b**2 + 6.5025)
        product *= (whole if level == 4 else whole / luminance).mean() ** power
        one, other = (image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2] for image in (one, other))
        one, other = ((i[::2, ::2] + i[1::2, ::2] + i[::2, 1::2] + i[1::2, 1::2]) / 4 for i in (one, other))
    found = evaluate([first, first], second, data_range=255, metrics="ms_ssim")
    assert found["ms_ssim"] == pytest.approx(product, abs=1e-5)


def _fidelity_parts(source, fused):
    for scale in range(4):
        size = 2 ** (4 - scale) + 1
        weights = _gaussian(size, size / 5)
        if scale:
            kernel = weights.reshape(size, size)
            source, fused = (signal.convolve2d(image, kernel, "valid")[::2, ::2] for image in (source, fused))
        covariance = _moments(source, fused, size, weights)[2]
        variance, other = (_moments(image, image, size, weights)[2] for image in (source, fused))
        gain = np.maximum(covariance / variance, 0)
        yield gain, variance, np.maximum(other - gain * covariance, 0)


def test_visual_fidelity_equals_its_definition(found):
    each = []
    for source in (A, B):
        parts = list(_fidelity_parts(source, F))
        told = sum(np.log(1 + g**2 * v / (rest + 2)).sum() for g, v, rest in parts)
        each.append(told / sum(np.log(1 + v / 2).sum() for _, v, _ in parts))
    assert found["vif"] == pytest.approx(sum(each), rel=1e-4)
    assert found["vif_w"] == pytest.approx(min(each), rel=1e-4)


def test_the_fusion_fidelity_takes_the_source_with_the_smaller_gain(found):
    total = 0
    for weight, one, other in zip((1, 0, 0.15, 1), _fidelity_parts(A, F), _fidelity_parts(B, F)):
        first = (one[0] < other[0]) | ((one[0] == other[0]) & (one[1] > other[1]))
        gain, variance, rest = (np.where(first, a, b) for a, b in zip(one, other))
        told = np.log(1 + gain**2 * variance / (rest + 325.125)).sum()
        total += weight / 2.15 * told / np.log(1 + variance / 325.125).sum()
    assert found["viff"] == pytest.approx(total, rel=1e-4)


def _piella(sources, fused):
    weights, local, variances = np.full(64, 1 / 64), [], []
    for source in sources:
        local.append(_similarity(source, fused, 8, weights, 0, 0))
        variances.append(_moments(source, source, 8, weights)[2])
    shares = np.array(variances) / np.sum(variances, axis=0)
    mixed, weight = (shares * local).sum(axis=0), np.max(variances, axis=0)
    return mixed.mean(), (mixed * weight).sum() / weight.sum()


def test_piellas_indices_equal_their_definition(found):
    plain, weighted = _piella((A, B), F)
    _, edges = _piella([_edges(image)[0] for image in (A, B)], _edges(F)[0])
    assert found["q_piella"] == pytest.approx(plain)
    assert found["q_w"] == pytest.approx(weighted)
    assert found["q_e"] == pytest.approx(weighted * edges)


def test_yangs_index_equals_its_definition(found):
    weights = _gaussian(7, 1.5)
    own = [_similarity(s, F, 7, weights, 2e-16, 2e-16) for s in (A, B)]
    variances = np.array([_moments(s, s, 7, weights)[2] for s in (A, B)])
    shared = (variances / variances.sum(axis=0) * own).sum(axis=0)
    alike = _similarity(A, B, 7, weights, 2e-16, 2e-16) >= 0.75
    assert found["q_y"] == pytest.approx(np.where(alike, shared, np.max(own, axis=0)).mean())


def _sensitivity(image, divisor, response):
    height, width = image.shape
    y, x = np.fft.fftfreq(height) * 2 * height / divisor, np.fft.fftfreq(width) * 2 * width / divisor
    return np.fft.ifft2(np.fft.fft2(image) * response(np.hypot(y[:, None], x[None]))).real


def test_the_contrast_metric_equals_its_definition(found):
    def masked(image):
        seen = _sensitivity(image, 30, lambda r: np.exp(-((r / 15.387) ** 2)) - 0.7622 * np.exp(-((r / 1.3456) ** 2)))
        centre, ring = (signal.convolve2d(seen, _gaussian(31, s).reshape(31, 31), "same") for s in (2, 4))
        contrast = np.abs(centre / ring - 1)
        return contrast**3 / (contrast**2 + 1e-4)

    a, b, f = map(masked, (A, B, F))
    kept = [np.minimum(one, f) / np.maximum(one, f) for one in (a, b)]
    assert found["q_cb"] == pytest.approx(((a**2 * kept[0] + b**2 * kept[1]) / (a**2 + b**2)).mean(), rel=1e-6)


def test_the_regional_error_equals_its_definition(found):
    error, total = 0, 0
    for source in (A, B):
        edges = np.pad(_edges(source)[0], 1) ** 5
        seen = _sensitivity(
            source - F, 8, lambda r: np.exp(-((r / 97.3227) ** 2)) - 0.685 * np.exp(-((r / 12.1653) ** 2))
        )
        for y in range(0, SIDE[0] - 15, 16):
            for x in range(0, SIDE[1] - 15, 16):
                block = slice(y, y + 16), slice(x, x + 16)
                error += edges[block].sum() * (seen[block] ** 2).mean()
                total += edges[block].sum()
    assert found["q_cv"] == pytest.approx(error / total, rel=1e-6)


def _window_information(first, second):
    """Normalised mutual information of one pair of windows, place by place."""
    p, q = (window - window.min() for window in (first, second))
    p, q = (np.ones(9) / 9 if window.max() == 0 else window / window.sum() for window in (p, q))
    if (first == second).all():
        return 1.0
    cumulated_p, cumulated_q = np.cumsum(p), np.cumsum(q)
    correlation = np.corrcoef(p, q)[0, 1] if p.std() * q.std() > 0 else 0.0
    independent = np.outer(cumulated_p, cumulated_q)
    if correlation >= 0:
        bound = np.minimum.outer(cumulated_p, cumulated_q)
    else:
        bound = np.maximum(np.add.outer(cumulated_p, cumulated_q) - 1, 0)
    places = np.arange(9)
    deviations = [np.sqrt((d * places**2).sum() - (d * places).sum() ** 2) for d in (p, q)]
    limit = (bound - independent).sum() / (deviations[0] * deviations[1])
    share = np.clip(correlation / limit, 0, 1) if abs(limit) > 1e-9 else 0
    joint = np.diff(np.diff(np.pad(share * bound + (1 - share) * independent, ((1, 0), (1, 0))), axis=0), axis=1)
    h_p, h_q, h = (stats.entropy(np.clip(d, 0, None).ravel(), base=2) for d in (p, q, joint))
    return 2 * (h_p + h_q - h) / (h_p + h_q)


@pytest.mark.parametrize("name", ["pixel", "gradient", "dct"])
def test_feature_information_equals_a_loop_over_windows(name):
    a, b, f = (image[:14, :16] for image in (A, B, F))
    feature = {"pixel": lambda i: i, "gradient": lambda i: _edges(i)[0], "dct": lambda i: fft.dctn(i, norm="ortho")}[
        name
    ]
    values = []
    for source in (a, b):
        one, other = (sliding_window_view(feature(image), (3, 3)) for image in (source, f))
        pairs = zip(one.transpose(0, 1, 3, 2).reshape(-1, 9), other.transpose(0, 1, 3, 2).reshape(-1, 9))
        values.append(np.mean([_window_information(x, y) for x, y in pairs]))
    found = evaluate([a, b], f, data_range=255, metrics=f"fmi_{name}")
    assert found[f"fmi_{name}"] == pytest.approx(np.mean(values), abs=2e-3)


def test_phase_congruency_ignores_contrast_and_finds_the_step():
    import torch

    from MedFusionLib.metrics.phase_congruency import phase_congruency

    step = torch.zeros(1, 64, 64, dtype=torch.float64)
    step[:, :, 32:] = 100
    total, largest, smallest = phase_congruency(step)
    row = largest[0, 32, 12:52]
    assert int(row.argmax()) + 12 in (31, 32)
    assert (largest >= smallest).all()
    assert torch.allclose(phase_congruency(2 * step)[0], total, atol=1e-3)
