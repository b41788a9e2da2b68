"""Segmentation and measures on real patients."""

import tarfile

import numpy as np
import pytest

import MedFusionLib as mf
from MedFusionLib import units
from MedFusionLib.align import resample_labels_to
from MedFusionLib.io import read_labels
from MedFusionLib.region import LabelRegion, box_around
from MedFusionLib.segment import compare_rules, measure_agreement, measure_lesions, segmentation_from_labels
from MedFusionLib.volume import Case


@pytest.fixture(scope="module")
def sarcoma(data_folder):
    folder = data_folder / "sts_001" / "nifti"
    names = (("CT", "CT", "HU"), ("PT", "PET", "SUVbw"), ("MR", "MR_T1", "a.u."))
    sources = [mf.read_volume(folder / f"{name}_image.nii.gz", m, u) for m, name, u in names]
    return sources, {m: read_labels(folder / f"{name}_gtv.nii.gz") for m, name, _ in names}


def test_the_default_finds_the_sarcoma_from_its_box(sarcoma):
    sources, truth = sarcoma
    box = box_around(LabelRegion(*truth["CT"]), margin_mm=10)
    found = mf.segment_tumour(Case(sources), roi=box)
    agreement = measure_agreement(found.labels > 0, truth["CT"][0] > 0, found.geometry)
    assert agreement.dice >= 0.80
    assert found.evidence["leading_modality"] == "PT"
    mr = found.evidence["sources"][2]
    assert mr["modality"] == "MR" and mr["weight"] < 0.5 and mr["offset_ras_mm"][1] > 0  # it lies too far posterior


def test_the_contours_have_their_published_volumes(sarcoma):
    sources, truth = sarcoma
    for modality, volume_ml in (("CT", 365.32), ("MR", 365.31), ("PT", 366.08)):
        found = measure_lesions(segmentation_from_labels(*truth[modality]), sources, resample_labels_to).measures[0]
        assert found["volume_ml"] == pytest.approx(volume_ml, abs=0.01)


def test_pet_rules_alone_lie_far_apart_in_the_sarcoma(sarcoma):
    (_, pet, _), truth = sarcoma
    region = box_around(LabelRegion(*truth["PT"]), margin_mm=10).mask_on(pet.geometry)
    compared = compare_rules(pet, region=region)
    assert compared.largest_ml > 4 * compared.smallest_ml


def test_the_default_finds_the_glioma_from_one_click(data_folder):
    folder = data_folder / "lgg_du7294"
    sources = [mf.read_volume(folder / f"{name}.nii.gz", "MR", name=name) for name in ("flair", "t1c")]
    labels, geometry = read_labels(folder / "seg" / "fusion_mav.nii.gz")
    seed = tuple(geometry.to_ras(np.argwhere(labels > 0).mean(axis=0)[::-1]))
    found = mf.segment_tumour(Case(sources), seed=seed)
    assert measure_agreement(found.labels > 0, labels > 0, geometry).dice >= 0.80


def test_measures_of_a_dicom_segmentation_are_those_that_highdicom_gives(data_folder, tmp_path):
    import highdicom as hd

    with tarfile.open(data_folder / "dicom_seg" / "qin_headneck_01_0024.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    folder = next(path for path in tmp_path.rglob("PET") if path.is_dir())
    pet = mf.read_volume(folder, unit="Bq/ml")
    suv = mf.Volume(pet.array * np.float32(0.00029448), pet.geometry, "PT", units.SUV_BODY_WEIGHT)
    file = next(path for path in tmp_path.rglob("*") if path.is_file() and "SEG" in path.parts)
    volume = hd.seg.segread(file).get_volume(combine_segments=True)
    matrix = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine[:, [2, 1, 0, 3]]
    geometry = mf.Geometry(volume.array.shape, matrix)
    found = measure_lesions(segmentation_from_labels(volume.array, geometry), [suv], resample_labels_to).measures
    for measures, voxels, mean, highest in zip(found, (54, 212), (3.516, 3.714), (4.426, 7.208)):
        assert measures["sources"][0]["voxels"] == voxels
        assert measures["suv_mean"] == pytest.approx(mean, abs=1e-3)
        assert measures["suv_max"] == pytest.approx(highest, abs=1e-3)
        assert measures["suv_mean"] < measures["suv_peak"] < measures["suv_max"]
        assert measures["volume_ml"] == pytest.approx(voxels * suv.geometry.voxel_volume_ml, rel=1e-6)
