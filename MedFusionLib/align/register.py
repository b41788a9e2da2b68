"""Find the transform that brings a moving image onto a reference.

First a search: similarity (normalised mutual information) at the given position, at positions that
bring the bodies' centres or the fields of view together, and around them, each turned as well; the
best ones are climbed from, coarse to fine, at last rigidly or with twelve numbers on a grid of 2 mm.
B-splines come on top of the affine, by SimpleITK. One thread and fixed samples: the same images give
the same transform. Where the check then sees a better position nearby, that is
followed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from MedFusionLib.align.check import check_alignment
from MedFusionLib.align.evidence import Comparison
from MedFusionLib.align.pose import rigid_matrix
from MedFusionLib.align.refine import refine
from MedFusionLib.align.search import best_start
from MedFusionLib.align.transform import as_transform, joined, ras_matrix, simplified, to_transform
from MedFusionLib.errors import NotSupported, UsageError
from MedFusionLib.result import Verdict
from MedFusionLib.volume import Case, Volume

logger = logging.getLogger(__name__)

MODELS = ("rigid", "affine", "bspline")
MOST_FOLLOWED = 3
_SEVERITY = {"pass": 0, "doubt": 1, "fail": 2}


@dataclass(frozen=True, eq=False)
class Registration:
    """What a registration found.

    Parameters
    ----------
    transform : SimpleITK.Transform
        Reference LPS to moving LPS: what was found, or the start where that was better.
    model : str
        Rigid, affine or bspline.
    applied : bool
        Whether what was found is used; False when it matches worse than the start.
    metric_before, metric_after : float
        Normalised mutual information of the body and its surroundings, as the verdict takes it, at the
        start and at what was found; NaN where the images share too little.
    verdict : Verdict
        On the images with `transform`.
    """

    transform: object
    model: str
    applied: bool
    metric_before: float
    metric_after: float
    verdict: Verdict

    @property
    def ras_to_ras(self) -> np.ndarray | None:
        """(4, 4) from the moving image's RAS to the reference's RAS in mm; None when it is not linear."""
        matrix = ras_matrix(self.transform)
        return None if matrix is None else np.linalg.inv(matrix)

    def as_json(self) -> dict:
        """Plain JSON types; an undefined metric becomes None."""
        matrix = self.ras_to_ras
        metrics = [None if np.isnan(m) else m for m in (self.metric_before, self.metric_after)]
        return {
            "model": self.model,
            "ras_to_ras": None if matrix is None else matrix.tolist(),
            "metric_before": metrics[0],
            "metric_after": metrics[1],
            "applied": self.applied,
            "status": self.verdict.status,
            "reasons": list(self.verdict.reasons),
        }


def register(
    reference: Volume,
    moving: Volume,
    model: str = "rigid",
    *,
    initial=None,
    reference_mask: np.ndarray | None = None,
    moving_mask: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Registration:
    """Register one volume to another.

    Parameters
    ----------
    reference, moving : Volume
        The images; neither is changed or resampled.
    model : {"rigid", "affine", "bspline"}
        Six numbers, twelve, or an affine and a grid of control points about 40 mm apart.
    initial : path, SimpleITK transform, or None
        Where to start (reference LPS to moving LPS); the result contains it.
    reference_mask, moving_mask : (K, J, I) bool or None
        What of each image counts, on its own grid.
    progress : callable
        ``progress(done, total)``.

    Returns
    -------
    Registration
        A worse result than the start is reported and not applied.

    Raises
    ------
    UsageError
        For an unknown model, a constant image, masks of another shape or without a voxel, or images
        that are too small to compare.
    NotSupported
        For anything but rigid with a single slice.
    Cancelled
        When stopped at a `checkpoint`.
    """
    _check_request(reference, moving, model, reference_mask, moving_mask)
    progress = progress or (lambda done, total: None)
    start = to_transform(np.eye(4)) if initial is None else as_transform(initial)
    masks = (reference_mask, moving_mask)
    pair = Comparison(reference, moving, start, masks=masks, everywhere=True)
    progress(1, 10)
    numbers = best_start(reference, moving, start, masks=masks)
    progress(5, 10)
    # the search moves in the moving image's space, after the start
    found = joined(to_transform(rigid_matrix(numbers, pair.centre)), start)
    found = refine(reference, moving, model, found, masks=masks, progress=progress)
    case, given = Case([reference, moving]), None if initial is None else start
    before = Comparison(reference, moving, given).similarity(np.eye(4))
    best = _settled(case, _Judged(simplified(found), check_alignment(case, transforms=[found])))
    if best.verdict.status == "pass" and best.similarity > np.nan_to_num(before, nan=-1.0):
        # no verdict on the start could outrank this
        progress(10, 10)
        return Registration(best.transform, model, True, before, best.similarity, best.verdict)
    first = _Judged(simplified(start), check_alignment(case, transforms=[given]))
    if best.verdict.status != "pass" and not np.isnan(first.similarity):
        best = max(best, _settled(case, first), key=lambda one: one.rank)
    progress(10, 10)
    return _outcome(model, first, best)


@dataclass(frozen=True, eq=False)
class _Judged:
    """A transform and what the check says of it."""

    transform: object
    verdict: Verdict

    @property
    def evidence(self) -> dict:
        """The numbers on the pair."""
        return self.verdict.evidence["pairs"][0]

    @property
    def similarity(self) -> float:
        """Similarity of the body and its surroundings; NaN when too little is shared."""
        value = self.evidence.get("similarity")
        return float("nan") if value is None else value

    @property
    def rank(self) -> tuple[int, float]:
        """Higher is better: the verdict first, then the similarity."""
        return -_SEVERITY[self.verdict.status], float(np.nan_to_num(self.similarity, nan=-1.0))


def _settled(case: Case, judged: _Judged) -> _Judged:
    """Follow the check to better positions as long as there is doubt and they are better."""
    for _ in range(MOST_FOLLOWED):
        better = judged.evidence.get("better")
        if judged.verdict.status == "pass" or better is None:
            break
        moved = joined(to_transform(np.array(better["ras_to_ras"])), judged.transform)
        candidate = _Judged(moved, check_alignment(case, transforms=[moved]))
        if candidate.rank <= judged.rank:
            break
        judged = candidate
    return judged


def _outcome(model: str, first: _Judged, best: _Judged) -> Registration:
    """Keep what was found only if neither the verdict nor the similarity says that it is worse."""
    if best.rank > first.rank:
        return Registration(best.transform, model, True, first.similarity, best.similarity, best.verdict)
    reason = (
        f"The registration found nothing better (similarity {best.similarity:.4f} against {first.similarity:.4f}): "
        "not applied."
    )
    verdict = Verdict(first.verdict.status, (reason, *first.verdict.reasons), first.verdict.evidence)
    return Registration(first.transform, model, False, first.similarity, best.similarity, verdict)


def _check_request(reference: Volume, moving: Volume, model: str, *masks) -> None:
    if model not in MODELS:
        raise UsageError(f"Unknown registration model {model!r}", "one of " + ", ".join(MODELS))
    for volume, mask in zip((reference, moving), masks):
        if not np.isfinite(volume.array).all():
            raise UsageError(f"{volume.name} holds values that are not finite", "a number in every voxel")
        if float(volume.array.min()) == float(volume.array.max()):
            raise UsageError(f"{volume.name} is constant", "an image with something in it")
        if mask is not None and (mask.shape != volume.array.shape or not mask.any()):
            raise UsageError(f"The mask of {volume.name} has shape {mask.shape} and {int(mask.sum())} voxels",
                             f"a mask of shape {volume.array.shape} with at least one voxel")  # fmt: skip
        if sum(n > 3 for n in volume.array.shape) < 2:
            raise UsageError(f"{volume.name} has only {volume.array.shape} voxels", "an image to compare with")
    if model != "rigid" and min(*reference.array.shape, *moving.array.shape) < 4:
        raise NotSupported(f"{model} registration of a single slice", "model rigid")
