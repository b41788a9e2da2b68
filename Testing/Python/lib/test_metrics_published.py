"""Average and maximum on real brain pairs against the rows that are published for such pairs."""

import numpy as np
import pytest
from PIL import Image

from MedFusionLib.metrics import evaluate

NAMES = ("sd", "sf", "ag", "mi_nats", "scd", "vif", "qabf_legacy", "ssim_legacy", "cc", "psnr_legacy")
# 24 pairs each of the public test folders; they overlap with, but are not, the slices taken here
PUBLISHED = {
    ("ct_mri", "average"): (59.279, 19.190, 4.727, 2.582, 1.060, 0.413, 0.349, 1.328, 0.831, 15.749),
    ("ct_mri", "maximum"): (87.513, 31.230, 6.740, 2.874, 1.546, 0.605, 0.583, 1.374, 0.787, 12.978),
    ("pet_mri", "average"): (66.491, 18.793, 6.245, 2.983, 0.960, 0.711, 0.430, 1.185, 0.869, 14.694),
    ("pet_mri", "maximum"): (88.250, 34.058, 10.482, 3.558, 1.373, 0.856, 0.744, 1.299, 0.806, 12.711),
    ("spect_mri", "average"): (46.883, 11.706, 3.697, 2.696, 0.743, 0.540, 0.388, 1.216, 0.912, 18.394),
    ("spect_mri", "maximum"): (61.803, 19.744, 5.815, 3.530, 1.328, 0.680, 0.660, 1.291, 0.874, 17.768),
}
OTHER_SLICES = 0.2


@pytest.fixture(scope="module")
def rows(data_folder):
    return {pair: _rows(data_folder / "aanlib2d" / pair) for pair in ("ct_mri", "pet_mri", "spect_mri")}


@pytest.mark.parametrize("pair, fusion", PUBLISHED)
def test_the_trivial_fusions_score_as_published_up_to_the_choice_of_slices(rows, pair, fusion):
    found = rows[pair][fusion]
    for name, printed in zip(NAMES, PUBLISHED[pair, fusion]):
        assert found[name] == pytest.approx(printed, rel=OTHER_SLICES), name


@pytest.mark.parametrize("pair", ["ct_mri", "pet_mri", "spect_mri"])
def test_maximum_and_average_rank_as_published(rows, pair):
    average, maximum = rows[pair]["average"], rows[pair]["maximum"]
    for name, low, high in zip(NAMES, PUBLISHED[pair, "average"], PUBLISHED[pair, "maximum"]):
        assert (maximum[name] > average[name]) == (high > low), name


@pytest.mark.parametrize("pair", ["ct_mri", "pet_mri", "spect_mri"])
def test_neither_invents_anything_and_the_average_keeps_more_anatomy_beside_ct(rows, pair):
    average, maximum = rows[pair]["average"], rows[pair]["maximum"]
    assert average["invent"] == maximum["invent"] == 0
    assert average["anat"] > maximum["anat"]
    assert average["anat"] > 0.9


def _rows(folder):
    kind = folder.name.split("_")[0]
    names = sorted(path.name for path in (folder / kind).glob("*.png"))
    names = names[:: max(1, len(names) // 24)]
    sums = {"average": [], "maximum": []}
    for name in names:
        anatomy, other = (_picture(folder / part / name) for part in ("mri", kind))
        for fusion, fused in (("average", (anatomy + other) / 2), ("maximum", np.maximum(anatomy, other))):
            sums[fusion].append(
                evaluate([anatomy, other], fused, data_range=255, metrics=(*NAMES, "anat", "invent"),
                         roles=("anatomical", "functional"))
            )  # fmt: skip
    return {
        fusion: {name: np.nanmean([row[name] for row in each]) for name in each[0]} for fusion, each in sums.items()
    }


def _picture(path):
    return np.asarray(Image.open(path).convert("L")).astype(float)
