"""The same file lies at the same place in the patient for the library and for Slicer's own reader."""

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
import slicer
import slicer.util
import vtk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

import MedFusionLib as mf

SHAPE = (5, 7, 6)
SPACING = (1.5, 2.0, 3.0)
ORIGIN_RAS = np.array([-11.0, 23.5, -40.25])
MARKS = (101, 102, 103, 104, 105, 106, 107, 108)
PLANES = {  # direction of rows and columns in LPS
    "axial": ((1, 0, 0), (0, 1, 0)),
    "sagittal": ((0, 1, 0), (0, 0, -1)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "oblique": ((0.8, 0.6, 0), (-0.36, 0.48, 0.8)),
}


def _marked() -> np.ndarray:
    """Voxels with a value of its own in every corner."""
    array = np.full(SHAPE, 7, np.int16)
    array[np.ix_((0, -1), (0, -1), (0, -1))] = np.reshape(MARKS, (2, 2, 2))
    return array


def _places(array: np.ndarray, ijk_to_ras: np.ndarray) -> np.ndarray:
    """(8, 3) RAS of the marks, whatever order the reader stores its voxels in."""
    ijk = np.array([np.argwhere(array == mark)[0][::-1] for mark in MARKS], float)
    return ijk @ ijk_to_ras[:3, :3].T + ijk_to_ras[:3, 3]


def _places_in_library(path) -> np.ndarray:
    volume = mf.read_volume(path, modality="MR")
    return _places(volume.array, volume.geometry.ijk_to_ras)


def _places_of_node(node) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return _places(slicer.util.arrayFromVolume(node), slicer.util.arrayFromVTKMatrix(matrix))


def _places_in_slicer(scene, path) -> np.ndarray:
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(path))
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert storage.ReadData(node)
    return _places_of_node(node)


@pytest.mark.parametrize("signs", [(-1, 1, 1), (1, 1, 1)], ids=["L-A-S", "R-A-S"])
def test_corners_of_a_nifti_lie_where_slicer_puts_them(scene, tmp_path, signs):
    affine = np.diag([*(np.array(SPACING) * signs), 1.0])
    affine[:3, 3] = ORIGIN_RAS
    image = nib.Nifti1Image(_marked().transpose(2, 1, 0), affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "t1.nii.gz")
    expected = _places(_marked(), affine)
    np.testing.assert_allclose(_places_in_library(tmp_path / "t1.nii.gz"), expected, atol=1e-4)
    np.testing.assert_allclose(_places_in_slicer(scene, tmp_path / "t1.nii.gz"), expected, atol=1e-4)


def test_corners_of_an_nrrd_lie_where_slicer_puts_them(scene, tmp_path):
    image = sitk.GetImageFromArray(_marked())
    image.SetSpacing(SPACING)
    image.SetOrigin(ORIGIN_RAS * (-1, -1, 1))
    image.SetDirection((0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1))
    sitk.WriteImage(image, str(tmp_path / "t1.nrrd"))
    ours = _places_in_library(tmp_path / "t1.nrrd")
    np.testing.assert_allclose(ours[0], ORIGIN_RAS, atol=1e-4)
    np.testing.assert_allclose(ours, _places_in_slicer(scene, tmp_path / "t1.nrrd"), atol=1e-4)


@pytest.mark.parametrize("plane", PLANES)
def test_corners_of_a_dicom_series_lie_where_slicer_puts_them(application, scene, tmp_path, plane):
    rows, columns = (np.array(axis, float) for axis in PLANES[plane])
    files = _write_series(tmp_path, rows, columns)
    node = _load_series(application, files)
    ours = _places_in_library(tmp_path)
    np.testing.assert_allclose(ours[0], ORIGIN_RAS, atol=1e-4)
    np.testing.assert_allclose(ours, _places_of_node(node), atol=1e-3)


def _load_series(application, files):
    names = vtk.vtkStringArray()
    for file in files:
        names.InsertNextValue(str(file))
    node = application.logics["Volumes"].AddArchetypeVolume(str(files[0]), "series", 0, names)
    assert node is not None
    return node


def _write_series(folder, rows: np.ndarray, columns: np.ndarray) -> list:
    """One MR file per slice, named against their order; returned in the order of their positions."""
    normal, first = np.cross(rows, columns), ORIGIN_RAS * (-1, -1, 1)
    series = {name: generate_uid() for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")}
    files = []
    for number, pixels in enumerate(_marked()):
        dataset = Dataset()
        for name, uid in series.items():
            setattr(dataset, name, uid)
        dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = MRImageStorage, generate_uid(), "MR"
        dataset.PatientName, dataset.PatientID, dataset.InstanceNumber = "Phantom", "phantom", number + 1
        dataset.ImagePositionPatient = [f"{x:.8g}" for x in first + number * SPACING[2] * normal]
        dataset.ImageOrientationPatient = [f"{x:.8g}" for x in (*rows, *columns)]
        dataset.PixelSpacing, dataset.SliceThickness = [SPACING[1], SPACING[0]], SPACING[2]
        dataset.Rows, dataset.Columns = pixels.shape
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
        dataset.PixelData = pixels.tobytes()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.file_meta.MediaStorageSOPClassUID = MRImageStorage
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        files.append(folder / f"{9 - number}.dcm")
        pydicom.dcmwrite(files[-1], dataset, enforce_file_format=True)
    return files


@pytest.mark.parametrize("name", ["CT_image", "MR_T1_image", "PET_image"])
def test_a_real_volume_lies_where_slicer_puts_it(scene, data_folder, name):
    path = data_folder / "sts_001" / "nifti" / f"{name}.nii.gz"
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(path))
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert storage.ReadData(node)
    ours = mf.read_volume(path)
    bounds = np.zeros(6)
    node.GetRASBounds(bounds)
    np.testing.assert_allclose(ours.geometry.bounds_ras(), bounds, atol=1e-2)
    np.testing.assert_allclose(ours.array.sum(dtype=float), slicer.util.arrayFromVolume(node).sum(dtype=float))
