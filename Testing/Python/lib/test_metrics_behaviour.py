"""What metrics do with volumes, several sources, degenerate images and bad input."""

import math

import nibabel
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_cuda import fake_cuda
from MedFusionLib import units
from MedFusionLib.errors import UsageError
from MedFusionLib.metrics import evaluate
from MedFusionLib.volume import Geometry, Volume


def _images(seed, count=3, shape=(32, 32)):
    return list(np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31))
def test_the_order_of_the_sources_does_not_matter(seed):
    first, second, fused = _images(seed)
    assert evaluate([first, second], fused) == pytest.approx(evaluate([second, first], fused), rel=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31))
def test_mutual_information_ignores_a_relabelling_of_the_grey_levels(seed):
    first, second, fused = _images(seed)
    table = np.random.default_rng(seed + 1).permutation(256).astype(np.uint8)
    before, after = evaluate([first, second], fused), evaluate([table[first], second], table[fused])
    assert after["mi"] == pytest.approx(before["mi"])
    assert after["en"] == pytest.approx(before["en"])


def test_one_slice_of_a_volume_gives_the_same_as_the_image():
    first, second, fused = _images(1)
    flat = evaluate([first, second], fused)
    assert evaluate([first[None], second[None]], fused[None]) == flat


def test_slice_metrics_are_the_mean_of_the_slices_and_histograms_take_the_volume():
    first, second, fused = _images(2, shape=(3, 32, 32))
    whole = evaluate([first, second], fused)
    each = [evaluate([first[k], second[k]], fused[k]) for k in range(3)]
    for name in ("sf", "ag", "ssim", "qabf"):
        assert whole[name] == pytest.approx(np.mean([one[name] for one in each]), rel=1e-6)
    assert whole["en"] > max(one["en"] for one in each)


def test_slices_without_any_foreground_do_not_dilute_the_mean():
    first, second, fused = _images(3, shape=(1, 32, 32))
    empty = np.zeros((4, 32, 32), np.uint8)
    padded = evaluate([np.vstack([empty, first]), np.vstack([empty, second])], np.vstack([empty, fused]))
    alone = evaluate([first, second], fused)
    for name in ("sf", "ag", "ssim", "qabf"):
        assert padded[name] == pytest.approx(alone[name], rel=1e-6)


def test_many_slices_in_chunks_equal_few():
    first, second, fused = _images(4, shape=(40, 128, 128))
    whole = evaluate([first, second], fused)
    halves = [evaluate([first[part], second[part]], fused[part]) for part in (slice(0, 20), slice(20, 40))]
    assert whole["qabf"] == pytest.approx(np.mean([half["qabf"] for half in halves]), rel=1e-6)


def test_a_third_source_adds_information_and_is_averaged_in_similarity():
    first, second, third, fused = _images(5, count=4)
    three = evaluate([first, second, third], fused)
    pairs = [evaluate([source, source], fused) for source in (first, second, third)]
    assert three["mi"] == pytest.approx(sum(pair["mi"] / 2 for pair in pairs))
    assert three["ssim"] == pytest.approx(np.mean([pair["ssim"] for pair in pairs]), rel=1e-5)


def test_a_fusion_index_counts_as_grey_levels_of_a_picture():
    first, second, fused = _images(6)
    scaled = [image.astype(np.float32) / 255 for image in (first, second, fused)]
    assert evaluate(scaled[:2], scaled[2]) == pytest.approx(evaluate([first, second], fused), rel=1e-4)


def test_a_volume_in_hounsfield_units_is_mapped_by_its_window():
    geometry = Geometry((2, 32, 32), np.eye(4))
    values = np.linspace(-1000, 1000, 2048, dtype=np.float32).reshape(2, 32, 32)
    scan = Volume(values, geometry, "CT", units.HOUNSFIELD)
    fused = Volume(np.clip((values + 160) / 400, 0, 1), geometry, "OT", units.FUSION_INDEX)
    assert evaluate([scan, scan], fused)["ssim"] == pytest.approx(1, abs=1e-5)


def test_without_any_gradient_edge_preservation_is_undefined():
    flat = np.full((32, 32), 90, np.uint8)
    found = evaluate([flat, flat], flat)
    assert math.isnan(found["qabf"])
    assert found["en"] == 0 and found["sd"] == 0 and found["ssim"] == pytest.approx(1)


def test_an_image_smaller_than_the_window_has_no_ssim_but_the_rest():
    found = evaluate(_images(7, 2, (8, 8)), _images(8, 1, (8, 8))[0])
    assert math.isnan(found["ssim"])
    assert 0 < found["qabf"] < 1


def test_a_single_row_of_voxels_has_histogram_metrics_only():
    line = np.arange(64, dtype=np.uint8)[None]
    found = evaluate([line, line], line)
    assert found["en"] == pytest.approx(6)
    assert math.isnan(found["sf"]) and math.isnan(found["qabf"])


def test_one_source_is_refused():
    with pytest.raises(UsageError, match="at least two sources"):
        evaluate(_images(1, 1), _images(1, 1)[0])


def test_different_grids_are_refused_with_their_shapes():
    with pytest.raises(UsageError, match=r"\(1, 32, 32\), \(1, 32, 16\)"):
        evaluate([np.zeros((32, 32)), np.zeros((32, 16))], np.zeros((32, 32)))


@pytest.mark.parametrize("value", [1.5, -0.2, np.nan, np.inf])
def test_values_off_the_declared_range_are_refused(value):
    image = np.full((32, 32), 0.5)
    image[3, 4] = value
    with pytest.raises(UsageError, match="0 to 1"):
        evaluate([image, image], np.full((32, 32), 0.5))


def test_colour_is_refused():
    with pytest.raises(UsageError, match=r"\(H, W\)"):
        evaluate([np.zeros((2, 8, 8, 3)), np.zeros((2, 8, 8, 3))], np.zeros((2, 8, 8, 3)))


def test_the_tensor_metrics_run_on_a_pretended_gpu_without_fetching_values():
    from MedFusionLib.metrics.edge_preservation import edge_preservation
    from MedFusionLib.metrics.gradient import average_gradient, spatial_frequency
    from MedFusionLib.metrics.similarity import structural_similarity

    with fake_cuda():
        first, second = torch.rand(2, 4, 64, 64, device="cuda").unbind()
        results = [
            edge_preservation([first, second], first),
            structural_similarity(first, second),
            average_gradient(first),
            spatial_frequency(first),
        ]
        assert all(result.device.type == "cuda" and result.shape == (4,) for result in results)


def test_the_joint_histogram_runs_on_a_pretended_gpu():
    from MedFusionLib.metrics.histogram import grey_levels, joint_counts

    with fake_cuda(dynamic_shapes=True):
        levels = grey_levels(torch.rand(3, 32, 32, device="cuda") * 255)
        assert joint_counts(levels, levels).device.type == "cuda"


def test_maximum_beats_average_on_real_slices_as_published(data_folder):
    names = sorted(path.name for path in (data_folder / "aanlib2d" / "ct_mri" / "ct").glob("*.png"))[5::12]
    found = {"average": [], "maximum": []}
    for name in names:
        first, second = (_picture(data_folder / "aanlib2d" / "ct_mri" / kind / name) for kind in ("ct", "mri"))
        mean = (first.astype(np.float32) + second) / 2
        found["average"].append(evaluate([first, second], mean, data_range=255))
        found["maximum"].append(evaluate([first, second], np.maximum(first, second)))
    for metric in ("sd", "sf", "mi", "qabf"):
        average, maximum = (np.mean([one[metric] for one in found[rule]]) for rule in ("average", "maximum"))
        assert maximum > average, metric


def test_the_source_itself_scores_best_on_a_real_brain(data_folder):
    volumes = [_brain(data_folder, name) for name in ("t1", "flair")]
    itself = evaluate(volumes, volumes[0])
    blurred = evaluate(volumes, (volumes[0] + np.roll(volumes[0], 3, axis=2)) / 2)
    assert itself["qabf"] > blurred["qabf"]
    assert itself["ssim"] > blurred["ssim"]
    assert itself["mi"] > blurred["mi"]


def _picture(path):
    from PIL import Image

    return np.asarray(Image.open(path).convert("L"))


def _brain(folder, name):
    values = np.asarray(nibabel.load(folder / "lgg_du7294" / f"{name}.nii.gz").dataobj, np.float32).T[60:80]
    return np.clip(values / np.percentile(values, 99.5), 0, 1)
