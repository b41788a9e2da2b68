"""Headers and pixels that lie: every one ends as a result or one typed error, in bounded time and memory."""

import gzip
import json
import logging
import struct
import subprocess
import sys
import tracemalloc
import warnings

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import RLELossless

import measured_reads
import MedFusionLib as mf
from dicom_writer import PLANES, SENTINEL, Recipe, stored_pixels, write_series
from MedFusionLib.errors import MedFusionError, UnreadableFile
from MedFusionLib.io import dicom_codec, inspect_path
from MedFusionLib.io.dicom_files import find_series
from MedFusionLib.io.dicom_frames import frames_of
from MedFusionLib.io.dicom_pixels import read_values

SHAPE = (2, 3, 4)
NAN, INFINITE = struct.pack("<f", np.nan), struct.pack("<f", np.inf)
NIFTI_HEADERS = {
    "size of header": (0, struct.pack("<i", 349)),
    "dimensions 0": (40, struct.pack("<h", 0)),
    "dimensions 8": (40, struct.pack("<h", 8)),
    "dimensions -1": (40, struct.pack("<h", -1)),
    "axis of 0": (42, struct.pack("<h", 0)),
    "negative axis": (42, struct.pack("<h", -4)),
    "giant axis": (42, struct.pack("<hhh", 32767, 32767, 32767)),
    "time axis": (40, struct.pack("<hhhhh", 4, 4, 3, 2, 30000)),
    "unknown type": (70, struct.pack("<h", 999)),
    "complex type": (70, struct.pack("<h", 32)),
    "colour type": (70, struct.pack("<h", 128)),
    "bits of another type": (72, struct.pack("<h", 64)),
    "spacing 0": (80, struct.pack("<f", 0)),
    "spacing NaN": (80, NAN),
    "voxels before the header's end": (108, struct.pack("<f", 10)),
    "voxels at a negative place": (108, struct.pack("<f", -400)),
    "voxels behind the end": (108, struct.pack("<f", 1e9)),
    "voxels nowhere": (108, NAN),
    "infinite slope": (112, INFINITE),
    "slope NaN": (112, NAN),
    "infinite intercept": (112, struct.pack("<ff", 1.0, np.inf)),
    "unknown units": (123, b"\xff"),
    "qform code": (252, struct.pack("<h", 99)),
    "sform NaN": (280, NAN * 12),
    "sform infinite": (280, INFINITE * 12),
    "sform of zeros": (280, bytes(48)),
    "sform singular": (280, struct.pack("<12f", 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0)),
    "bad magic": (344, b"xxxx"),
    "magic of two files": (344, b"ni1\0"),
    "extension": (348, b"\x01\0\0\0" + struct.pack("<ii", 2**31 - 1, 0)),
    "negative extension": (348, b"\x01\0\0\0" + struct.pack("<ii", -16, 0)),
}


def nifti(path):
    nib.save(nib.Nifti1Image(np.arange(24, dtype=np.float32).reshape(SHAPE[::-1]), np.eye(4)), path)
    return path.read_bytes()


@pytest.mark.parametrize("case", NIFTI_HEADERS)
def test_a_nifti_header_that_lies_ends_in_a_volume_or_one_typed_error(tmp_path, case):
    path = tmp_path / "a.nii"
    sound = nifti(path)
    place, change = NIFTI_HEADERS[case]
    path.write_bytes(sound[:place] + change + sound[place + len(change) :])
    tracemalloc.start()
    try:
        volume = mf.read_volume(path)
        assert volume.array.shape == SHAPE and np.isfinite(volume.array).all()
    except MedFusionError as error:
        assert path.name in str(error)
    finally:
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
        tracemalloc.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
def test_no_file_takes_ten_seconds_or_500_mb_whatever_reads_it(tmp_path, data_folder):
    files = sorted((data_folder / "malformed_dicom").rglob("*.dcm"))
    sound = nifti(tmp_path / "sound.nii")
    for number, (place, change) in enumerate(NIFTI_HEADERS.values()):
        files += [tmp_path / f"{number}.nii", tmp_path / f"{number}.nii.gz"]
        broken = sound[:place] + change + sound[place + len(change) :]
        files[-2].write_bytes(broken)
        files[-1].write_bytes(gzip.compress(broken))
    command = [sys.executable, measured_reads.__file__]
    done = subprocess.run(command, input="\n".join(map(str, files)), capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert len(found["files"]) == len(files) > 150
    ends = [end for each in found["files"].values() for end in each]
    assert {how for how, _ in ends} == {"done", "refused"}
    assert max(seconds for _, seconds in ends) < 10
    assert found["mb_peak"] - found["mb_before"] < 500
    assert "FUZZ" not in done.stdout + done.stderr


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("order", "<>")
def test_an_extension_that_unpacks_to_a_giant_is_refused_before_it_is_loaded(tmp_path, kind, order):
    image = kind(np.ones(SHAPE, np.float32), np.eye(4))
    header = image.header.as_byteswapped(order).copy()
    header["vox_offset"] = 1 << 28
    with gzip.open(tmp_path / "a.nii.gz", "wb", compresslevel=1) as stream:
        stream.write(header.binaryblock + b"\x01\0\0\0" + struct.pack(order + "ii", 1 << 28, 6))
        for _ in range(8):
            stream.write(bytes(1 << 20))
    tracemalloc.start()
    with pytest.raises(UnreadableFile, match="voxels begin at byte"):
        mf.read_volume(tmp_path / "a.nii.gz")
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("filler", [b"x = LOCAL\n", b"x", b"\0" * 100])
def test_compressed_voxels_that_do_not_unpack_are_refused_instead_of_read_forever(tmp_path, filler):
    path = tmp_path / "a.mha"
    sitk.WriteImage(sitk.GetImageFromArray(np.ones((20, 20, 20), np.float32)), str(path), useCompression=True)
    assert mf.read_volume(path).array.shape == (20, 20, 20)
    text, mark, voxels = path.read_bytes().partition(b"ElementDataFile = LOCAL\n")
    for broken in (filler + voxels, voxels[:-5] + filler, voxels[: len(voxels) // 2]):
        path.write_bytes(text + mark + broken)
        with pytest.raises(UnreadableFile, match=r"a\.mha"):
            mf.read_volume(path)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 351), st.integers(0, 255)), min_size=1, max_size=6), st.integers(0, 96))
def test_any_damage_to_a_nifti_header_is_survived(tmp_path_factory, changes, cut):
    path = tmp_path_factory.mktemp("n") / "a.nii"
    broken = bytearray(nifti(path))
    for place, value in changes:
        broken[place] = value
    path.write_bytes(broken[: len(broken) - cut] if cut > 90 else broken)
    try:
        assert np.isfinite(mf.read_volume(path).array).all()
    except MedFusionError as error:
        assert path.name in str(error)


turns = st.tuples(*[st.floats(-3.1, 3.1)] * 3)


@settings(max_examples=25, deadline=None)
@given(turns, st.tuples(*[st.floats(0.3, 8)] * 3), st.tuples(*[st.floats(-400, 400)] * 3), st.permutations(range(4)))
def test_the_grid_of_any_series_puts_every_voxel_where_its_header_says(tmp_path_factory, turn, spacing, origin, order):
    from scipy.spatial.transform import Rotation

    rows, columns = Rotation.from_euler("xyz", turn).as_matrix()[:2]
    PLANES["drawn"] = (tuple(rows), tuple(columns))
    recipe = Recipe("MR", "drawn", shape=(4, 3, 5), spacing=spacing, origin=origin)
    folder = tmp_path_factory.mktemp("s")
    write_series(folder, recipe)
    for name, path in zip(order, sorted(folder.iterdir())):
        path.rename(folder / f"renamed-{name}")
    volume = mf.read_volume(folder)
    assert np.array_equal(volume.array, stored_pixels(recipe))
    for k, j, i in ((0, 0, 0), (3, 2, 4), (2, 0, 4), (1, 2, 0)):
        place = np.add(origin, rows * i * spacing[1] + columns * j * spacing[0])
        place = place + np.cross(rows, columns) * k * spacing[2]
        assert volume.geometry.to_ras((i, j, k)) == pytest.approx(place * (-1, -1, 1), abs=2e-3)


def compressed(folder, **changes):
    recipe = write_series(folder, Recipe("MR", shape=(3, 16, 16)))
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.compress(RLELossless, generate_instance_uid=False)
        for keyword, value in changes.items():
            setattr(dataset, keyword, value)
        dataset.save_as(path)
    return recipe


def test_compressed_pixels_come_back_from_a_process_of_their_own(tmp_path):
    recipe = compressed(tmp_path)
    assert np.array_equal(mf.read_volume(tmp_path).array, stored_pixels(recipe))


def test_a_codec_that_hangs_is_ended_and_said(tmp_path, monkeypatch):
    compressed(tmp_path)
    monkeypatch.setattr(dicom_codec, "SECONDS_PER_FILE", 0.01)
    with pytest.raises(UnreadableFile, match=r"not within 0\.01 s"):
        mf.read_volume(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
def test_a_codec_that_wants_too_much_memory_is_refused_it():
    code = (
        "from MedFusionLib.io.dicom_codec import limit_memory; limit_memory(64 << 20)\n"
        "try: bytearray(1 << 30)\n"
        "except MemoryError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "refused"


def test_a_codec_whose_answer_is_of_another_size_is_not_believed(tmp_path):
    compressed(tmp_path, Rows=17)
    with pytest.raises(UnreadableFile, match="cannot be decoded"):
        mf.read_volume(tmp_path)


def test_a_transfer_syntax_without_a_codec_is_named_at_once(tmp_path, monkeypatch):
    compressed(tmp_path)
    monkeypatch.setattr(dicom_codec.subprocess, "Popen", None)  # no process is needed to say so
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.5", b"1.2.840.10008.1.2.7"))
    with pytest.raises(UnreadableFile, match="no codec for their transfer syntax"):
        mf.read_volume(tmp_path)


def test_reading_leaves_warnings_and_logging_as_they_were(tmp_path):
    before = warnings.filters[:], logging.getLogger("pydicom").disabled
    compressed(tmp_path, Rows=17)
    with pytest.raises(UnreadableFile):
        mf.read_volume(tmp_path)
    assert (warnings.filters[:], logging.getLogger("pydicom").disabled) == before


def test_compressed_rubbish_is_one_typed_error(tmp_path):
    compressed(tmp_path)
    for path in tmp_path.iterdir():
        raw = path.read_bytes()
        path.write_bytes(raw[:-300] + bytes(300))
    with pytest.raises(UnreadableFile, match="cannot be decoded"):
        mf.read_volume(tmp_path)


def test_an_image_that_claims_a_giant_matrix_is_refused_before_memory_is_taken(tmp_path):
    write_series(tmp_path, Recipe("MR", shape=(3, 4, 4), tags={"Rows": 65535, "Columns": 65535}))
    tracemalloc.start()
    with pytest.raises(UnreadableFile, match="4096 along each axis"):
        mf.read_volume(tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 50 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("change", [{"BitsAllocated": 12}, {"BitsStored": 20}, {"BitsStored": 0}, {"HighBit": 3},
                                    {"PixelRepresentation": 7}, {"BitsAllocated": 32}])  # fmt: skip
def test_pixels_that_contradict_their_description_are_refused_or_read(tmp_path, change):
    write_series(tmp_path, Recipe("MR", tags=change))
    try:
        assert np.isfinite(mf.read_volume(tmp_path).array).all()
    except MedFusionError as error:
        assert SENTINEL not in str(error)


@pytest.mark.filterwarnings("ignore")  # pydicom quotes what it chokes on; MedFusion silences that within `read_series`
def test_the_pixels_of_broken_files_are_decoded_or_refused(data_folder):
    """The corpus has no geometry: give it one, so that its pixels are reached."""
    decoded = 0
    for path in sorted((data_folder / "malformed_dicom").rglob("*.dcm")):
        try:
            [series] = find_series(path)
        except (MedFusionError, ValueError):
            continue
        dataset = series.headers[0].dataset
        dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
        dataset.PixelSpacing = [1, 1]
        try:
            frames = frames_of(series)
            assert np.isfinite(read_values("it", frames, is_ct=True)[0]).all()
            decoded += 1
        except MedFusionError as error:
            assert "FUZZ" not in str(error)
        except (TypeError, ValueError, AttributeError, NotImplementedError):  # `read_series` turns them into one error
            continue
    assert decoded > 40


def test_inspecting_damaged_series_never_ends_in_anything_else_than_a_list(tmp_path):
    write_series(tmp_path, Recipe(shape=(2, 4, 4)))
    path = sorted(tmp_path.iterdir())[0]
    sound, rng = path.read_bytes(), np.random.default_rng(11)
    for _ in range(60):
        broken = bytearray(sound)
        for place in rng.integers(132, len(sound), rng.integers(1, 4)):
            broken[place] = rng.integers(256)
        path.write_bytes(broken)
        assert all({"path", "problems"} <= set(entry) for entry in inspect_path(tmp_path))
