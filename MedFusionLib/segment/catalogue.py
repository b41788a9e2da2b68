"""All ways to segment a tumour, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from MedFusionLib.errors import NotSupported, UsageError
from MedFusionLib.region import Region
from MedFusionLib.segment.carry import sample_array
from MedFusionLib.segment.cosegment import Cosegmentation, cosegment
from MedFusionLib.segment.graph_cut import by_graph_cut
from MedFusionLib.segment.grow import CLUSTER_VOXELS, by_clusters, by_growing, by_level_set
from MedFusionLib.segment.learned import LEARNED_VOXELS, MARGIN, by_network
from MedFusionLib.segment.own_model import segment_by_model
from MedFusionLib.segment.percist import percist_rule
from MedFusionLib.segment.stack import MOST_VOXELS, stack_sources
from MedFusionLib.segment.threshold import RULES, parse_threshold, threshold_segmentation
from MedFusionLib.segmentation import Segment, Segmentation
from MedFusionLib.units import SUV_BODY_WEIGHT
from MedFusionLib.volume import Origin, Volume

AUTO = "random-walker"
"""What ``auto`` is, for every set of modalities: fixed beforehand, not chosen by its outcome."""


OWN_MODEL = "model:"
"""Before the folder of the user's own model, see `model_folder`."""


@dataclass(frozen=True)
class MultiSource:
    """A method that looks at all sources at once.

    Parameters
    ----------
    title : str
        For a person.
    find : callable
        ``find(stack, region=, seed=)``.
    most_voxels : int
        Of the working grid.
    margin : float
        How far the grid reaches beyond a region, in shares of its size.
    """

    title: str
    find: Callable[..., Cosegmentation]
    most_voxels: int = MOST_VOXELS
    margin: float = 0.0


MULTI_SOURCE = {
    "random-walker": MultiSource("random walker over all sources", cosegment),
    "graph-cut": MultiSource("graph cut over all sources", by_graph_cut),
    "kfcm": MultiSource("kernel fuzzy C-means after non-local medians", by_clusters, CLUSTER_VOXELS),
    "region-growing": MultiSource("vector confidence connected", by_growing),
    "level-set": MultiSource("geodesic active contour", by_level_set),
    "lesion-net": MultiSource("network trained on synthetic lesions", by_network, LEARNED_VOXELS, MARGIN),
}


@dataclass(frozen=True)
class Marks:
    """What a person marked.

    Parameters
    ----------
    seed : tuple of float or None
        A point in the lesion, RAS in mm.
    region : Region or None
        Where the lesion lies.
    liver, blood_pool : tuple of float or None
        Reference tissue of ``percist``, RAS in mm.
    """

    seed: tuple[float, float, float] | None = None
    region: Region | None = None
    liver: tuple[float, float, float] | None = None
    blood_pool: tuple[float, float, float] | None = None


def method_names() -> tuple[str, ...]:
    """All names; ``suv<value>`` and ``suvmax<percent>`` stand for any number."""
    return ("auto", *MULTI_SOURCE, "suv<value>", "suvmax<percent>", "percist", *RULES, OWN_MODEL + "<folder>")


def is_method(name: str) -> bool:
    """Whether a text is the name of a method (and not, say, of a file)."""
    if name in ("auto", "percist", *MULTI_SOURCE) or name.startswith(OWN_MODEL):
        return True
    try:
        parse_threshold(name)
    except NotSupported:
        return False
    except UsageError:
        return True
    return True


def segment(sources: tuple[Volume, ...], method: str = "auto", marks: Marks | None = None) -> Segmentation:
    """Segment by the method of a name.

    PET rules work and answer on the PET's own grid; methods that look at all sources answer on the
    grid of the first one.

    Parameters
    ----------
    sources : tuple of Volume
        In one world; the first gives the grid of the answer.
    method : str
        See `method_names`.
    marks : Marks or None
        Seed, region, reference tissue.

    Raises
    ------
    UsageError, NotSupported
        As the methods say.
    """
    marks = marks or Marks()
    name = AUTO if method == "auto" else method
    if name.startswith(OWN_MODEL):
        return segment_by_model(sources, name[len(OWN_MODEL) :], region=marks.region, seed=marks.seed)
    if name in MULTI_SOURCE:
        return _by_all_sources(sources, name, method, marks)
    if not is_method(name):
        raise NotSupported(f"Tumour segmentation {name!r}", "one of " + ", ".join(method_names()) + ", or a file")
    volume = first_pet(sources, name)
    points = {"liver": marks.liver, "blood_pool": marks.blood_pool}
    rule = percist_rule(volume, **points) if name == "percist" else parse_threshold(name)
    region = None if marks.region is None else marks.region.mask_on(volume.geometry)
    return threshold_segmentation(volume, rule, region=region, seed=marks.seed)


def first_pet(sources: tuple[Volume, ...], method: str) -> Volume:
    """The first PET in SUVbw.

    Raises
    ------
    UsageError
        When there is none.
    """
    for source in sources:
        if source.modality == "PT" and source.unit == SUV_BODY_WEIGHT:
            return source
    units = ", ".join(f"{source.modality} in {source.unit}" for source in sources)
    raise UsageError(f"No source for {method}: the case holds {units}", "a PET source in SUVbw")


def _by_all_sources(sources: tuple[Volume, ...], name: str, asked: str, marks: Marks) -> Segmentation:
    method = MULTI_SOURCE[name]
    stack = stack_sources(
        sources, region=marks.region, seed=marks.seed, most_voxels=method.most_voxels, margin=method.margin
    )
    found = method.find(stack, region=marks.region, seed=marks.seed)
    geometry = sources[0].geometry
    mask = sample_array(found.probability.astype(np.float32), stack.geometry, geometry, order=1) >= 0.5
    if not mask.any():
        raise UsageError(f"The lesion is smaller than a voxel of {sources[0].name}", "a finer first source")
    notes = (f"{method.title} ({asked}), to be reviewed", *found.notes)
    evidence = {"method": name, **found.evidence}
    return Segmentation(
        mask.view(np.uint8), geometry, (Segment(1, "Lesion"),), source=Origin(notes=notes), evidence=evidence
    )
