"""Palettes are found from pictures, and what is none is refused."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage
from skimage import data

from MedFusionLib.cli import main
from MedFusionLib.colour import LUMA_WEIGHTS
from MedFusionLib.palette import find_palette, find_palettes, matching

RAINBOW = [(0, 0, 0), (0, 0, 128), (0, 80, 255), (255, 255, 0), (255, 0, 0), (255, 0, 255)]
HOT = [(0, 0, 0), (130, 0, 0), (255, 120, 0), (255, 255, 255)]
POSITIONS = {"rainbow": (0, 0.12, 0.25, 0.5, 0.75, 1), "hot": (0, 0.35, 0.7, 1)}
STOPS = {"rainbow": RAINBOW, "hot": HOT}


def table(name, count=128):
    where = np.linspace(0, 1, count)
    channels = [np.interp(where, POSITIONS[name], [stop[c] for stop in STOPS[name]]) for c in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def smooth_scalar(seed, side=96):
    """A smooth blob on black that reaches 1."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), 6)
    rows, columns = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    blob = np.clip(1.1 - rows**2 - columns**2, 0, None) * (1 + 4 * noise)
    return np.clip(blob / blob.max(), 0, 1)


def painted(scalar, colours):
    return colours[np.rint(scalar * (len(colours) - 1)).astype(int)]


@pytest.mark.parametrize("name", STOPS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_a_painted_scalar_comes_back(name, seed):
    scalars = [smooth_scalar(seed), smooth_scalar(seed + 1)]
    pictures = [painted(scalar, table(name)) for scalar in scalars]
    palette = find_palette(pictures)
    assert palette is not None
    for scalar, picture in zip(scalars, pictures):
        assert np.corrcoef(palette.to_scalar(picture).ravel(), scalar.ravel())[0, 1] > 0.999
        assert np.abs(palette.to_scalar(picture) - scalar).max() < 0.04
        assert np.abs(palette.to_colour(palette.to_scalar(picture)) * 255 - picture).max() < 1


def test_the_hottest_is_the_brightest_though_its_colour_is_darker():
    scalar = smooth_scalar(3)
    picture = painted(scalar, table("rainbow"))
    found = find_palette([picture]).to_scalar(picture)
    hottest, below = scalar > 0.9, (scalar > 0.45) & (scalar < 0.55)
    luma = picture @ LUMA_WEIGHTS
    assert luma[hottest].mean() < luma[below].mean()
    assert found[hottest].min() > found[below].max()


def test_two_palettes_in_one_folder_are_kept_apart():
    pictures = [painted(smooth_scalar(n), table(name)) for n, name in enumerate(("hot", "rainbow", "hot", "rainbow"))]
    found = find_palettes(pictures)
    assert found[0] is found[2] and found[1] is found[3] and found[0] is not found[1]
    assert matching([found[0], found[1]], pictures[3]) is found[1]


@pytest.mark.parametrize("picture", ["photograph", "grey", "few", "noise"])
def test_what_is_no_palette_is_refused(picture):
    rng = np.random.default_rng(0)
    pictures = {
        "photograph": data.astronaut()[100:300, 100:300],
        "grey": np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2),
        "few": painted(smooth_scalar(0), table("rainbow", 5)),
        "noise": table("rainbow")[rng.integers(0, 128, (64, 64))],
    }
    assert find_palette([pictures[picture]]) is None
    assert matching([], pictures[picture]) is None


def test_a_folder_is_fused_by_the_scalar_behind_its_palette(tmp_path, capsys):
    for side in ("mr", "pet"):
        (tmp_path / side).mkdir()
    for number in range(3):
        scalar = smooth_scalar(number)
        Image.fromarray(painted(scalar, table("rainbow"))).save(tmp_path / f"pet/{number}.png")
        Image.fromarray(np.zeros((96, 96), np.uint8)).save(tmp_path / f"mr/{number}.png")
    places = ["--first", tmp_path / "mr", "--second", tmp_path / "pet", "--out", tmp_path / "out"]
    assert main([*map(str, ["fuse-folder", *places, "--method", "maximum", "--json"])]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["palette"]["second"]["pictures"] == 3 and document["palette"]["second"]["luminance"] == []
    fused = np.asarray(Image.open(tmp_path / "out/0_y.png")) / 255
    assert np.abs(fused - smooth_scalar(0)).max() < 0.05
    coloured, before = (np.asarray(Image.open(tmp_path / name)).astype(int) for name in ("out/0.png", "pet/0.png"))
    assert np.abs(coloured - before).max() <= 1, "what is fused with black keeps its colours"


def test_the_palettes_of_real_pictures_are_found(data_folder):
    for folder, top in (("pet_mri/pet", (255, 0, 255)), ("spect_mri/spect", (255, 222, 255))):
        names = sorted((data_folder / "aanlib2d" / folder).glob("*.png"))[::12]
        pictures = [np.asarray(Image.open(name).convert("RGB")) for name in names]
        found = find_palettes(pictures)
        assert all(palette is not None for palette in found)
        assert any(tuple(palette.colours[-1]) == top for palette in found)
