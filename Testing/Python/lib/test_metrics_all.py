"""All metrics together: identical images, constants, an empty source, order, three sources, masks, slabs."""

import math
import sys
import threading

import numpy as np
import pytest
from scipy import ndimage

from fake_cuda import fake_cuda
from MedFusionLib.errors import Cancelled, UsageError
from MedFusionLib.interrupt import stoppable
from MedFusionLib.metrics import METRICS, evaluate

ROLES = ("anatomical", "functional")
PERFECT = {
    "cc": 1, "ssim": 1, "ssim_w": 1, "ssim_legacy": 2, "ms_ssim": 1, "vif": 2, "vif_w": 1, "viff": 1, "q_mi": 2,
    "nmi": 2, "nmi_joint": 2, "fmi_pixel": 1, "fmi_gradient": 1, "fmi_dct": 1, "fmi_wavelet": 1, "q_p": 1,
    "q_piella": 1, "q_w": 1, "q_e": 1, "q_y": 1, "q_cb": 1, "q_cv": 0, "mse": 0, "rmse": 0, "psnr": math.inf,
    "nabf": 0, "nabf_legacy": 0, "qabf": 0.9748, "func": 1, "flevel": 1, "anat": 1, "clin": 1, "invent": 0,
}  # fmt: skip


def _brains(seed=0, shape=(176, 184), count=3):
    """Smooth texture on an ellipse with an empty background, 0..255."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : shape[-2] * 1j, -1 : 1 : shape[-1] * 1j]
    head = (y / 0.8) ** 2 + (x / 0.7) ** 2 < 1
    images = []
    for _ in range(count):
        noise = rng.standard_normal(shape)
        texture = ndimage.gaussian_filter(noise, (0,) * (len(shape) - 2) + (3, 3)) * 8 + 0.1 * noise
        images.append(np.where(head, np.clip(130 + 50 * texture, 5, 250), 0).round())
    return images


@pytest.fixture(scope="module")
def brains():
    return _brains()


@pytest.fixture(scope="module")
def measured(brains):
    first, second, _ = brains
    return evaluate([first, second], np.maximum(first, second), data_range=255, metrics="all", roles=ROLES)


def test_identical_images_reach_the_best_value_of_every_metric(brains):
    image = brains[0]
    found = evaluate([image, image], image, data_range=255, metrics="all", roles=ROLES)
    for name, best in PERFECT.items():
        assert found[name] == pytest.approx(best, abs=2e-4), name


def test_values_lie_in_the_range_that_the_registry_states(measured):
    for info in METRICS:
        low, high = info.span.replace("about ", "").replace("8 S", "16").replace("5.55 S", "11.1").split(" to ")
        low, high = (float(text.replace("S", "2")) for text in (low, high))
        if not math.isnan(measured[info.name]):
            assert low - 1e-6 <= measured[info.name] <= high + 1e-6, info.name


def test_the_order_of_the_sources_does_not_matter_to_any_metric(brains, measured):
    first, second, _ = brains
    swapped = evaluate([second, first], np.maximum(first, second), data_range=255, metrics="all", roles=ROLES[::-1])
    assert swapped == pytest.approx(measured, rel=1e-5, abs=1e-7, nan_ok=True)


def test_a_constant_fused_image_is_undefined_where_it_should_be(brains):
    first, second, _ = brains
    found = evaluate([first, second], np.full_like(first, 90), data_range=255, metrics="all", roles=ROLES)
    assert [name for name in ("cc", "func", "anat", "clin") if not math.isnan(found[name])] == []
    assert found["sd"] == found["en"] == found["mi"] == found["vif"] == found["q_p"] == 0
    assert found["bg"] == 90
    assert found["invent"] > 0.3


def test_an_empty_source_gives_no_infinite_and_no_invented_figures(brains):
    first, *_ = brains
    found = evaluate([first, np.zeros_like(first)], first, data_range=255, metrics="all", roles=ROLES)
    assert not any(math.isinf(value) for value in found.values())
    assert math.isnan(found["vif"]) and math.isnan(found["func"]) and math.isnan(found["cc"])
    assert found["qabf"] == pytest.approx(0.9748, abs=1e-4)
    assert found["nabf"] == 0


def test_three_sources_are_taken_by_every_metric(brains):
    found = evaluate(brains, np.mean(brains, axis=0), data_range=255, metrics="all", roles=(*ROLES, "functional"))
    assert [name for name, value in found.items() if math.isnan(value)] == ["flicker"]


def test_a_copy_of_one_source_is_unmasked_by_the_worse_source(brains):
    first, second, _ = brains
    found = evaluate([first, second], first, data_range=255, metrics=("q_mi", "nabf", "vif_w", "clin"), roles=ROLES)
    assert found["q_mi"] > 1 and found["nabf"] == 0
    assert found["vif_w"] < 0.3
    assert found["clin"] < 0.8


def test_background_that_is_lifted_shows_in_bg_and_invention(brains):
    first, second, _ = brains
    top = np.maximum(first, second)
    lifted = evaluate([first, second], np.where(top == 0, 20, top), data_range=255, metrics=("bg", "invent"))
    assert lifted["bg"] == pytest.approx(20)
    spots = top.copy()
    spots[88, 60:80] = 255
    assert evaluate([first, second], spots, data_range=255, metrics="invent")["invent"] > 0


def test_the_top_decile_is_that_of_the_functional_source(brains):
    first, second, _ = brains
    fused = (first + second) / 2
    hot = (second >= np.percentile(second, 90)) & (second > 2)
    collar = ndimage.binary_dilation(hot, np.ones((7, 7)))
    found = evaluate([first, second], fused, data_range=255, metrics=("func", "flevel"), roles=ROLES)
    assert found["func"] == pytest.approx(np.corrcoef(fused[collar], second[collar])[0, 1], abs=1e-6)
    assert found["flevel"] == pytest.approx(fused[hot].mean() / second[hot].mean(), rel=1e-5)


def test_anatomical_detail_is_taken_where_the_functional_source_is_quiet(brains):
    first, second, _ = brains
    fused = np.maximum(first, second)

    def edges(image):
        return np.hypot(ndimage.sobel(image, 0, mode="nearest"), ndimage.sobel(image, 1, mode="nearest"))

    energy = ndimage.uniform_filter(edges(second) ** 2, 7, mode="nearest")
    head = np.maximum(first, second) > 2
    quiet = head & (energy <= np.median(energy[head]))
    expected = np.corrcoef(edges(fused)[quiet], edges(first)[quiet])[0, 1]
    found = evaluate([first, second], fused, data_range=255, metrics="anat", roles=ROLES)
    assert found["anat"] == pytest.approx(expected, abs=1e-3)


def test_roles_are_needed_by_some_and_without_them_the_sets_leave_those_out(brains):
    first, second, _ = brains
    small = [image[40:80, 40:80] for image in (first, second)]
    assert "func" not in evaluate(small, small[0], data_range=255)
    assert math.isnan(evaluate(small, small[0], data_range=255, metrics="func")["func"])
    assert {"func", "anat", "clin"} <= set(evaluate(small, small[0], data_range=255, roles=ROLES))


def test_flicker_counts_only_what_no_source_shows():
    still = np.full((4, 12, 12), 100.0)
    blinking = still.copy()
    blinking[1::2] += 10
    assert evaluate([still, still], blinking, data_range=255, metrics="flicker")["flicker"] == pytest.approx(10)
    assert evaluate([still, blinking], blinking, data_range=255, metrics="flicker")["flicker"] == 0
    assert math.isnan(evaluate([still[0]] * 2, still[0], data_range=255, metrics="flicker")["flicker"])


def test_many_small_slabs_give_the_same_as_one(monkeypatch):
    first, second, fused = _brains(3, (5, 64, 60))
    kinds = [i.name for i in METRICS if i.way == "whole"]
    whole = evaluate([first, second], fused, data_range=255, metrics=kinds, roles=ROLES)
    monkeypatch.setattr(sys.modules["MedFusionLib.metrics.evaluate"], "_CHUNK_SAMPLES", 1)
    parts = evaluate([first, second], fused, data_range=255, metrics=kinds, roles=ROLES)
    assert parts == pytest.approx(whole, rel=1e-5, nan_ok=True)


def test_a_mask_makes_the_rest_of_the_image_irrelevant(brains):
    first, second, _ = brains
    fused = np.maximum(first, second)
    mask = np.zeros(first.shape, bool)
    mask[50:130, 50:130] = True
    # gradients and windows reach over the border of the mask by at most eight samples
    far = ~ndimage.binary_dilation(mask, np.ones((19, 19)))
    changed = np.where(far, 33, fused)
    names = [info.name for info in METRICS]
    before = evaluate([first, second], fused, data_range=255, metrics=names, roles=ROLES, mask=mask)
    after = evaluate([first, second], changed, data_range=255, metrics=names, roles=ROLES, mask=mask)
    for name in names:
        assert after[name] == pytest.approx(before[name], rel=1e-5, abs=1e-6, nan_ok=True), name


def test_the_automatic_mask_keeps_the_background_out(brains):
    first, second, _ = brains
    fused = np.maximum(first, second)
    found = evaluate([first, second], fused, data_range=255, metrics=("en", "sd"), mask="auto")
    inside = fused[fused > 2]
    assert found["sd"] == pytest.approx(inside.std())
    counts = np.bincount(inside.astype(int)) / inside.size
    assert found["en"] == pytest.approx(-(counts[counts > 0] * np.log2(counts[counts > 0])).sum())


@pytest.mark.parametrize(
    "options, words",
    [
        ({"metrics": "sharpness"}, "sharpness"),
        ({"metrics": ()}, "No metric"),
        ({"roles": ("functional",)}, "Roles"),
        ({"mask": np.zeros((8, 8))}, "empty mask"),
        ({"mask": np.ones((8, 9))}, "mask of shape"),
        ({"mask": "head"}, "auto"),
        ({"data_range": 0}, "data range"),
    ],
)
def test_wrong_options_are_refused_by_name(options, words):
    image = np.ones((8, 8))
    with pytest.raises(UsageError, match=words):
        evaluate([image, image], image, **{"data_range": 1, **options})


def test_a_stop_between_slabs_ends_the_work():
    stop = threading.Event()
    stop.set()
    image = np.zeros((8, 8))
    with stoppable(stop), pytest.raises(Cancelled):
        evaluate([image, image], image)


def test_tensors_are_taken_as_they_are(brains):
    import torch

    first, second, fused = (torch.from_numpy(image) for image in brains)
    assert evaluate([first, second], fused, data_range=255) == evaluate(brains[:2], brains[2], data_range=255)


def test_all_slice_metrics_run_on_a_pretended_gpu_without_fetching_values():
    import torch

    from MedFusionLib.metrics.measures import SLICE_MEASURES
    from MedFusionLib.metrics.slab import Slab

    with fake_cuda():
        first, second, fused = (torch.rand(3, 2, 180, 184, device="cuda") * 255).unbind()
        slab = Slab([first, second], fused, fused > 20, ROLES)
        for measure in SLICE_MEASURES:
            for name, values in measure(slab).items():
                assert values.device.type == "cuda" and values.shape == (2,), name


def test_what_gathers_over_the_volume_keeps_to_the_device_of_the_images():
    import torch

    from MedFusionLib.metrics import faithfulness
    from MedFusionLib.metrics.histogram import Information
    from MedFusionLib.metrics.slab import Slab
    from MedFusionLib.metrics.statistics import Moments

    with fake_cuda(dynamic_shapes=True):
        first, second, fused = (torch.rand(3, 2, 40, 44, device="cuda") * 255).unbind()
        slab = Slab([first, second], fused, None, ROLES)
        gathering = [Information({"ncie"}), Moments(set()), faithfulness.Function([120.0]), faithfulness.TopDecile()]
        for gatherer in gathering:
            gatherer.add(slab)
            gatherer.add(slab)
        assert gathering[0].counts[0, 2].device.type == "cuda"
