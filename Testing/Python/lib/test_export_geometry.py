"""What is exported comes back from other readers at the same place, with the same values."""

import tarfile
from dataclasses import replace

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

import MedFusionLib as mf
from export_cases import ExportCase
from MedFusionLib.io import read_contours
from MedFusionLib.io.dicom_export import ExportOptions, export_result, read_reference
from MedFusionLib.io.dicom_export.contours import contains, slice_contours
from MedFusionLib.io.dicom_export.planes import place, reordered
from MedFusionLib.io.dicom_export.stream import FrameStream
from MedFusionLib.volume import Geometry, Origin

PLANES = ("axial", "sagittal", "coronal", "oblique")
FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.fixture(scope="module", params=PLANES)
def exported(request, tmp_path_factory):
    """A case in one plane, its result, and the folder of all its objects."""
    folder = tmp_path_factory.mktemp(request.param)
    case = ExportCase(folder, request.param)
    result = case.result()
    export_result(result, case.references, ("sc", "sc-grey", "pm", "seg", "rtstruct"), folder / "out")
    export_result(result, case.references, ("sc", "sc-grey"), folder / "multi", ExportOptions(multiframe=True))
    return case, result, folder


def grid_of(volume) -> Geometry:
    """The grid of a highdicom volume, whose voxel indices are (slice, row, column) in LPS."""
    return Geometry(volume.spatial_shape, FLIP @ volume.affine[:, [2, 1, 0, 3]])


def array_on(volume, geometry: Geometry) -> np.ndarray:
    """Voxels of a highdicom volume, which stacks against the normal; the grid must be the expected one."""
    turned = reordered(grid_of(volume), (0, 1, 2), (True, False, False))
    np.testing.assert_allclose(turned.ijk_to_ras, geometry.ijk_to_ras, atol=1e-4)
    return volume.array[::-1]


def read_with_itk(folder) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def itk_to_ras(image) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    matrix[:3, 3] = image.GetOrigin()
    return FLIP @ matrix


def test_colour_slices_lie_on_the_reference_voxel_by_voxel(exported):
    _, result, folder = exported
    image = read_with_itk(folder / "out" / "sc")
    np.testing.assert_allclose(itk_to_ras(image), result.fused.geometry.ijk_to_ras, atol=1e-4)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), result.colour)


def test_colour_slices_form_a_volume_for_highdicom(exported):
    _, result, folder = exported
    datasets = [pydicom.dcmread(file) for file in sorted((folder / "out" / "sc").iterdir())]
    volume = hd.get_volume_from_series(datasets)
    np.testing.assert_array_equal(array_on(volume, result.fused.geometry), result.colour)


def test_grey_slices_keep_the_numbers_to_half_a_step(exported):
    _, result, folder = exported
    image = read_with_itk(folder / "out" / "sc-grey")
    np.testing.assert_allclose(itk_to_ras(image), result.fused.geometry.ijk_to_ras, atol=1e-4)
    off = np.abs(sitk.GetArrayFromImage(image).astype(np.float64) - result.fused.array)
    assert off.max() <= 0.5 / 65535 + 1e-7


@pytest.mark.parametrize("place", ["out/sc-grey", "multi/sc-grey", "out/pm"])
def test_fused_volumes_are_read_by_the_library_itself_with_their_unit(exported, place):
    _, result, folder = exported
    volume = mf.read_volume(folder / place)
    assert (volume.modality, volume.unit) == ("OT", mf.units.FUSION_INDEX)
    assert volume.geometry.same_grid(result.fused.geometry)
    assert volume.source.frame_of_reference == result.sources[0].source.frame_of_reference
    if place == "out/pm":
        np.testing.assert_array_equal(volume.array, result.fused.array)
    else:
        np.testing.assert_allclose(volume.array, result.fused.array, atol=0.5 / 65535 + 1e-7)


@pytest.mark.parametrize("kind", ["sc", "sc-grey"])
def test_one_multi_frame_object_holds_the_same_as_the_slices(exported, kind):
    _, result, folder = exported
    volume = hd.imread(folder / "multi" / kind / f"{kind}.dcm").get_volume(apply_icc_profile=False)
    array = array_on(volume, result.fused.geometry)
    if kind == "sc":
        np.testing.assert_array_equal(array, result.colour)
    else:
        np.testing.assert_allclose(array, result.fused.array, atol=0.5 / 65535 + 1e-7)


def test_a_parametric_map_holds_the_floats_bit_by_bit(exported):
    _, result, folder = exported
    volume = hd.imread(folder / "out" / "pm" / "pm.dcm").get_volume(dtype=np.float32)
    np.testing.assert_array_equal(array_on(volume, result.fused.geometry), result.fused.array)


def test_a_segmentation_marks_the_same_voxels(exported):
    _, result, folder = exported
    read = hd.seg.segread(folder / "out" / "seg" / "seg.dcm")
    volume = read.get_volume(combine_segments=True)
    ours = result.fused.geometry
    found = np.zeros(ours.shape, np.uint8)
    theirs = reordered(grid_of(volume), (0, 1, 2), (True, False, False))
    np.testing.assert_allclose(theirs.ijk_to_ras[:3, :3], ours.ijk_to_ras[:3, :3], atol=1e-4)
    start = ours.to_ijk(theirs.origin_ras)[::-1]
    np.testing.assert_allclose(start, np.rint(start), atol=1e-4)
    k, j, i = (slice(s, s + n) for s, n in zip(np.rint(start).astype(int), theirs.shape))
    found[k, j, i] = volume.array[::-1]
    np.testing.assert_array_equal(found == 1, result.tumour.labels == 1)
    np.testing.assert_array_equal(found == 2, result.tumour.labels == 5)


@pytest.mark.parametrize("kind", ["pm", "seg"])
def test_frames_lie_where_they_say_by_the_bare_header(exported, kind):
    _, result, folder = exported
    dataset = pydicom.dcmread(folder / "out" / kind / f"{kind}.dcm")
    shared = dataset.SharedFunctionalGroupsSequence[0]
    along, down = np.reshape(np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float), (2, 3))
    rows, columns = np.array(shared.PixelMeasuresSequence[0].PixelSpacing, float)
    j, i = np.indices((dataset.Rows, dataset.Columns))
    frames = dataset.pixel_array
    expected = {"pm": result.fused.array, "seg": result.tumour.labels}[kind]
    seen = 0
    for frame, groups in zip(frames, dataset.PerFrameFunctionalGroupsSequence):
        first = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
        lps = first + i[..., None] * columns * along + j[..., None] * rows * down
        found = np.rint(result.fused.geometry.to_ijk(lps * (-1, -1, 1))).astype(int)
        values = expected[found[..., 2], found[..., 1], found[..., 0]]
        if kind == "seg":
            number = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
            values = values == {1: 1, 2: 5}[number]
        np.testing.assert_array_equal(frame, values)
        seen += 1
    assert seen == {"pm": 6, "seg": 3}[kind]


def test_contours_enclose_exactly_the_voxels_of_the_mask(exported):
    _, result, folder = exported
    dataset = pydicom.dcmread(folder / "out" / "rtstruct" / "rtstruct.dcm")
    geometry = result.fused.geometry
    j, i = np.indices(geometry.shape[1:])
    centres = np.stack([i.ravel(), j.ravel()], axis=1).astype(float)
    for item, label in zip(dataset.ROIContourSequence, (1, 5)):
        found = np.zeros(geometry.shape, bool)
        for contour in item.ContourSequence:
            points = np.reshape(np.array(contour.ContourData, float), (-1, 3)) * (-1, -1, 1)
            ijk = geometry.to_ijk(points)
            k = round(ijk[0, 2])
            np.testing.assert_allclose(ijk[:, 2], k, atol=1e-3)
            found[k] ^= contains(ijk[:, :2], centres).reshape(geometry.shape[1:])
        np.testing.assert_array_equal(found, result.tumour.labels == label)


def test_contours_are_read_back_as_the_same_mask(exported):
    case, result, folder = exported
    found = read_contours(folder / "out" / "rtstruct" / "rtstruct.dcm", mf.read_volume(case.anatomy))
    assert found.geometry.same_grid(result.tumour.geometry)
    np.testing.assert_array_equal(found.labels, np.select([result.tumour.labels == n for n in (1, 5)], (1, 2)))
    assert [segment.name for segment in found.segments] == ["Lesion 1", "Lesion 2"]


def test_every_slice_names_the_reference_slice_it_lies_on(exported):
    case, _, folder = exported
    for number, file in enumerate(sorted((folder / "out" / "sc").iterdir())):
        dataset = pydicom.dcmread(file, stop_before_pixels=True)
        own = [item for item in dataset.SourceImageSequence if item.SpatialLocationsPreserved == "YES"]
        assert [item.ReferencedSOPInstanceUID for item in own] == [case.reference.headers[number].SOPInstanceUID]
        expected = case.reference.headers[number].ImagePositionPatient
        np.testing.assert_allclose(np.array(dataset.ImagePositionPatient), np.array(expected), atol=1e-9)


def test_a_result_stored_in_another_axis_order_lands_on_the_same_voxels(tmp_path):
    case = ExportCase(tmp_path)
    axes, flips = (1, 2, 0), (True, False, True)
    turned = reordered(case.reference.geometry, axes, flips)
    result = case.result(turned)
    export_result(result, [case.reference], ["pm"], tmp_path / "out")
    volume = hd.imread(tmp_path / "out" / "pm" / "pm.dcm").get_volume(dtype=np.float32)
    placement = place(turned, "", case.reference, same_grid_only=True)
    assert placement.planes.on_reference
    array = array_on(volume, case.reference.geometry)
    np.testing.assert_array_equal(array, placement.apply(result.fused.array))
    k, j, i = np.rint(case.reference.geometry.to_ijk(turned.to_ras((2, 1, 3)))).astype(int)[::-1]
    assert array[k, j, i] == result.fused.array[3, 1, 2]


@pytest.mark.parametrize("kind", ["sc", "sc-grey", "pm", "seg"])
def test_a_finer_grid_in_the_same_frame_is_placed_where_it_is(tmp_path, kind):
    case = ExportCase(tmp_path, "oblique")
    matrix = case.reference.geometry.ijk_to_ras.copy()
    matrix[:3, :3] /= 2
    geometry = Geometry((9, 12, 14), matrix)
    export = export_result(case.result(geometry), case.references, [kind], tmp_path / "out")
    assert any("on its own grid" in warning for warning in export.warnings)
    datasets = [pydicom.dcmread(entry["path"]) for entry in export.instances]
    if kind.startswith("sc"):
        array_on(hd.get_volume_from_series(datasets), geometry)
    elif kind == "pm":
        array_on(hd.imread(export.instances[0]["path"]).get_volume(dtype=np.float32), geometry)
    else:
        volume = hd.seg.Segmentation.from_dataset(datasets[0]).get_volume(combine_segments=True)
        theirs = reordered(grid_of(volume), (0, 1, 2), (True, False, False))
        np.testing.assert_allclose(theirs.ijk_to_ras[:3, :3], geometry.ijk_to_ras[:3, :3], atol=1e-4)
        np.testing.assert_allclose(theirs.origin_ras, geometry.to_ras((0, 0, 1)), atol=1e-4)


def test_slices_of_uneven_steps_keep_their_own_positions(tmp_path):
    case = ExportCase(tmp_path)
    for file in case.anatomy.iterdir():
        dataset = pydicom.dcmread(file)
        if file.stem.endswith("-2"):
            dataset.ImagePositionPatient[2] += 0.06
            dataset.save_as(file)
    export = export_result(case.result(), [case.anatomy], ["sc"], tmp_path / "out")
    stated = [float(pydicom.dcmread(entry["path"]).ImagePositionPatient[2]) for entry in export.instances]
    np.testing.assert_allclose(np.diff(stated), [3.0, 3.06, 2.94, 3.0, 3.0], atol=1e-6)


def test_one_object_over_uneven_steps_lies_on_the_even_grid_of_the_result(tmp_path):
    case = ExportCase(tmp_path)
    for file in case.anatomy.iterdir():
        dataset = pydicom.dcmread(file)
        if file.stem.endswith("-2"):
            dataset.ImagePositionPatient[2] += 0.06
            dataset.save_as(file)
    result = case.result()
    export = export_result(result, [case.anatomy], ["pm"], tmp_path / "out")
    volume = hd.imread(export.instances[0]["path"]).get_volume(dtype=np.float32)
    np.testing.assert_array_equal(array_on(volume, result.fused.geometry), result.fused.array)


def test_frames_of_an_enhanced_object_are_referred_to_by_number(data_folder, tmp_path):
    with tarfile.open(data_folder / "dicom_geometry" / "enhanced_mr_philips.tar.xz") as archive:
        archive.extractall(tmp_path / "raw", filter="data")
    file = max((path for path in (tmp_path / "raw").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    dataset = pydicom.dcmread(file)
    dataset.FrameOfReferenceUID = "1.2.3"
    frames = dataset.PerFrameFunctionalGroupsSequence
    dataset.PerFrameFunctionalGroupsSequence = frames[::-1]  # stored against the normal
    (tmp_path / "mr").mkdir()
    dataset.save_as(tmp_path / "mr" / "1.dcm")
    reference = read_reference(tmp_path / "mr")
    assert reference.frames in (tuple(range(1, 9)), tuple(range(8, 0, -1)))
    result = ExportCase(tmp_path / "case").result(reference.geometry)
    unknown = tuple(replace(source, source=Origin()) for source in result.sources)
    result = replace(result, sources=unknown)
    export_result(result, [reference], ["sc", "pm", "seg", "rtstruct"], tmp_path / "out")
    for number, path in enumerate(sorted((tmp_path / "out" / "sc").iterdir())):
        written = pydicom.dcmread(path)
        frame = dataset.PerFrameFunctionalGroupsSequence[written.SourceImageSequence[0].ReferencedFrameNumber - 1]
        theirs = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        np.testing.assert_allclose(np.array(written.ImagePositionPatient, float), theirs, atol=1e-3)
        np.testing.assert_array_equal(written.pixel_array, result.colour[number])
    volume = hd.imread(tmp_path / "out" / "pm" / "pm.dcm").get_volume(dtype=np.float32)
    np.testing.assert_array_equal(array_on(volume, reference.geometry), result.fused.array)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**63 - 1), st.floats(0.05, 0.95), st.integers(1, 12), st.integers(1, 12))
def test_contours_of_any_mask_give_the_mask_back(seed, share, rows, columns):
    mask = np.random.default_rng(seed).random((rows, columns)) < share
    j, i = np.indices(mask.shape)
    centres = np.stack([i.ravel(), j.ravel()], axis=1).astype(float)
    found = np.zeros(mask.size, bool)
    for ring in slice_contours(mask):
        found ^= contains(ring, centres)
    np.testing.assert_array_equal(found.reshape(mask.shape), mask)


@given(st.integers(1, 7), st.integers(1, 5), st.lists(st.integers(-1, 9), max_size=20))
def test_a_stream_of_frames_reads_like_the_bytes_of_all_frames(length, count, sizes):
    frames = [bytes((n * 16 + k) % 256 for k in range(length)) for n in range(count)]
    whole = b"".join(frames)
    whole += b"\0" * (len(whole) % 2)
    stream = FrameStream(lambda number: frames[number], length, count)
    assert stream.seek(0, 2) == len(whole)
    stream.seek(0)
    pieces = [stream.read(size) for size in sizes if size >= 0]
    assert b"".join(pieces) + stream.read() == whole
