"""Every method of the catalogue, without exception."""

import itertools

import numpy as np
import pytest
import torch
from scipy import ndimage

import MedFusionLib
from fake_cuda import fake_cuda
from MedFusionLib.engine import EngineOptions, run
from MedFusionLib.errors import UsageError
from MedFusionLib.intensity import default_window, normalise
from MedFusionLib.methods.base import Local
from MedFusionLib.methods.catalogue import DEFAULTS, create_method, default_for, default_pairs, methods
from MedFusionLib.methods.rules.named import RULES
from MedFusionLib.tiling import plan_tiles
from phantoms import head_pair, noise_stack
from quick_methods import quick

NAMES = [info.name for info in methods()]
DIMS = {"slice": 2, "volume": 3}
LAYOUTS = {"slice": (3, 2, 37, 41), "volume": (1, 2, 12, 31, 20)}
INFOS = {info.name: info for info in methods()}
CASES = [(info.name, mode) for info in methods() for mode in LAYOUTS if DIMS[mode] in info.dims]
SYMMETRIC = [(name, mode) for name, mode in CASES if INFOS[name].is_symmetric]
MODES = {info.name: "volume" if 3 in info.dims else "slice" for info in methods()}
SPACING = {"slice": (1.0, 1.0), "volume": (1.0, 1.0, 1.0)}


def sources_for(mode, count=2, seed=0):
    shape = list(LAYOUTS[mode])
    shape[1] = count
    return torch.from_numpy(
        noise_stack(tuple(shape), seed) if mode == "slice" else noise_stack(tuple(shape[1:]), seed)[None]
    )


def fused(name, sources, mode, **options):
    return quick(name).fit(sources, SPACING[mode]).fuse(sources, **options)


def phantom_stack():
    return np.stack([normalise(volume, default_window(volume)) for volume in head_pair()])


EXACT = [(name, mode) for name, mode in CASES if INFOS[name].identity_psnr is None]
REBUILT = [(name, mode) for name, mode in CASES if INFOS[name].identity_psnr is not None]


@pytest.mark.parametrize("name, mode", EXACT)
def test_identical_sources_give_the_source_back(name, mode):
    one = sources_for(mode)[:, :1]
    if INFOS[name].denoises:
        one = (one > 0.5).to(one.dtype).repeat_interleave(4, dim=-1).repeat_interleave(4, dim=-2)
    for count in (2, 3):
        same = one.expand(-1, count, *one.shape[2:]).contiguous()
        assert (fused(name, same, mode).image - one[:, 0]).abs().max() < 1e-5


@pytest.mark.parametrize("name, mode", REBUILT)
def test_identical_sources_come_back_within_the_stated_bound(name, mode):
    for volume in phantom_stack():
        same = np.stack([volume, volume])
        error = run(quick(name), same, options=EngineOptions(mode)).fused - volume
        assert -10 * np.log10(np.mean(error**2)) > INFOS[name].identity_psnr


@pytest.mark.parametrize("name, mode", CASES)
def test_the_parts_of_the_sources_add_up_to_the_fused_image(name, mode):
    for count in (2, 3):
        result = fused(name, sources_for(mode, count), mode, with_parts=True)
        assert result.parts.shape[1] == count
        assert (result.parts.sum(dim=1) - result.image).abs().max() < 2e-6


@pytest.mark.parametrize("name, mode", CASES)
def test_asking_for_parts_does_not_change_the_image(name, mode):
    sources = sources_for(mode)
    assert torch.equal(fused(name, sources, mode).image, fused(name, sources, mode, with_parts=True).image)


@pytest.mark.parametrize("name, mode", SYMMETRIC)
def test_swapping_the_sources_of_a_symmetric_method_changes_nothing(name, mode):
    for count in (2, 3):
        sources = sources_for(mode, count)
        swapped = fused(name, sources.flip(1), mode).image
        assert (fused(name, sources, mode).image - swapped).abs().max() < 1e-5


@pytest.mark.parametrize("name, mode", CASES)
def test_constant_sources_give_a_constant_between_them(name, mode):
    sources = sources_for(mode) * 0 + torch.tensor([0.2, 0.6]).reshape(1, 2, *[1] * (len(LAYOUTS[mode]) - 2))
    image = fused(name, sources, mode).image
    # a network rebuilds values only nearly, and sees black beyond the border
    is_exact = INFOS[name].identity_psnr is None and not INFOS[name].family.endswith("networks")
    slack = 1e-5 if is_exact else 0.1
    assert image.max() - image.min() < slack
    assert 0.2 - slack <= image.mean() <= 0.6 + slack


def tiled_shape(mode, halo):
    """Of sources (S, K, J, I) that are wider than what a tile reads beyond its core."""
    side = max(70, 3 * max(halo) + 48)
    return (2, 1, side, side + 7) if mode == "slice" else (2, side, 36, 20)


def budget_for_tiles(name, mode, stack, support):
    """The most bytes with which the engine cuts every slice, or the volume, into three tiles if it can."""
    spatial = stack.shape[2:] if mode == "slice" else stack.shape[1:]
    samples = int(np.prod(spatial))
    while samples > 1 and len(plan_tiles(spatial, support, samples)) < 3:
        samples //= 2
    return int(np.ceil(4 * len(stack) * INFOS[name].memory_factor_in(mode) * samples))


@pytest.mark.parametrize("name, mode", CASES)
def test_tiles_of_a_local_method_join_to_the_whole_and_a_global_one_is_left_whole(name, mode):
    wide = torch.rand((1, 2, 300, 300) if mode == "slice" else (1, 2, 130, 36, 20))
    support = quick(name).fit(wide, SPACING[mode]).support
    if isinstance(support, Local):
        stack = noise_stack(tiled_shape(mode, support.halo))
        budget = budget_for_tiles(name, mode, stack, support)
    else:
        stack, budget = noise_stack((2, 3, 60, 50) if mode == "slice" else (2, 40, 40, 20)), 1 << 20
    whole = run(quick(name), stack, options=EngineOptions(mode, with_parts=True))
    tiled = run(quick(name), stack, options=EngineOptions(mode, with_parts=True, memory_bytes=budget))
    if isinstance(support, Local):
        assert tiled.report["pieces"] > max(2, whole.report["pieces"])
    else:
        assert tiled.report["pieces"] <= stack.shape[1]
    assert np.abs(tiled.fused - whole.fused).max() < 1e-6
    assert np.abs(tiled.parts - whole.parts).max() < 1e-6


@pytest.mark.parametrize("name, mode", CASES)
def test_worker_threads_give_the_same_bits_as_one(name, mode):
    stack = noise_stack((2, 6, 40, 44) if mode == "slice" else (2, 24, 40, 44))
    layout = torch.from_numpy(stack.transpose(1, 0, 2, 3) if mode == "slice" else stack[None])
    support = quick(name).fit(layout, SPACING[mode]).support
    # pieces: tiles where the method is local, else two slices at a time
    budget = budget_for_tiles(name, mode, stack, support) if isinstance(support, Local) else stack[:, :2].nbytes
    one, two = (
        run(quick(name), stack, options=EngineOptions(mode, workers=count, with_parts=True, memory_bytes=budget))
        for count in (1, 2)
    )
    few = mode == "volume" or INFOS[name].slices_together > 1  # a wide reach or a group leaves a small input whole
    assert one.report["pieces"] >= 3 or few
    assert np.array_equal(one.fused, two.fused)
    assert np.array_equal(one.parts, two.parts)


@pytest.mark.parametrize("name, mode", CASES)
def test_on_a_pretended_cuda_device_nothing_is_mixed_and_nothing_waits(name, mode):
    method, sources = quick(name), sources_for(mode)[:2]
    fitted = method.fit(sources, SPACING[mode])  # statistics are taken on the host
    with fake_cuda():
        result = fitted.fuse(torch.zeros(sources.shape, device="cuda"), with_parts=True)
        assert result.image.device.type == "cuda"
        assert result.parts.device.type == "cuda"


@pytest.fixture(scope="module")
def phantom_images():
    """The phantom fused by every method, as a volume where the method has that."""
    stack = phantom_stack()
    return {name: run(quick(name), stack, options=EngineOptions(MODES[name])).fused for name in NAMES}


def test_no_two_names_give_the_same_output(phantom_images):
    for first, second in itertools.combinations(NAMES, 2):
        assert np.abs(phantom_images[first] - phantom_images[second]).max() > 1e-3, (first, second)


@pytest.mark.parametrize("name", [info.name for info in methods() if len(info.dims) == 2])
def test_slices_and_volume_of_a_transform_differ_and_of_a_pixel_rule_do_not(name, phantom_images):
    slices = run(create_method(name), phantom_stack(), options=EngineOptions("slice")).fused
    is_pixel_rule = create_method(name).info.family == "pixel rules"
    assert (np.abs(slices - phantom_images[name]).max() < 1e-5) == is_pixel_rule


@pytest.mark.parametrize("name", NAMES)
def test_the_lesion_of_the_phantom_stays_visible_in_every_method(name, phantom_images):
    stack, image = phantom_stack(), phantom_images[name]
    hot = stack[1] > 0.8
    shell = ndimage.binary_dilation(hot, iterations=4) & ~ndimage.binary_dilation(hot) & (stack[0] > 0.5)
    contrast = image[hot].mean() - image[shell].mean()
    if name == "gff":  # takes all from the source with more texture, in which this lesion is dark
        assert contrast < -0.05
    else:
        assert contrast > 0.02


@pytest.mark.parametrize("name", ["fast-two-scale", "vgg16-fast"])
@pytest.mark.parametrize("count", [2, 3])
def test_a_broad_base_leaves_no_veil_and_nothing_beyond_the_sources(name, count):
    sources = torch.zeros(1, 3, 96, 96)
    sources[0, 0, 30:66, 30:66] = 1
    sources[0, 1:, 40:56, 40:56] = 0.5
    sources[0, :, 70:] = torch.from_numpy(noise_stack((3, 26, 96)))
    sources = sources[:, :count]
    found = create_method(name).fit(sources, (1.0, 1.0)).fuse(sources, with_parts=True)
    image = found.image[0].numpy()
    assert (image >= ndimage.minimum_filter(sources[0].amin(dim=0).numpy(), 3)).all()
    assert (image <= ndimage.maximum_filter(sources[0].amax(dim=0).numpy(), 3)).all()
    assert (found.parts.sum(dim=1) - found.image).abs().max() < 1e-5
    assert np.abs(image[:29]).max() == 0


@pytest.mark.parametrize("name", ["l0-nsct-sr", "siamese-l0-nsct-sr"])
def test_a_bright_flat_region_is_not_hidden_by_a_dark_tracer_with_edges(name):
    anatomy, tracer = np.zeros((2, 160, 160), np.float32)
    anatomy[8:-8, 8:-8] = 0.9
    tracer[30:-30, 30:-30] = 0.3
    tracer[60:100, 60:100] = 0.02
    stack = np.stack([anatomy, ndimage.gaussian_filter(tracer, 3)])[:, None]
    image = run(quick(name), stack, options=EngineOptions("slice")).fused[0]
    assert image[8:-8, 8:-8].min() > 0.6


def test_maximum_and_average_are_what_their_names_say():
    stack = noise_stack((2, 4, 9, 8))
    assert np.allclose(run(create_method("average"), stack).fused, stack.mean(axis=0), atol=1e-7)
    assert np.array_equal(run(create_method("maximum"), stack).fused, stack.max(axis=0))


def test_pca_weights_follow_the_variance():
    rng = np.random.default_rng(0)
    shared = rng.random((1, 6, 20, 20), dtype=np.float32)
    stack = np.concatenate([shared, 0.5 * shared])
    image = run(create_method("pca"), stack).fused
    assert np.allclose(image, (2 * stack[0] + stack[1]) / 3, atol=1e-5)


def test_weights_are_checked_and_scaled():
    stack = noise_stack((2, 4, 9, 8))
    assert np.allclose(
        run(create_method("weighted", {"weights": (3, 1)}), stack).fused, 0.75 * stack[0] + 0.25 * stack[1]
    )
    with pytest.raises(UsageError, match="2 numbers"):
        run(create_method("weighted", {"weights": (1, 1, 1)}), stack)
    with pytest.raises(UsageError, match="not negative"):
        run(create_method("weighted", {"weights": (1, -1)}), stack)


def test_a_denoising_method_takes_noise_out_and_leaves_edges():
    clean = np.zeros((2, 3, 64, 64), np.float32)
    clean[0, :, 16:48, 16:48], clean[1, :, 24:40, 24:40] = 0.6, 0.9
    noise = np.random.default_rng(0).normal(0, 20 / 255, clean.shape).astype(np.float32)
    noisy = np.clip(clean + 0.2 + noise, 0, 1)
    mode = EngineOptions("slice")
    wanted = run(create_method("nsct"), np.clip(clean + 0.2, 0, 1), options=mode).fused
    left = run(create_method("nsct-fotgv"), noisy, options=mode).fused - wanted
    before = run(create_method("nsct"), noisy, options=mode).fused - wanted
    assert np.sqrt(np.mean(left**2)) < 0.6 * np.sqrt(np.mean(before**2))


def test_a_rule_is_chosen_by_name():
    stack = noise_stack((2, 4, 40, 44))
    images = [
        run(create_method("nsct", {"detail_rule": rule, "directions": (4, 2)}), stack, options=EngineOptions("slice"))
        for rule in RULES
    ]
    for first, second in itertools.combinations(images, 2):
        assert np.abs(first.fused - second.fused).max() > 1e-3
    with pytest.raises(UsageError, match="phase-congruency"):
        create_method("nsct", {"detail_rule": "magic"})


def test_an_unknown_method_or_parameter_is_refused_with_the_choices():
    with pytest.raises(UsageError, match="laplacian"):
        create_method("magic")
    with pytest.raises(UsageError, match="levels"):
        create_method("laplacian", {"levles": 3})


def test_the_catalogue_is_reached_as_a_function_and_as_a_package():
    assert [info.name for info in MedFusionLib.methods()] == NAMES
    assert len(set(NAMES)) == len(NAMES)
    assert sum(info.flagship for info in methods()) == 1
    assert all(info.sentence and info.citation and info.reproduces for info in methods())


def test_every_pair_of_the_field_has_a_default_in_either_order():
    for pair in ("MR-CT", "MR-NM", "MR-PT", "CT-PT", "CT-NM", "NM-PT"):
        first, second = pair.split("-")
        assert default_for([first, second]) == default_for([second, first]) == DEFAULTS[pair]
        assert pair in default_pairs(DEFAULTS[pair])
