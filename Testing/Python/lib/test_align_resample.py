"""Resampling puts every source onto the reference's grid, in the patient's space."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedFusionLib import units
from MedFusionLib.align import coverage, resample_labels_to, resample_to, to_reference
from MedFusionLib.align.resample import outside_value
from MedFusionLib.errors import UnreadableFile, UsageError
from MedFusionLib.volume import Case, Geometry, Origin, Volume

TILTED = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])


def _geometry(shape, spacing=(1, 1, 1), origin=(0, 0, 0), axes=None):
    matrix = np.eye(4)
    matrix[:3, :3] = (np.eye(3) if axes is None else axes) @ np.diag(spacing)
    matrix[:3, 3] = origin
    return Geometry(shape, matrix)


def _field(geometry, modality="MR", unit=units.ARBITRARY):
    """A volume whose value is r + 2 a + 4 s: linear, so that linear interpolation is exact."""
    k, j, i = np.indices(geometry.shape)
    ras = geometry.to_ras(np.stack([i, j, k], axis=-1))
    return Volume(ras @ (1.0, 2.0, 4.0), geometry, modality, unit)


@pytest.mark.parametrize("axes", [None, np.diag([-1.0, -1.0, 1.0]), TILTED], ids=["RAS", "LPS", "oblique"])
def test_a_linear_field_keeps_its_value_at_every_place_in_the_patient(axes):
    big = _geometry((24, 30, 28), (2, 2, 2.5), (-25, -28, -30) if axes is None else (0, 0, -30), axes)
    centre = big.to_ras(np.array([14, 15, 12]))
    target = _geometry((9, 7, 11), (1.1, 0.9, 1.3), centre - 4)
    found = resample_to(_field(big), target)
    inside = coverage(big, target)
    assert inside.all()
    np.testing.assert_allclose(found.array, _field(target).array, atol=2e-4)


def test_the_same_grid_returns_the_volume_itself():
    volume = _field(_geometry((4, 5, 6)))
    assert resample_to(volume, _geometry((4, 5, 6))) is volume


def test_modality_unit_name_and_native_spacing_survive():
    volume = Volume(
        np.ones((4, 5, 6)), _geometry((4, 5, 6), (2, 3, 4)), "PT", units.SUV_BODY_WEIGHT, "pet", Origin(series="x")
    )
    found = resample_to(volume, _geometry((8, 8, 8)))
    assert (found.modality, found.unit, found.name) == ("PT", units.SUV_BODY_WEIGHT, "pet")
    assert found.source.native_spacing_mm == (2, 3, 4)
    assert found.source.series == "x"
    again = resample_to(found, _geometry((5, 5, 5)))
    assert again.source.native_spacing_mm == (2, 3, 4)


@pytest.mark.parametrize(
    ("modality", "unit", "low", "expected"),
    [
        ("CT", units.HOUNSFIELD, -700, -1000),
        ("CT", units.UNKNOWN, 200, 200),
        ("PT", units.SUV_BODY_WEIGHT, 0, 0),
        ("NM", units.COUNTS, 0, 0),
        ("MR", units.ARBITRARY, -122, 0),
        ("MR", units.ARBITRARY, 40, 40),
        ("OT", units.UNKNOWN, -3, -3),
    ],
)
def test_outside_the_field_of_view_lies_what_the_modality_means_by_nothing(modality, unit, low, expected):
    values = np.linspace(low, 900, 64).reshape(4, 4, 4)
    volume = Volume(values, _geometry((4, 4, 4)), modality, unit)
    assert outside_value(volume) == pytest.approx(expected)
    far = resample_to(volume, _geometry((4, 4, 4), origin=(100, 0, 0)))
    assert np.all(far.array == np.float32(expected))


def test_a_declared_fill_is_used():
    volume = _field(_geometry((4, 4, 4)))
    assert np.all(resample_to(volume, _geometry((2, 2, 2), origin=(50, 50, 50)), fill=-7).array == -7)


def test_labels_stay_labels():
    labels = np.zeros((8, 8, 8), np.uint8)
    labels[2:6, 2:6, 2:6] = 5
    labels[3, 3, 3] = 200
    source = _geometry((8, 8, 8), (2, 2, 2))
    found = resample_labels_to(labels, source, _geometry((16, 16, 16), origin=(-0.5, -0.5, -0.5)))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, labels.repeat(2, 0).repeat(2, 1).repeat(2, 2))


def test_coverage_is_the_shared_field_of_view():
    mine = _geometry((10, 10, 10))
    half = coverage(_geometry((10, 10, 10), origin=(5, 0, 0)), mine)
    assert half.dtype == bool
    assert half.mean() == pytest.approx(0.5)
    assert half[:, :, 5:].all()


def test_a_transform_goes_from_target_lps_to_moving_lps():
    # 10 mm along +x in LPS is 10 mm to the left: what lies there is fetched
    geometry = _geometry((12, 12, 40), origin=(-20, 0, 0))
    transform = sitk.TranslationTransform(3, (10.0, 0.0, 0.0))
    moved = resample_to(_field(geometry), geometry, transform=transform)
    inner = moved.array[:, :, 12:]
    np.testing.assert_allclose(inner, _field(geometry).array[:, :, 12:] - 10, atol=1e-4)


def test_a_transform_file_means_the_same_as_the_transform(tmp_path):
    geometry = _geometry((6, 7, 8))
    transform = sitk.Euler3DTransform((3.0, 3.0, 3.0), 0.05, 0.02, -0.04, (0.5, -0.25, 1.0))
    sitk.WriteTransform(transform, str(tmp_path / "t.h5"))
    by_file = resample_to(_field(geometry), geometry, transform=tmp_path / "t.h5")
    np.testing.assert_array_equal(by_file.array, resample_to(_field(geometry), geometry, transform=transform).array)


def test_a_missing_or_broken_transform_file_is_named(tmp_path):
    volume = _field(_geometry((4, 4, 4)))
    with pytest.raises(UnreadableFile, match=r"gone\.h5"):
        resample_to(volume, volume.geometry, transform=tmp_path / "gone.h5")
    (tmp_path / "broken.tfm").write_text("this is not a transform")
    with pytest.raises(UnreadableFile, match=r"broken\.tfm"):
        resample_to(volume, volume.geometry, transform=tmp_path / "broken.tfm")
    with pytest.raises(UsageError, match="type int"):
        resample_to(volume, volume.geometry, transform=3)


def test_every_source_of_a_case_lands_on_the_reference():
    reference = _field(_geometry((6, 6, 6)))
    others = [_field(_geometry((5, 9, 7), (2, 2, 2))), _field(_geometry((20, 20, 20), (0.5, 0.5, 0.5)))]
    case = to_reference(Case([reference, *others]))
    assert case.reference is reference
    for source in case.sources:
        assert source.geometry.same_grid(reference.geometry)
        np.testing.assert_allclose(source.array, reference.array, atol=1e-4)


def test_one_slice_can_be_brought_onto_one_slice():
    volume = _field(_geometry((1, 20, 20), (1, 1, 5)))
    found = resample_to(volume, _geometry((1, 10, 10), (2, 2, 5)))
    np.testing.assert_allclose(found.array, volume.array[:, ::2, ::2], atol=1e-4)


def test_real_tumour_masks_on_three_grids_agree_after_resampling(data_folder):
    nibabel = pytest.importorskip("nibabel")
    masks = []
    for name in ("CT", "MR_T1", "PET"):
        image = nibabel.load(data_folder / "sts_001" / "nifti" / f"{name}_gtv.nii.gz")
        labels = np.asarray(image.dataobj).T.astype(np.uint8)
        masks.append((labels, Geometry(labels.shape, image.affine)))
    reference, grid = masks[0]
    for (labels, geometry), least in zip(masks[1:], (0.99, 0.95)):
        found = resample_labels_to(labels, geometry, grid)
        dice = 2 * np.sum(found & reference) / (found.sum() + reference.sum())
        assert dice > least
