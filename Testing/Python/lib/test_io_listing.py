"""Folders, archives and directories of DICOM, listed from headers."""

import json
import struct
import zipfile
import zlib

import numpy as np
import pydicom
import pytest
from pydicom.fileset import FileSet
from pydicom.uid import DeflatedExplicitVRLittleEndian, generate_uid

import MedFusionLib as mf
from dicom_multiframe import write_enhanced
from dicom_writer import SENTINEL, Recipe, pet_tags, stored_pixels, write_series
from MedFusionLib.cli import main
from MedFusionLib.errors import NotSupported, UnreadableFile
from MedFusionLib.io import inspect_path
from MedFusionLib.volume import Volume
from phantoms import oblique_geometry


def packed(folder, archive):
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, path.relative_to(folder))
    return archive


def a_study(folder):
    write_series(folder / "a" / "b", Recipe())
    write_series(folder / "c", Recipe("PT", tags=pet_tags()))
    write_series(folder / "c" / "b", Recipe("PT", tags=pet_tags(PatientWeight=None)))
    write_enhanced(folder / "d.dcm", Recipe("MR", shape=(3, 8, 10)))
    write_series(folder / "e", Recipe(shear=0.8))
    (folder / "notes.txt").write_text("no image")
    (folder / "empty").mkdir()
    return folder


def test_a_mixed_folder_is_listed_series_by_series_without_reading_values(tmp_path):
    found = inspect_path(a_study(tmp_path))
    hu, suv, arbitrary = "[hnsf'U]", "{SUVbw}g/ml", "[arb'U]"
    assert [entry["unit"] for entry in found] == [hu, suv, None, arbitrary, hu]
    assert [(entry["modality"], entry["files"]) for entry in found] == [
        ("CT", 6), ("PT", 6), ("PT", 6), ("MR", 1), ("CT", 6)]  # fmt: skip
    assert found[0]["path"] == str(tmp_path / "a" / "b")
    assert [e["shape_kji"] for e in found] == [[6, 8, 10]] * 3 + [[3, 8, 10], [6, 8, 10]]
    assert all(e["min"] is None for e in found)
    assert "PatientWeight is missing" in found[2]["problems"][0]
    assert "gantry tilt of 14.9 degrees" in found[4]["problems"][0]
    assert SENTINEL not in json.dumps(found)


def test_a_single_volume_is_listed_with_its_values(tmp_path):
    write_series(tmp_path / "deep" / "er")
    [entry] = inspect_path(tmp_path)
    assert (entry["min"], entry["max"], entry["files"]) == (-1000, -1000 + 579, 6)


def test_a_broken_file_is_named_and_the_rest_is_listed(tmp_path):
    a_study(tmp_path)
    (tmp_path / "a" / "bad.dcm").write_bytes(next((tmp_path / "a" / "b").iterdir()).read_bytes()[:300])
    found = inspect_path(tmp_path)
    assert len(found) == 6
    assert "bad.dcm" in found[-1]["problems"][0]
    assert all("may lack some" in entry["problems"][-1] for entry in found[:-1])


def test_other_files_beside_dicom_are_listed_too(tmp_path):
    write_series(tmp_path / "ct")
    geometry = oblique_geometry(1, (3, 4, 5))
    mf.write_volume(Volume(np.ones(geometry.shape), geometry), tmp_path / "map.nii")
    assert [entry["shape_kji"] for entry in inspect_path(tmp_path)] == [[6, 8, 10], [3, 4, 5]]


def test_an_archive_is_read_and_listed_like_its_folder(tmp_path):
    recipe = write_series(tmp_path / "ct")
    archive = packed(tmp_path / "ct", tmp_path / "ct.zip")
    volume = mf.read_volume(archive)
    assert np.array_equal(volume.array, stored_pixels(recipe) - 1000)
    [entry] = inspect_path(archive)
    assert (entry["path"], entry["min"]) == (str(archive), -1000)
    many = packed(a_study(tmp_path / "study"), tmp_path / "study.zip")
    assert [entry["path"] for entry in inspect_path(many)][:2] == [str(many / "a" / "b"), str(many / "c")]


def test_a_dicomdir_stands_for_its_folder_and_is_not_followed(tmp_path):
    write_series(tmp_path / "disc" / "IMAGES")
    outside = tmp_path / "outside"
    write_series(outside, Recipe("MR"))
    (tmp_path / "disc" / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + b"../outside" * 50)
    for path in (tmp_path / "disc" / "DICOMDIR", tmp_path / "disc"):
        assert mf.read_volume(path).modality == "CT"
        assert [entry["modality"] for entry in inspect_path(path)] == ["CT"]


def test_a_disc_with_a_real_directory_is_read(tmp_path):
    tags = {"StudyDate": "20200101", "StudyTime": "101500", "StudyID": "1", "AccessionNumber": "1", "SeriesNumber": 1,
            "StudyInstanceUID": generate_uid()}  # fmt: skip
    disc, recipes = FileSet(), [Recipe(tags=tags), Recipe("MR", tags=tags)]
    for recipe in recipes:
        write_series(tmp_path / recipe.modality, recipe)
        for path in (tmp_path / recipe.modality).iterdir():
            disc.add(path)
    disc.write(tmp_path / "disc")
    volume = mf.read_volume(tmp_path / "disc" / "DICOMDIR", "MR")
    assert np.array_equal(volume.array, stored_pixels(recipes[1]))
    listed = inspect_path(tmp_path / "disc" / "DICOMDIR")
    assert sorted((entry["modality"], entry["files"]) for entry in listed) == [("CT", 6), ("MR", 6)]


@pytest.mark.parametrize("name", ["../evil.dcm", "/evil.dcm", "a/../../evil.dcm", "..\\evil.dcm", "C:evil.dcm"])
def test_an_archive_that_reaches_outside_is_refused(tmp_path, name):
    archive = tmp_path / "in" / "a.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(zipfile.ZipInfo(name), b"x")
    with pytest.raises(UnreadableFile, match="outside its own folder"):
        mf.read_volume(archive)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.zip", "in"]


def test_a_link_in_an_archive_is_refused(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(link, "/etc")
    with pytest.raises(UnreadableFile, match="outside its own folder"):
        mf.read_volume(tmp_path / "a.zip")


def test_a_bomb_is_refused_by_what_its_directory_says(tmp_path):
    archive = zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED)
    with archive, archive.open("zeros.dcm", "w") as member:
        for _ in range(100):
            member.write(bytes(1 << 20))
    with pytest.raises(UnreadableFile, match=r"unpacks to 100 MB, \d+ times"):
        mf.read_volume(tmp_path / "a.zip")
    [entry] = inspect_path(tmp_path / "a.zip")
    assert "unpacks to 100 MB" in entry["problems"][0]


def test_an_archive_that_lies_about_its_sizes_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros.dcm", bytes(1 << 20))
    raw = (tmp_path / "a.zip").read_bytes()
    lie = raw.replace(struct.pack("<I", 1 << 20), struct.pack("<I", 1000))
    assert lie != raw
    (tmp_path / "a.zip").write_bytes(lie)
    with pytest.raises(UnreadableFile, match=r"a\.zip"):
        mf.read_volume(tmp_path / "a.zip")


def test_an_encrypted_and_a_broken_archive_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("x.dcm", b"x" * 100)
    raw = bytearray((tmp_path / "a.zip").read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(raw)
    with pytest.raises(NotSupported, match="encrypted"):
        mf.read_volume(tmp_path / "a.zip")
    (tmp_path / "b.zip").write_bytes(raw[:40])
    with pytest.raises(UnreadableFile, match=r"b\.zip is not a readable zip"):
        mf.read_volume(tmp_path / "b.zip")


def deflated(folder, filler):
    recipe = write_series(folder, Recipe(shape=(1, 8, 10)))
    [path] = folder.iterdir()
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.add_new(0x00111010, "OB", filler)
    dataset.save_as(path)
    return path, recipe


def test_a_deflated_file_is_read_when_it_unpacks_to_little(tmp_path):
    path, recipe = deflated(tmp_path, b"")
    assert np.array_equal(mf.read_volume(path).array, stored_pixels(recipe) - 1000)


def test_a_deflated_bomb_is_refused_before_it_unpacks(tmp_path):
    path, _ = deflated(tmp_path, bytes(40 << 20))
    assert path.stat().st_size < 1 << 17
    with pytest.raises(NotSupported, match="is deflated and unpacks to more than"):
        mf.read_volume(path)


def test_a_deflated_file_with_rubbish_is_one_typed_error(tmp_path):
    path, _ = deflated(tmp_path, b"")
    raw = path.read_bytes()
    assert zlib.crc32(raw)
    path.write_bytes(raw[:400] + b"\xff" * 40 + raw[440:])
    with pytest.raises(UnreadableFile):
        mf.read_volume(path)


def test_the_command_lists_a_study_for_people_and_for_programs(tmp_path, capsys):
    a_study(tmp_path)
    assert main(["inspect", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "image of 6 files, CT" in text and "PatientWeight is missing" in text
    assert main(["inspect", str(tmp_path), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["volumes"]) == 5
    assert main(["inspect", str(tmp_path / "empty")]) == 3


def test_progress_counts_every_file(tmp_path):
    a_study(tmp_path)
    seen = []
    inspect_path(tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (26, 26)


def test_a_series_of_a_mixed_folder_is_chosen_by_modality_or_by_its_hash(tmp_path, capsys):
    for number, recipe in enumerate((Recipe("MR"), Recipe("MR", shape=(5, 8, 10)), Recipe("CT"))):
        write_series(tmp_path / str(number), recipe)
    flat = tmp_path / "flat"
    flat.mkdir()
    for number, path in enumerate(sorted(tmp_path.glob("?/*.dcm"))):
        path.rename(flat / f"IM{number:04d}")
    assert mf.read_volume(flat, "CT").modality == "CT"
    archive = packed(flat, tmp_path / "disc.zip")
    by_slices = {entry["shape_kji"][0]: entry["series"] for entry in inspect_path(archive) if entry["modality"] == "MR"}
    assert mf.read_volume(archive, series=by_slices[5]).geometry.shape == (5, 8, 10)
    assert mf.read_volume(flat, series=by_slices[6][:6]).geometry.shape == (6, 8, 10)
    with pytest.raises(UnreadableFile, match=f"2 series of MR: .*{by_slices[5]}.*--series"):
        mf.read_volume(flat, "MR")
    with pytest.raises(UnreadableFile, match="0 series that begins with ffff"):
        mf.read_volume(flat, series="ffff")
    arguments = ["check", str(flat), str(archive), "--modality", "CT,MR", "--series", f",{by_slices[6]}", "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["pairs"][0]["status"] in ("pass", "doubt", "fail")
    assert main([*arguments, "--part", "x"]) == 2


@pytest.mark.parametrize("text, shown", [
    ("T1 3D SAG", "T1 3D SAG"), ("", ""), ("of Mr. SENTINEL", "(withheld"), ("sentinel-id follow-up", "(withheld"),
    ("T2\x1b[2J", "T2?[2J"),
])  # fmt: skip
def test_a_description_is_shown_unless_it_names_the_patient(tmp_path, text, shown):
    write_series(tmp_path, Recipe(tags={"SeriesDescription": text}))
    [entry] = inspect_path(tmp_path)
    assert entry["description"].startswith(shown) and ("entinel" not in entry["description"].lower())


def test_names_of_files_cannot_forge_lines_of_a_log(tmp_path):
    path = tmp_path / "a\n2026 INFO all well\x1b[2J.nii"
    path.write_bytes(b"nothing")
    with pytest.raises(UnreadableFile) as caught:
        mf.read_volume(path)
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)
