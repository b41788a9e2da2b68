"""Segmentations, contours and registrations in DICOM."""

import copy

import highdicom
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

import MedFusionLib as mf
from archives import unpack
from dicom_structures import registration, square, structure_set
from dicom_writer import SENTINEL, Recipe, write_series
from MedFusionLib.errors import NotSupported, UnreadableFile, UsageError
from MedFusionLib.io import inspect_path, read_contours, read_dicom_segmentation, read_labels, read_registration
from MedFusionLib.io.dicom_contours import inside_polygon


def write_segmentation(folder, masks, kind="BINARY"):
    """A CT series and a SEG with one segment per mask, (segments, K, J, I) in the order of positions."""
    write_series(folder / "ct", Recipe(shape=masks.shape[1:], tags={"StudyDate": "20200101", "StudyTime": "0900",
                 "PatientBirthDate": "", "PatientSex": "O", "AccessionNumber": "", "StudyID": "1", "SeriesNumber": 1,
                 "ReferringPhysicianName": "", "StudyInstanceUID": generate_uid()}))  # fmt: skip
    images = sorted((pydicom.dcmread(p) for p in (folder / "ct").iterdir()), key=lambda d: d.ImagePositionPatient[2])
    described = [
        highdicom.seg.SegmentDescription(
            number, f"Part {number}", codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.Neoplasm,
            highdicom.seg.SegmentAlgorithmTypeValues.MANUAL)
        for number in range(1, len(masks) + 1)
    ]  # fmt: skip
    found = highdicom.seg.Segmentation(
        images, np.moveaxis(masks, 0, -1), kind, described, generate_uid(), 2, generate_uid(), 1, "maker", "model",
        "1", "1", omit_empty_frames=True)  # fmt: skip
    found.save_as(folder / "seg.dcm")
    return folder / "seg.dcm", mf.read_volume(folder / "ct")


def masks(count=2):
    rng = np.random.default_rng(3)
    labels = rng.integers(0, count + 1, (6, 8, 10))
    labels[2] = 0  # an empty frame in the middle is left out of the object
    labels[0, 0, 0] = labels[-1, 0, 0] = 1
    return np.stack([labels == n for n in range(1, count + 1)]).astype(np.uint8), labels


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_a_segmentation_lands_on_the_voxels_it_was_drawn_on(tmp_path, kind):
    parts, labels = masks()
    path, ct = write_segmentation(tmp_path, parts, kind)
    found = read_dicom_segmentation(path)
    k, j, i = np.indices(found.labels.shape)
    back = np.rint(ct.geometry.to_ijk(found.geometry.to_ras(np.stack([i, j, k], -1)))).astype(int)
    on_ct = np.zeros(ct.geometry.shape, int)
    on_ct[back[..., 2], back[..., 1], back[..., 0]] = found.labels
    assert np.array_equal(on_ct, labels)
    assert [segment.name for segment in found.segments] == ["Part 1", "Part 2"]
    assert found.segments[0].type_code.value == "108369006"
    assert found.source.frame_of_reference == ct.source.frame_of_reference
    assert np.array_equal(read_labels(path)[0], found.labels)


def test_a_segmentation_beside_its_images_does_not_hide_them(tmp_path):
    _, ct = write_segmentation(tmp_path, masks()[0])
    assert np.array_equal(mf.read_volume(tmp_path).array, ct.array)
    assert [entry["kind"] for entry in inspect_path(tmp_path)] == ["image", "segmentation"]


def test_overlapping_segments_ask_for_one(tmp_path):
    parts, _ = masks()
    parts[1] |= parts[0]
    path, _ = write_segmentation(tmp_path, parts)
    with pytest.raises(NotSupported, match=r"OVERLAPPING_SEGMENTS.*\[1, 2\]"):
        read_dicom_segmentation(path)
    assert set(np.unique(read_dicom_segmentation(path, segment=2).labels)) == {0, 2}
    with pytest.raises(UsageError, match="Segment 7"):
        read_dicom_segmentation(path, segment=7)


def test_a_segmentation_is_no_image_and_an_image_no_segmentation(tmp_path):
    path, _ = write_segmentation(tmp_path, masks()[0])
    with pytest.raises(NotSupported, match="is a segmentation"):
        mf.read_volume(path)
    with pytest.raises(UnreadableFile, match="no DICOM Segmentation"):
        read_dicom_segmentation(next((tmp_path / "ct").iterdir()))


def test_a_segmentation_that_claims_a_giant_extent_is_refused_before_memory_is_taken(tmp_path):
    path, _ = write_segmentation(tmp_path, masks()[0])
    dataset = pydicom.dcmread(path)
    dataset.PerFrameFunctionalGroupsSequence[-1].PlanePositionSequence[0].ImagePositionPatient = [0, 0, 1e7]
    dataset.save_as(path)
    with pytest.raises(UnreadableFile, match="4096 along each axis"):
        read_dicom_segmentation(path)


@pytest.mark.parametrize("name, voxels", [("single", 107098), ("labelmap", 630)])
def test_real_segmentations_equal_the_mask_they_were_made_from(data_folder, name, voxels):
    folder = data_folder / "dicom_seg/dcmqi" / name
    found = read_dicom_segmentation(next(folder.glob("*_seg.dcm")))
    labels, geometry = read_labels(next(folder.glob("*_expected.nrrd")))
    k, j, i = np.nonzero(labels)
    back = np.rint(found.geometry.to_ijk(geometry.to_ras(np.stack([i, j, k], -1)))).astype(int)
    assert len(k) == voxels == (found.labels > 0).sum()
    assert (found.labels[back[:, 2], back[:, 1], back[:, 0]] == 1).all()


def test_a_real_pet_segmentation_has_its_known_measures(data_folder, tmp_path):
    folder = unpack(data_folder, tmp_path, "dicom_seg/qin_headneck_01_0024.tar.xz")
    pet = mf.read_volume(next(path for path in folder.rglob("PET") if path.is_dir()))
    file = next(path for path in folder.rglob("*") if path.is_file() and "SEG" in path.parts)
    found = read_dicom_segmentation(file)
    for label, voxels, mean, most in ((1, 54, 3.516, 4.426), (2, 212, 3.714, 7.208)):
        k, j, i = np.nonzero(found.labels == label)
        back = np.rint(pet.geometry.to_ijk(found.geometry.to_ras(np.stack([i, j, k], -1)))).astype(int)
        values = pet.array[back[:, 2], back[:, 1], back[:, 0]]
        assert (len(values), values.mean(), values.max()) == pytest.approx((voxels, mean, most), abs=2e-3)


@pytest.mark.parametrize("name", ["CT", "MR_T1", "PET"])
def test_real_contours_fill_the_published_mask_voxel_for_voxel(data_folder, tmp_path, name):
    folder = unpack(data_folder, tmp_path, "sts_001/dicom.tar.xz") / "dicom" / name
    found = read_contours(folder / "mask/RS.dcm", mf.read_volume(folder / "image"))
    published, geometry = read_labels(data_folder / f"sts_001/nifti/{name}_gtv.nii.gz")
    assert found.geometry.same_grid(geometry)
    assert np.array_equal(found.labels > 0, published > 0)


@pytest.mark.parametrize("plane", ["axial", "coronal", "oblique"])
def test_a_contour_in_a_contour_is_a_hole(tmp_path, plane):
    recipe = write_series(tmp_path / "ct", Recipe(plane=plane, shape=(4, 12, 12)))
    ct = mf.read_volume(tmp_path / "ct")
    path = structure_set(tmp_path, [square(ct, 1, 0.5, 8.5), square(ct, 1, 2.5, 5.5)], recipe.frame)
    found = read_contours(path, ct)
    expected = np.zeros(ct.geometry.shape, bool)
    expected[1, 1:9, 1:9] = True
    expected[1, 3:6, 3:6] = False
    assert np.array_equal(found.labels > 0, expected)
    assert (found.segments[0].name, found.segments[0].colour) == ("Target", (1.0, 0.0, 0.0))


def test_contours_that_do_not_belong_to_the_images_are_refused(tmp_path):
    recipe = write_series(tmp_path / "ct", Recipe(shape=(4, 12, 12)))
    ct = mf.read_volume(tmp_path / "ct")
    with pytest.raises(NotSupported, match="CONTOUR_PLANE"):
        read_contours(structure_set(tmp_path, [square(ct, 1.5, 1, 5)], recipe.frame), ct)
    across = square(ct, 1, 1, 5) + np.array([[0, 0, 0], [0, 0, 0], [0, 0, 5], [0, 0, 5]])
    with pytest.raises(NotSupported, match="CONTOUR_PLANE"):
        read_contours(structure_set(tmp_path, [across], recipe.frame), ct)
    with pytest.raises(UnreadableFile, match="another frame of reference"):
        read_contours(structure_set(tmp_path, [square(ct, 1, 1, 5)], generate_uid()), ct)
    path = structure_set(tmp_path, [square(ct, 1, 1, 5), square(ct, 9, 1, 5)], recipe.frame)
    assert "1 contours lie outside" in read_contours(path, ct).source.notes[0]
    with pytest.raises(UsageError, match="No region 'Liver'"):
        read_contours(path, ct, names=["Liver"])
    with pytest.raises(UnreadableFile, match="0 regions"):
        read_contours(structure_set(tmp_path, [], recipe.frame), ct)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 13), st.floats(-3, 13)), min_size=3, max_size=9))
def test_filling_a_polygon_agrees_with_the_winding_of_every_pixel(points):
    polygon = np.array(points)
    found = inside_polygon(polygon, (11, 10))
    for row, column in np.ndindex(11, 10):
        x0, y0 = polygon.T
        x1, y1 = np.roll(polygon, -1, axis=0).T
        crossing = (y0 <= row) != (y1 <= row)
        at = x0[crossing] + (row - y0[crossing]) / (y1 - y0)[crossing] * (x1 - x0)[crossing]
        if np.abs(at - column).min(initial=1) > 1e-9:
            assert found[row, column] == bool((at < column).sum() % 2)


def test_a_registration_becomes_a_matrix_in_ras(tmp_path):
    turn, shift = np.eye(4), np.eye(4)
    turn[:2, :2] = [[0, -1], [1, 0]]
    shift[:3, 3] = (10, 20, 30)
    [found] = read_registration(registration(tmp_path, [turn, shift]))
    point_lps = np.array([1.0, 2.0, 3.0, 1.0])
    moved = shift @ turn @ point_lps
    assert found.ras_to_ras @ (point_lps * (-1, -1, 1, 1)) == pytest.approx(moved * (-1, -1, 1, 1))
    assert found.kind == "RIGID" and found.moving != found.reference and "1.2" not in found.moving


def test_registrations_that_are_not_what_they_say_are_refused(tmp_path):
    mirror = np.diag([-1.0, 1, 1, 1])
    for matrix, kind, words in (
        (mirror, "AFFINE", "mirrors"), (np.diag([2.0, 2, 2, 1]), "RIGID", "calls a matrix rigid"),
        (np.diag([1.0, 1, 1, 2]), "AFFINE", "projects"), (np.eye(4), "MAGIC", "no known type"),
    ):  # fmt: skip
        with pytest.raises(UnreadableFile, match=words) as caught:
            read_registration(registration(tmp_path, [matrix], kind))
        assert SENTINEL not in str(caught.value)
    with pytest.raises(NotSupported, match="deformable"):
        read_registration(registration(tmp_path, [np.eye(4)], sop="1.2.840.10008.5.1.4.1.1.66.3"))


def two_frames(folder):
    """A CT and an MR of the same shape, the MR 7 mm to the right in a frame of reference of its own."""
    ct = write_series(folder / "ct", Recipe(shape=(8, 12, 12)))
    mr = write_series(folder / "mr", Recipe("MR", shape=(8, 12, 12), origin=(-27.0, 30.0, -40.0)))
    return ct, mr


@pytest.mark.parametrize("common", ["reference", "moving", "third"])
def test_a_registration_file_brings_two_frames_of_reference_together(tmp_path, common):
    ct, mr = two_frames(tmp_path)
    shift = np.eye(4)
    shift[0, 3] = 7.0 if common == "reference" else -7.0
    frames = {"reference": (ct.frame, mr.frame), "moving": (mr.frame, ct.frame), "third": ("1.2.9", ct.frame)}[common]
    path = registration(tmp_path, [shift], frames=frames)
    if common == "third":
        dataset = pydicom.dcmread(path)
        dataset.RegistrationSequence.append(copy.deepcopy(dataset.RegistrationSequence[0]))
        dataset.RegistrationSequence[1].FrameOfReferenceUID = mr.frame
        matrix = dataset.RegistrationSequence[1].MatrixRegistrationSequence[0].MatrixSequence[0]
        matrix.FrameOfReferenceTransformationMatrix = [f"{v:g}" for v in np.eye(4).ravel()]
        dataset.save_as(path)
    case = mf.Case([mf.read_volume(tmp_path / "ct"), mf.read_volume(tmp_path / "mr")])
    result = mf.fuse(case, "average", transform=path, force=True)
    assert np.allclose(result.sources[1].array, case.sources[1].array, atol=1e-3)


def test_a_registration_of_other_images_is_refused(tmp_path):
    two_frames(tmp_path)
    case = mf.Case([mf.read_volume(tmp_path / "ct"), mf.read_volume(tmp_path / "mr")])
    with pytest.raises(UnreadableFile, match="says 0 times where the frame of reference of CT lies"):
        mf.fuse(case, "average", transform=registration(tmp_path, [np.eye(4)]), force=True)


def test_contours_and_segmentations_are_taken_as_the_tumour_on_the_series_they_belong_to(tmp_path):
    _, mr = two_frames(tmp_path)
    case = mf.Case([mf.read_volume(tmp_path / "ct"), mf.read_volume(tmp_path / "mr")])
    (tmp_path / "rs").mkdir()
    structure_set(tmp_path / "rs", [square(case.sources[1], 2, 1.5, 6.5)], mr.frame)
    lesion = mf.fuse(case, "average", tumour=str(tmp_path / "rs"), force=True).tumour
    assert lesion.segments[0].name == "Target"
    assert lesion.geometry.same_grid(case.sources[1].geometry)
    assert np.argwhere(lesion.labels)[:, 0].tolist() == [2] * 25
    with pytest.raises(UnreadableFile, match="holds 0 DICOM Segmentations"):
        mf.fuse(case, "average", tumour=str(tmp_path / "ct"), force=True)
