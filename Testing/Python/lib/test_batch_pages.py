"""Pages of a batch: everything a reader needs, nothing from elsewhere, nothing that a header slips in."""

import base64
import csv
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

import MedFusionLib as mf
from batch_cases import write_cases
from dicom_writer import Recipe, pet_tags, write_series
from MedFusionLib.batch.derivatives import safe_cell
from MedFusionLib.batch.figures import labels_of
from MedFusionLib.batch.group import write_group
from MedFusionLib.batch.plan import Wishes
from MedFusionLib.batch.planes import PLANES, Upright
from MedFusionLib.volume import Geometry

EDGES = {"axial": ("A", "P", "R", "L"), "coronal": ("S", "I", "R", "L"), "sagittal": ("S", "I", "A", "P")}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """A study in DICOM with contours of its own, and a case that cannot be run."""
    folder = tmp_path_factory.mktemp("batch")
    frame = Recipe().frame
    body = {"PatientBirthDate": "19010203", "SeriesDescription": HOSTILE}
    write_series(folder / "in" / "ct", Recipe(shape=(12, 16, 16), frame=frame, tags=body))
    write_series(folder / "in" / "pet", Recipe("PT", shape=(12, 16, 16), frame=frame, tags={**pet_tags(), **body}))
    labels = np.zeros((12, 16, 16), np.float32)
    labels[4:7, 5:9, 6:11] = 1
    ct = mf.read_volume(folder / "in" / "ct")
    mf.write_volume(mf.Volume(labels, ct.geometry), folder / "in" / "mask.nii.gz")
    with open(folder / "in" / "cases.csv", "w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerows(
            [("case", "reference", "moving", "tumour"), ("a", "ct", "pet", "mask.nii.gz"), ("b", "ct", "no", "")]
        )
    wishes = Wishes(("average", "maximum"), force=True)
    mf.run_batch(mf.plan_batch(folder / "in" / "cases.csv", folder / "out", wishes))
    return folder / "out"


def pictures(page):
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in found]


def test_a_case_page_holds_everything_and_needs_nothing_from_elsewhere(batch):
    page = (batch / "sub-a" / "report.html").read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="(?!data:image/png;base64,)([^"]*)"', page) == ["../group.html"]
    assert "@import" not in page and "http" not in re.sub(r"<pre>.*</pre>", "", page, flags=re.S)
    words = (
        "Research use only", "Sources", "Tumour", "SUVmax", "SUVbw = rescaled value x", "RadionuclideTotalDose",
        "decay corrected to", "Alignment", "Metrics", "average", "maximum", "What can be trusted", "Provenance",
    )  # fmt: skip
    for word in words:
        assert word in page, word
    assert len(pictures(page)) == 1 + 2 * 2  # alignment; views and maps of each method
    assert all(min(picture.size) > 300 for picture in pictures(page))


def test_no_page_table_log_or_name_says_who_the_patient_is(batch):
    for path in batch.rglob("*"):
        assert "entinel" not in path.name
        if path.is_file() and path.suffix in (".html", ".json", ".tsv", ".log", ".md"):
            text = path.read_text(encoding="utf-8")
            assert "entinel" not in text and "19010203" not in text and HOSTILE not in text, path


def test_the_group_page_puts_failures_first_and_leads_to_the_cases(batch):
    page = (batch / "group.html").read_text(encoding="utf-8")
    assert page.index("Failures") < page.index("Methods") < page.index("Cases")
    assert "sub-b" in page and "No file or folder" in page
    assert 'href="sub-a/report.html"' in page
    assert page.count("data-sort") >= 8
    assert {picture.format for picture in pictures(page)} == {"PNG"}


def test_what_a_record_says_is_escaped(batch, tmp_path):
    record = json.loads((batch / "logs" / "sub-b.json").read_text())
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "sub-b.json").write_text(json.dumps({**record, "reason": HOSTILE, "hint": "=cmd()"}))
    write_group(mf.plan_batch(write_cases(tmp_path / "in", 1, broken=False), tmp_path))
    assert HOSTILE not in (tmp_path / "group.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("text, cell", [
    ("=1+1", "'=1+1"), ("+x", "'+x"), ("@x", "'@x"), ("-x", "'-x"), ("-1.5", "-1.5"), ("a\tb\nc", "a b c"),
    (None, "n/a"), (0.1234567890, "0.123457"), ("plain", "plain"), ("\t=1", "'=1"), (" =1", "' =1"),
])  # fmt: skip
def test_cells_are_no_formulas(text, cell):
    assert safe_cell(text) == cell


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SAR", "PIR"])
def test_planes_are_turned_as_their_letters_say(codes):
    axes = {"R": (1, 0, 0), "L": (-1, 0, 0), "A": (0, 1, 0), "P": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([axes[code] for code in codes]).T * 2.0
    shape = (7, 9, 11)
    geometry = Geometry(shape, matrix)
    k, j, i = np.indices(shape)
    world = geometry.to_ras(np.stack([i, j, k], -1)) - geometry.to_ras(np.array([5, 4, 3]))
    upright = Upright(geometry, (3, 4, 5))
    for name in PLANES:
        for letter, edge in zip(EDGES[name], ("top", "bottom", "left", "right")):
            towards = upright.plane(np.ascontiguousarray(world @ np.array(axes[letter], float)), name)
            line = {"top": towards[0], "bottom": towards[-1], "left": towards[:, 0], "right": towards[:, -1]}[edge]
            assert (line == towards.max()).all(), (name, letter)
        across = {"axial": 2, "coronal": 1, "sagittal": 0}[name]
        assert not upright.plane(world[..., across], name).any()


def test_sources_of_one_modality_are_told_apart_without_names_of_files():
    grid = Geometry((2, 2, 2), np.eye(4))
    names = ("Doe_John_flair", "Doe_John_t1c", "john", "doe", "pet")
    sources = [
        mf.Volume(np.zeros((2, 2, 2), np.float32), grid, "PT" if name == "pet" else "MR", name=name) for name in names
    ]
    assert labels_of(sources) == ["MR flair", "MR t1c", "MR 3", "MR 4", "PT"]
