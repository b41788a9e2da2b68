"""Advanced Blending Presentation State: the original series blended by the viewer, nothing baked in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from MedFusionLib.colour import lookup_table
from MedFusionLib.errors import NotSupported, UsageError
from MedFusionLib.intensity import Window
from MedFusionLib.io.dicom_export import objects
from MedFusionLib.io.dicom_export.reference import Reference
from MedFusionLib.io.dicom_export.stamp import RESEARCH, Stamp

if TYPE_CHECKING:
    from pydicom import Dataset

FUNCTIONAL = ("PT", "NM")
OPACITY = 0.5
"""Half and half: the picture does not depend on which input a viewer takes for the foreground."""


def blending_state(
    references: tuple[Reference, ...], windows: tuple[Window | None, ...], stamp: Stamp, *, table: str
) -> Dataset:
    """Two original series, the second in colour over the first.

    Parameters
    ----------
    references : tuple of Reference
        Background, then foreground.
    windows : tuple of Window or None
        Per series, in the units that its own rescale gives; None leaves the window of the series.
    stamp : Stamp
        Kind ``"abps"``.
    table : str
        Lookup table of the foreground; the background is grey.

    Raises
    ------
    UsageError
        Without exactly two series.
    NotSupported
        Where the object is not legal: two studies, two frames of reference, or colour images.
    """
    import highdicom as hd

    _check_legal(references)
    palettes = (np.repeat(np.linspace(0, 1, 256)[:, None], 3, axis=1), lookup_table(table))
    blending = [
        hd.pr.AdvancedBlending(
            referenced_images=[_without_rescale(header) for header in reference.headers],
            blending_input_number=number,
            voi_lut_transformations=[_window(window)] if window else None,
            palette_color_lut_transformation=_palette(palette),
        )
        for number, (reference, window, palette) in enumerate(zip(references, windows, palettes), start=1)
    ]
    display = hd.pr.BlendingDisplay(
        blending_mode="FOREGROUND",
        blending_display_inputs=[hd.pr.BlendingDisplayInput(2), hd.pr.BlendingDisplayInput(1)],
        relative_opacity=OPACITY,
    )
    state = hd.pr.AdvancedBlendingPresentationState(
        referenced_images=[header for reference in references for header in reference.headers],
        blending=blending,
        blending_display=[display],
        content_label="FUSION",
        content_description=RESEARCH,
        **stamp.series(),
        **stamp.equipment(),
    )
    stamp.mark(state)
    objects.add_equipment(state, references)
    state.Laterality = ""
    # repeated at the top, where validators and archives look for what an object refers to
    state.ReferencedImageSequence = [objects.instance_item(h) for reference in references for h in reference.headers]
    return state


def _check_legal(references: tuple[Reference, ...]) -> None:
    if len(references) != 2:
        raise UsageError(
            f"A blending presentation state over {len(references)} series", "two: the reference and one more source",
            "Give --reference twice, first the anatomical series and then the functional one",
        )  # fmt: skip
    for keyword, what in (("StudyInstanceUID", "study"), ("FrameOfReferenceUID", "frame of reference")):
        if len({str(reference.first[keyword].value) for reference in references}) > 1:
            raise NotSupported(
                f"The two series do not share one {what}", f"one {what}: DICOM allows the object only then",
                "Export the fused result instead (sc, sc-grey or pm)",
            )  # fmt: skip
    if any(int(reference.first.get("SamplesPerPixel") or 1) != 1 for reference in references):
        raise NotSupported("A series in colour cannot be blended here", "grey images")


def _without_rescale(header: Dataset) -> Dataset:
    """The object must not override the rescale of the images, which in PET differs from slice to slice."""
    from pydicom import Dataset

    kept = Dataset()
    kept.update({tag: element for tag, element in header.items() if not element.keyword.startswith("Rescale")})
    return kept


def _window(window: Window):
    import highdicom as hd

    return hd.pr.SoftcopyVOILUTTransformation(
        window_center=window.level, window_width=window.width, voi_lut_function="LINEAR_EXACT"
    )


def _palette(colours: np.ndarray):
    """256 colours (256, 3) in 0..1 as 16-bit lookup tables."""
    import highdicom as hd

    stored = np.rint(colours * 65535).astype(np.uint16)
    tables = [
        hd.PaletteColorLUT(0, np.ascontiguousarray(stored[:, n]), name)
        for n, name in enumerate(("red", "green", "blue"))
    ]
    return hd.PaletteColorLUTTransformation(*tables)
