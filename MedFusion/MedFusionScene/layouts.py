"""Hanging protocols: which views stand where, as layouts of 3D Slicer."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

from MedFusionLib.errors import UsageError

PREFIX = "MedFusion-"
VIEW_GROUP = 53
"""Views of one group are linked with each other and leave other views alone."""
_COLUMNS = ("anatomy", "function", "fused")
_PLANES = ("Axial", "Coronal", "Sagittal")
_COLOURS = {"Axial": "#F34A33", "Coronal": "#6EB04B", "Sagittal": "#EDD54C"}
_TITLES = {"anatomy": "Anatomy", "function": "Function", "fused": "Fused", "layers": "Two layers",
           "contribution": "Contribution", "invention": "Invention"}  # fmt: skip


@dataclass(frozen=True)
class SliceCell:
    """A slice view of a protocol.

    Parameters
    ----------
    role : {"anatomy", "function", "fused", "layers", "contribution", "invention"}
        What it shows.
    plane : {"Axial", "Coronal", "Sagittal"}
        Orientation, in radiological convention.
    """

    role: str
    plane: str

    @property
    def view_name(self) -> str:
        """The view's name in the layout, one and the same in every protocol."""
        return f"{PREFIX}{self.role}-{self.plane}"


@dataclass(frozen=True)
class VolumeCell:
    """The 3-D view of a protocol: the maximum intensity projection."""

    view_name: str = f"{PREFIX}projection"


@dataclass(frozen=True)
class Protocol:
    """A hanging protocol.

    Parameters
    ----------
    name, title : str
        For scripts and for people.
    layout : int
        Slicer's number of the layout; extensions take numbers above 500.
    rows : tuple of tuples of cells
        Top to bottom, each from left to right. A protocol of one row whose last cell is a column
        (a tuple of cells) has one large view beside small ones.
    """

    name: str
    title: str
    layout: int
    rows: tuple

    @property
    def cells(self) -> tuple:
        """All cells, row by row."""
        return tuple(cell for row in self.rows for one in row for cell in (one if isinstance(one, tuple) else (one,)))


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("three-planes", "Anatomy | function | fused, three planes", 53001,
                 tuple(tuple(SliceCell(role, plane) for role in _COLUMNS) for plane in _PLANES)),
        Protocol("fused-projection", "Fused, large, with projection (MIP)", 53002,
                 ((SliceCell("fused", "Axial"),
                   (VolumeCell(), SliceCell("fused", "Coronal"), SliceCell("fused", "Sagittal"))),)),
        Protocol("comparison", "Comparison, 2 x 3", 53003,
                 (tuple(SliceCell(role, "Axial") for role in ("anatomy", "function", "layers")),
                  tuple(SliceCell(role, "Axial") for role in ("fused", "contribution", "invention")))),
    )
}  # fmt: skip


def protocol_of(name: str) -> Protocol:
    """A protocol by its name.

    Raises
    ------
    UsageError
        For an unknown name.
    """
    if name not in PROTOCOLS:
        raise UsageError(f"Unknown layout {name!r}", "one of " + ", ".join(PROTOCOLS))
    return PROTOCOLS[name]


def layout_xml(protocol: Protocol) -> str:
    """The protocol in Slicer's layout language."""
    root = ElementTree.Element("layout", type="vertical", split="true")
    for row in protocol.rows:
        line = ElementTree.SubElement(ElementTree.SubElement(root, "item"), "layout", type="horizontal", split="true")
        for one in row:
            item = ElementTree.SubElement(line, "item")
            if isinstance(one, tuple):
                item.set("splitSize", "340")
                column = ElementTree.SubElement(item, "layout", type="vertical", split="true")
                for cell in one:
                    _add_view(ElementTree.SubElement(column, "item"), cell)
            else:
                if any(isinstance(other, tuple) for other in row):
                    item.set("splitSize", "660")
                _add_view(item, one)
    return ElementTree.tostring(root, encoding="unicode")


def layout_node(scene):
    """The node that holds the scene's layout, or None without any (no main window, no layout logic)."""
    kind = "vtkMRMLLayoutNode"
    return scene.GetNthNodeByClass(0, kind) if scene.GetNumberOfNodesByClass(kind) else None


def register_layouts(scene) -> bool:
    """Teach the scene's layout node all protocols; repeat it after a scene was loaded.

    Returns
    -------
    bool
        Whether there is a layout to teach.
    """
    node = layout_node(scene)
    if node is None:
        return False
    for protocol in PROTOCOLS.values():
        if node.IsLayoutDescription(protocol.layout) and node.GetLayoutDescription(protocol.layout):
            continue
        known = node.IsLayoutDescription(protocol.layout)  # by its number, from a scene that was loaded
        teach = node.SetLayoutDescription if known else node.AddLayoutDescription
        teach(protocol.layout, layout_xml(protocol))
        if node.GetViewArrangement() == protocol.layout:
            node.Modified()
    return True


def show_layout(scene, name: str) -> int | None:
    """Switch the views to a protocol.

    Returns
    -------
    int or None
        Number of the layout that was there before; None when there is no layout to switch.

    Raises
    ------
    UsageError
        For an unknown protocol.
    """
    protocol = protocol_of(name)
    if not register_layouts(scene):
        return None
    node = layout_node(scene)
    before = node.GetViewArrangement()
    node.SetViewArrangement(protocol.layout)
    return before


def restore_layout(scene, number: int) -> None:
    """Go back to another layout, unless the person has changed it since."""
    node = layout_node(scene)
    if node is not None and current_protocol(scene) is not None:
        node.SetViewArrangement(number)


def current_protocol(scene) -> Protocol | None:
    """The protocol that is shown; None for any other layout."""
    node = layout_node(scene)
    number = node.GetViewArrangement() if node is not None else 0
    return next((protocol for protocol in PROTOCOLS.values() if protocol.layout == number), None)


def role_of(view_name: str | None) -> str | None:
    """What a view of a protocol shows, by its name; None for views of others."""
    parts = (view_name or "").removeprefix(PREFIX).split("-")
    return parts[0] if (view_name or "").startswith(PREFIX) and len(parts) == 2 else None


def _add_view(item, cell) -> None:
    if isinstance(cell, VolumeCell):
        view = ElementTree.SubElement(item, "view", {"class": "vtkMRMLViewNode", "singletontag": cell.view_name})
        said = {"viewlabel": "MIP"}
    else:
        view = ElementTree.SubElement(item, "view", {"class": "vtkMRMLSliceNode", "singletontag": cell.view_name})
        label = f"{_TITLES[cell.role]}, {cell.plane.lower()}"
        said = {"orientation": cell.plane, "viewlabel": label, "viewcolor": _COLOURS[cell.plane]}
    for name, value in {**said, "viewgroup": str(VIEW_GROUP)}.items():
        ElementTree.SubElement(view, "property", name=name, action="default").text = value
