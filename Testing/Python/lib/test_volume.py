import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MedFusionLib import units
from MedFusionLib.errors import UsageError
from MedFusionLib.volume import Case, Geometry, Volume
from phantoms import head_pair, oblique_geometry, upright_geometry


def test_the_corners_of_an_upright_grid_are_where_its_spacing_puts_them():
    geometry = Geometry((3, 4, 5), np.diag([1.0, 2.0, 3.0, 1.0]))
    assert geometry.spacing_mm == (1.0, 2.0, 3.0)
    assert geometry.corners_ras()[0].tolist() == [0, 0, 0]
    assert geometry.corners_ras()[-1].tolist() == [4, 6, 6]
    assert geometry.bounds_ras() == (-0.5, 4.5, -1.0, 7.0, -1.5, 7.5)
    assert geometry.voxel_volume_ml == pytest.approx(0.006)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_indices_survive_the_way_to_the_patient_and_back(seed):
    geometry = oblique_geometry(seed)
    ijk = np.random.default_rng(seed).uniform(0, 9, size=(5, 3))
    assert np.allclose(geometry.to_ijk(geometry.to_ras(ijk)), ijk, atol=1e-9)


@pytest.mark.parametrize("codes", ["RAS", "LAS", "LPS", "PIR", "SRA"])
def test_axis_codes_name_the_patient_directions(codes):
    matrix = np.eye(4)
    for axis, letter in enumerate(codes):
        world = next(n for n, pair in enumerate(("LR", "PA", "IS")) if letter in pair)
        matrix[:3, axis] = 0
        matrix[world, axis] = 1 if letter in "RAS" else -1
    assert Geometry((2, 2, 2), matrix).axis_codes == codes


@pytest.mark.parametrize(
    "matrix, word",
    [
        (np.full((4, 4), np.nan), "not finite"),
        (np.diag([1.0, 1.0, 0.0, 1.0]), "singular"),
        (np.diag([1.0, 1.0, 1.0, 2.0]), "last row"),
        (np.eye(3), "4 x 4"),
    ],
)
def test_a_matrix_that_is_no_grid_is_refused(matrix, word):
    with pytest.raises(UsageError, match=word):
        Geometry((2, 2, 2), matrix)


def test_a_grid_that_moved_by_a_hundredth_of_a_millimetre_is_another_grid():
    geometry = upright_geometry()
    moved = geometry.ijk_to_ras.copy()
    moved[0, 3] += 0.01
    other = Geometry(geometry.shape, moved)
    assert not geometry.same_grid(other)
    assert "0.01 mm away" in geometry.describe_difference(other)
    assert geometry.describe_difference(geometry) == ""


def test_the_difference_of_grids_is_said_in_words():
    sentence = upright_geometry((24, 32, 28)).describe_difference(upright_geometry((24, 32, 30), (2.0, 2.0, 3.0)))
    assert "30 x 32 x 24 instead of 28 x 32 x 24 voxels" in sentence
    assert "2 x 2 x 3 instead of 2 x 2 x 2.5 mm" in sentence


def test_the_slice_axis_is_the_one_with_thick_slices_and_k_otherwise():
    assert upright_geometry(spacing_mm=(1, 1, 1)).slice_axis == 0
    assert upright_geometry(spacing_mm=(1, 5, 1)).slice_axis == 1
    assert upright_geometry(spacing_mm=(5, 1, 1)).slice_axis == 2


def test_nobody_can_change_a_volume():
    volume = Volume(np.zeros((2, 2, 2)), Geometry((2, 2, 2), np.eye(4)))
    with pytest.raises(ValueError):
        volume.array[0, 0, 0] = 1
    with pytest.raises(ValueError):
        volume.geometry.ijk_to_ras[0, 0] = 2


def test_a_volume_must_fit_its_grid_and_have_a_known_modality():
    geometry = Geometry((2, 2, 2), np.eye(4))
    with pytest.raises(UsageError, match="the grid's shape"):
        Volume(np.zeros((2, 2, 3)), geometry)
    with pytest.raises(UsageError, match="one of CT, MR"):
        Volume(np.zeros((2, 2, 2)), geometry, "XX")
    with pytest.raises(UsageError, match="4 dimensions"):
        Volume(np.zeros((2, 2, 2, 2)), geometry)


def test_a_case_knows_its_reference_and_its_pair():
    mr, pet = head_pair()
    case = Case([mr, pet])
    assert case.reference is mr
    assert case.pair_code == "MR-PT"
    with pytest.raises(UsageError):
        Case([])
    with pytest.raises(UsageError, match="ndarray"):
        Case([np.zeros(3)])


@pytest.mark.parametrize("text", ["HU", "[hnsf'U]", "hounsfield"])
def test_units_are_known_by_code_and_by_common_name(text):
    assert units.parse_unit(text) is units.HOUNSFIELD


def test_an_unknown_unit_is_refused_and_a_missing_one_stays_unknown():
    with pytest.raises(UsageError, match="kilofoo"):
        units.parse_unit("kilofoo")
    assert not units.parse_unit(None).is_known
