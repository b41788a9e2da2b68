"""Files of a few megabytes that a parser would make gigabytes of."""

import struct

import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

import MedFusionLib as mf
from dicom_multiframe import write_enhanced
from dicom_writer import Recipe, write_series
from MedFusionLib.errors import UnreadableFile
from MedFusionLib.io import dicom_structure, inspect_path
from MedFusionLib.io.dicom_structure import count_elements

ITEM, END = b"\xfe\xff\x00\xe0\0\0\0\0", b"\xfe\xff\xdd\xe0\0\0\0\0"
FRAMES = struct.pack("<HH2sH", 0x5200, 0x9230, b"SQ", 0)
UNKNOWN = struct.pack("<HH2sH", 0x5201, 0x9230, b"UN", 0)


def elements_of(dataset) -> int:
    """What a parser finds, where an item counts as three."""
    items = [item for element in dataset if element.VR == "SQ" for item in element.value]
    return sum(1 for _ in dataset) + sum(3 + elements_of(item) for item in items)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("is_open", [False, True], ids=["lengths", "marks"])
def test_every_element_is_counted_however_it_is_stored(tmp_path, syntax, is_open):
    write_enhanced(tmp_path / "a.dcm", Recipe("MR"))
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    sequences = [dataset, *dataset.PerFrameFunctionalGroupsSequence, *dataset.SharedFunctionalGroupsSequence]
    marks = 0
    for element in (element for part in sequences for element in part if element.VR == "SQ"):
        element.is_undefined_length = is_open
        for item in element.value:
            item.is_undefined_length_sequence_item = is_open
        marks += is_open * (1 + len(element.value))
    dataset.file_meta.TransferSyntaxUID = syntax
    little = syntax != ExplicitVRBigEndian
    pydicom.dcmwrite(tmp_path / "b.dcm", dataset, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=little)
    content = (tmp_path / "b.dcm").read_bytes()
    found = count_elements(content, 132, "big" if syntax == ExplicitVRBigEndian else "little")
    assert found == sum(1 for _ in dataset.file_meta) + elements_of(dataset) + marks > 100


def test_pixels_in_pieces_are_stepped_over(tmp_path):
    write_series(tmp_path, Recipe("MR", shape=(1, 16, 16)))
    [path] = tmp_path.iterdir()
    dataset = pydicom.dcmread(path)
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.save_as(path)
    assert count_elements(path.read_bytes(), 132) == sum(1 for _ in dataset.file_meta) + elements_of(dataset) + 1


MANY = 3000
BOMBS = {
    "items": FRAMES + b"\xff\xff\xff\xff" + ITEM * MANY + END,
    "items of a stated length": FRAMES + struct.pack("<I", 8 * MANY) + ITEM * MANY,
    "items of an unknown kind": UNKNOWN + b"\xff\xff\xff\xff" + ITEM * MANY + END,
    "short elements": b"".join(struct.pack("<HH2sH", 0x5301, n, b"US", 0) for n in range(MANY)),
}


def insert(path, elements):
    """Put elements before the pixels."""
    sound = path.read_bytes()
    pixels = sound.index(struct.pack("<HH", 0x7FE0, 0x10))
    path.write_bytes(sound[:pixels] + elements + sound[pixels:])


@pytest.mark.parametrize("kind", BOMBS)
def test_a_file_of_countless_elements_is_refused_before_they_are_made(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(dicom_structure, "MOST_ELEMENTS", 1000)
    write_series(tmp_path, Recipe(shape=(1, 4, 4)))
    [path] = tmp_path.iterdir()
    assert mf.read_volume(path).array.shape == (1, 4, 4)
    insert(path, BOMBS[kind])
    monkeypatch.setattr(pydicom, "dcmread", None)  # it is not reached
    with pytest.raises(UnreadableFile, match="more than 1000 elements"):
        mf.read_volume(path)
    [entry] = inspect_path(path)
    assert "more than 1000 elements" in entry["problems"][0]


def test_the_cap_is_a_million(tmp_path):
    write_series(tmp_path, Recipe(shape=(1, 4, 4)))
    [path] = tmp_path.iterdir()
    insert(path, FRAMES + b"\xff\xff\xff\xff" + ITEM * 340_000 + END)
    with pytest.raises(UnreadableFile, match="more than 1000000 elements"):
        mf.read_volume(path)


def test_what_is_deflated_is_counted_as_well(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom_structure, "MOST_ELEMENTS", 300)
    write_enhanced(tmp_path / "a.dcm", Recipe("MR", shape=(40, 4, 4)))
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(tmp_path / "a.dcm")
    with pytest.raises(UnreadableFile, match="more than 300 elements"):
        mf.read_volume(tmp_path / "a.dcm")
