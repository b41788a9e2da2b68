"""Corner text: series, date, window and slice, never a patient's name; and windows, colours, legends."""

import pytest
import slicer
from vtk.util.numpy_support import vtk_to_numpy

from MedFusionLib import units
from MedFusionLib.errors import UsageError
from MedFusionLib.intensity import Window
from MedFusionLib.volume import Volume
from MedFusionScene.annotation import Annotations
from MedFusionScene.captions import describe_layers, describe_slice, series_name, study_date
from MedFusionScene.display import set_layers, set_opacity, show_window
from MedFusionScene.legends import hide_legend, show_legend
from MedFusionScene.nodes import node_from_volume
from MedFusionScene.show import show_result
from MedFusionScene.slice_view import SliceView
from MedFusionScene.windows import (
    apply_colours,
    apply_preset,
    colours_of,
    preset_shown,
    presets_of,
)


@pytest.fixture
def study(scene):
    """Put a node into a study of a patient, as Slicer's DICOM loader does."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)

    def put(node, patient="DOE^JANE^MARY", date="20240229"):
        subject = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), patient)
        hierarchy.SetItemAttribute(subject, "DICOM.PatientName", patient)
        study = hierarchy.CreateStudyItem(subject, "PET/CT")
        if date:
            hierarchy.SetItemAttribute(study, "DICOM.StudyDate", date)
        item = hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(study, node)
        hierarchy.SetItemParent(item, study)
        return node

    return put


def test_series_and_date_come_from_the_scene(scene, pet, study):
    node = study(node_from_volume(pet, scene, name="5: PET whole body"))
    assert (series_name(node), study_date(node)) == ("5: PET whole body", "2024-02-29")


def test_without_dicom_there_is_no_date(scene, pet, study):
    assert study_date(node_from_volume(pet, scene)) == ""
    assert study_date(study(node_from_volume(pet, scene), date="")) == ""
    assert study_date(study(node_from_volume(pet, scene), date="unknown")) == ""


@pytest.mark.parametrize("name", ["Jane PET", "doe_pet_2024", "5: PET MARY", "SMITH^JOHN"])
def test_a_patients_name_is_never_written_into_a_picture(scene, pet, study, name):
    assert series_name(study(node_from_volume(pet, scene, name=name))) == "PT"


def test_every_visible_layer_is_described_with_its_window_and_unit(scene, mr, pet):
    composite = scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    nodes = [node_from_volume(volume, scene) for volume in (mr, pet)]
    for node, high in zip(nodes, (1000, 7)):
        show_window(node, Window(0, high))
    set_layers(composite, *nodes, 0.25)
    assert describe_layers(composite) == ["t1, 0 to 1000 a.u.", "pet, 0 to 7 SUVbw g/ml, opacity 25 %"]
    set_opacity(composite, 1.0)
    assert describe_layers(composite) == ["pet, 0 to 7 SUVbw g/ml"]
    set_opacity(composite, 0.0)
    assert describe_layers(composite) == ["t1, 0 to 1000 a.u."]


def test_fused_colours_are_described_by_what_they_mean_and_have_no_legend(scene, result):
    nodes = show_result(result, scene)
    composite = scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    set_layers(composite, nodes.colour)
    assert describe_layers(composite) == ["Fused: hue = function, brightness = fused"]
    set_layers(composite, nodes.fused, nodes.contribution[1], 0.75)
    assert describe_layers(composite) == ["Fused, 0 to 1 fusion index", "Contribution of source 1 (PT)"]
    with pytest.raises(UsageError, match="no values"):
        show_legend(nodes.colour)


def test_annotations_follow_slice_layers_and_windows(application, scene, mr, needs_gl):
    node = node_from_volume(mr, scene)
    view = SliceView(application.application_logic, scene, (160, 160), "Annotated", "Coronal")
    annotations = Annotations(application.application_logic)
    annotations.refresh()
    annotations.refresh()
    assert len(annotations) == 1
    (annotation,) = annotations._made.values()
    view.picture()
    assert annotation.lines() == []  # nothing is shown, nothing is said
    set_layers(view.composite, node)
    show_window(node, Window(0, 500))
    view.node.JumpSliceByOffsetting(0, -7.5, 0)
    before = view.picture()
    assert annotation.lines() == ["t1, 0 to 500 a.u.", "Coronal, P 7.5 mm", "Research use only"]
    show_window(node, Window(0, 400))
    view.picture()
    assert annotation.lines()[0] == "t1, 0 to 400 a.u."
    view.close()
    annotations.refresh()
    assert len(annotations) == 0
    assert before is not None


def test_a_slice_says_its_plane_and_place(application, scene):
    node = scene.AddNewNodeByClass("vtkMRMLSliceNode")
    node.SetOrientation("Sagittal")
    node.JumpSliceByOffsetting(-12.25, 0, 0)
    assert describe_slice(node) in ("Sagittal, L 12.2 mm", "Sagittal, L 12.3 mm")


def ct(mr):
    return Volume(mr.array - 500, mr.geometry, "CT", units.HOUNSFIELD, "ct")


def test_presets_are_offered_where_their_unit_is_known(scene, mr, pet):
    def names(volume):
        return [preset.name for preset in presets_of(node_from_volume(volume, scene))]

    assert {"brain", "bone", "lung", "soft-tissue"} <= set(names(ct(mr)))
    assert {"suv-5", "suv-10"} <= set(names(pet))
    assert names(mr) == ["automatic", "full"]
    raw = Volume(pet.array, pet.geometry, "PT", units.UNKNOWN, "raw")
    assert names(raw) == ["automatic", "full"]  # 0 to 10 of an unknown unit means nothing


@pytest.mark.parametrize(("name", "bounds"), [("brain", (0, 80)), ("lung", (-1350, 150)), ("full", (-500, 500))])
def test_a_preset_sets_the_window_of_the_real_display_node(scene, mr, name, bounds):
    node = node_from_volume(ct(mr), scene)
    apply_preset(node, name)
    display = node.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == pytest.approx(bounds)
    assert not display.GetAutoWindowLevel()
    assert preset_shown(node) == (None if name == "full" else name)


def test_the_automatic_window_of_mr_comes_from_its_own_values(scene, mr):
    node = node_from_volume(mr, scene)
    window = apply_preset(node, "automatic")
    assert 0 <= window.lower < window.upper <= 1000
    with pytest.raises(UsageError, match="no window 'brain'"):
        apply_preset(node, "brain")


def test_colours_suit_the_modality(scene, mr, pet):
    anatomy, function = node_from_volume(mr, scene), node_from_volume(pet, scene)
    assert colours_of(anatomy)[0] == "Grey" and "Inferno" not in colours_of(anatomy)
    assert {"Inferno", "PET-Heat", "InvertedGrey"} <= set(colours_of(function))
    for title in colours_of(function):
        apply_colours(function, title)
        assert function.GetDisplayNode().GetColorNode().GetName() == title
    with pytest.raises(UsageError, match="Unknown colours"):
        apply_colours(anatomy, "Inferno")


def test_a_legend_says_modality_and_unit_and_can_be_taken_away(scene, pet):
    node = node_from_volume(pet, scene)
    legend = show_legend(node, views=["vtkMRMLSliceNodeRed"])
    assert legend.GetTitleText() == "PT, SUVbw g/ml"
    assert list(legend.GetViewNodeIDs()) == ["vtkMRMLSliceNodeRed"]
    hide_legend(node)
    assert not legend.GetVisibility()
    again = show_legend(node)
    assert again.GetVisibility() and again.GetNumberOfViewNodeIDs() == 0
    assert scene.GetNumberOfNodesByClass("vtkMRMLColorLegendDisplayNode") == 1


def test_a_view_that_is_made_later_shows_the_legend_too(application, scene, pet, needs_gl):
    node = node_from_volume(pet, scene)
    show_window(node, Window(0, 10))
    show_legend(node)
    view = SliceView(application.application_logic, scene, (160, 160), "Later", "Axial")
    set_layers(view.composite, node)
    plain = view.picture()
    show_legend(node)
    drawn = view.picture()
    view.close()
    one, other = (vtk_to_numpy(picture.GetPointData().GetScalars()) for picture in (plain, drawn))
    assert (one != other).any(axis=1).sum() > 200
