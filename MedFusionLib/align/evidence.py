"""What two images themselves say about their alignment."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np
from scipy import ndimage

from MedFusionLib.align.pose import ALL_AXES, Numbers, climb, displacement_mm, rigid_matrix, rotation_degrees
from MedFusionLib.align.resample import resample_labels_to
from MedFusionLib.align.similarity import (
    BINS,
    Coded,
    Partner,
    centred,
    coded,
    normalised_mutual_information,
    sample_points,
)
from MedFusionLib.align.transform import map_points
from MedFusionLib.volume import Geometry, Volume

SAMPLING_MM = 4.0
MOST_SAMPLES = 40_000
FEWEST_SAMPLES = 500
BODY = 2.0
"""Bin positions above this belong to the body, see `similarity.coded`."""
TOLERATED_MM = 3.0
"""A better position counts from here on; aligned pairs of different modalities peak up to 2.5 mm away."""
TOLERATED_DEG = 3.0
TOLERATED_VOXELS = 0.6
FLIPS = {
    (0,): "mirrored left to right",
    (1,): "mirrored front to back",
    (2,): "mirrored top to bottom",
    (0, 1): "turned by 180 degrees about the long axis",
    (0, 2): "turned by 180 degrees about the front-back axis",
    (1, 2): "turned by 180 degrees about the left-right axis",
}
_SURROUNDINGS_MM = 12.0
_MARGIN_MM = 10.0
_THIN_MM = 30.0
_STEPS = (6.0, 3.0, 1.5, 0.75)
_PROBES = (10.0, 20.0)
_BLOCKS = 5
_REPEATS = 100
_SLABS = 8
_RIVAL = 0.6
_DRIFT_STEP_MM = 3.0


@dataclass(frozen=True)
class Position:
    """Another position of the moving image.

    Parameters
    ----------
    similarity : float
        Normalised mutual information there.
    displacement_mm : float
        How far it lies from the given position: the mean over the body.
    rotation_deg : float
        By how much it is turned.
    move_mm : tuple of float
        Where the moving image would have to go: right, anterior, superior.
    confidence : float
        Share of bootstrap samples (over blocks of the images) that prefer it to every place on the
        straight way to it that is within the tolerance.
    ras_to_ras : tuple of tuple of float
        (4, 4) from the point that a reference point corresponds to now, to the one it would
        correspond to, in the moving image.
    """

    similarity: float
    displacement_mm: float
    rotation_deg: float
    move_mm: tuple[float, float, float]
    confidence: float
    ras_to_ras: tuple


@dataclass(frozen=True)
class Evidence:
    """Numbers on one pair of images.

    Parameters
    ----------
    overlap_fraction : float
        Shared field of view as a share of the smaller one.
    similarity : float
        Normalised mutual information of the body and its surroundings, (H(A) + H(B)) / H(A, B),
        1..2; NaN when the images share too little.
    better : Position or None
        The best position nearby; None when nothing could be compared.
    mirrored : dict of str to float
        Similarity of the images when one is mirrored or turned by 180 degrees, by the words that say how.
    body_surface_mm : float
        Median distance between the surfaces of the two bodies; NaN when one of them has none.
    drift_mm : float
        How much the best shift along one direction differs between slabs of slices; NaN when
        fewer than three slabs can be judged.
    """

    overlap_fraction: float
    similarity: float = float("nan")
    better: Position | None = None
    mirrored: dict[str, float] = field(default_factory=dict)
    body_surface_mm: float = float("nan")
    drift_mm: float = float("nan")

    def as_json(self) -> dict:
        """Plain JSON types; NaN becomes None."""
        values = asdict(self)
        return {key: None if isinstance(v, float) and np.isnan(v) else v for key, v in values.items()}


class Comparison:
    """Two images, ready to be compared at any position of the moving one.

    Parameters
    ----------
    reference, moving : Volume
        The images.
    transform
        Reference LPS to moving LPS, or None.
    spacing_mm : float
        Sampling of the smoothed images.
    most_samples : int
        How many points are looked at.
    everywhere : bool
        Whether to compare everything that both show, as a search over large distances must, or the
        body and its surroundings that stay in view when the moving image is moved a little.
    masks : pair of (K, J, I) bool or None
        What of each image counts, on its own grid.
    """

    def __init__(
        self,
        reference: Volume,
        moving: Volume,
        transform=None,
        *,
        spacing_mm: float = SAMPLING_MM,
        most_samples: int = MOST_SAMPLES,
        everywhere: bool = False,
        masks: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
    ) -> None:
        self.fixed, self.moving = (
            _masked(coded(volume, spacing_mm), volume, mask) for volume, mask in zip((reference, moving), masks)
        )
        points = sample_points(reference.geometry, most_samples)
        there = map_points(transform, points)
        values = self.fixed.at(points)
        usable = ~np.isnan(values)
        self.overlap = _inside(there, moving.geometry)
        if not everywhere:
            usable &= self._near_the_body(points)
            usable = self._stays_in_view(there, usable)
        self.points, self.there, self.values = points[usable], there[usable], values[usable]
        self._partner = Partner(self.values)
        self._offsets, self._middle = centred(self.there)
        body = self.there[self.values > BODY]
        self.body = body if len(body) else self.there
        self.centre = self.body.mean(axis=0) if len(self.body) else np.zeros(3)
        self.axes = _free_axes(reference.geometry)

    def joint(self, matrix: np.ndarray) -> np.ndarray:
        """Joint histogram with the moving image looked up where a 4x4 (RAS, moving image) says."""
        joint = self._partner.count(self.looked_up(matrix))
        enough = joint.sum() >= max(FEWEST_SAMPLES, 0.2 * len(self.values))
        return joint if enough else np.zeros_like(joint)

    def looked_up(self, matrix: np.ndarray) -> np.ndarray:
        """(N,) bin positions of the moving image where a 4x4 says, NaN outside its field of view."""
        return self.moving.lookup(self._offsets, matrix @ self._middle)

    def similarity(self, matrix: np.ndarray) -> float:
        """Normalised mutual information at a position; NaN when too little is shared there."""
        return normalised_mutual_information(self.joint(matrix))

    def at(self, numbers) -> float:
        """Similarity for six numbers about the body's centre, see `pose.rigid_matrix`."""
        return self.similarity(rigid_matrix(numbers, self.centre))

    def _near_the_body(self, points: np.ndarray) -> np.ndarray:
        body = self.fixed.array > BODY
        if not body.any():
            return np.ones(len(points), bool)
        distance = ndimage.distance_transform_edt(~body, sampling=self.fixed.geometry.spacing_kji_mm)
        near = Coded(distance.astype(np.float32), self.fixed.geometry).at(points)
        return near < _SURROUNDINGS_MM

    def _stays_in_view(self, there: np.ndarray, usable: np.ndarray) -> np.ndarray:
        """Only points that stay in view, so that small moves do not change what is compared."""
        geometry = self.moving.geometry
        position = geometry.to_ijk(there) * geometry.spacing_mm
        length = (np.array(geometry.shape[::-1]) - 1) * geometry.spacing_mm
        margin = np.where(length > 4 * _MARGIN_MM, _MARGIN_MM, 0)
        inner = usable & ((position >= margin) & (position <= length - margin)).all(axis=1)
        return inner if inner.sum() >= max(FEWEST_SAMPLES, 0.25 * usable.sum()) else usable


def _inside(points: np.ndarray, geometry: Geometry) -> float:
    """Share of points that lie in the field of view of a grid."""
    ijk = geometry.to_ijk(points)
    return float(((ijk >= -0.5) & (ijk <= np.array(geometry.shape[::-1]) - 0.5)).all(axis=1).mean())


def _masked(image: Coded, volume: Volume, mask: np.ndarray | None) -> Coded:
    """Bin positions with NaN where the mask says that the image does not count."""
    if mask is None:
        return image
    inside = resample_labels_to(np.asarray(mask, np.uint8), volume.geometry, image.geometry) > 0
    return Coded(np.where(inside, image.array, np.float32(np.nan)), image.geometry)


def tolerated_mm(reference: Geometry, moving: Geometry) -> float:
    """How far a better position may lie before it counts: 3 mm, or 0.6 of a larger voxel."""
    return max(TOLERATED_MM, TOLERATED_VOXELS * max(*reference.spacing_mm, *moving.spacing_mm))


def gather_evidence(reference: Volume, moving: Volume, transform=None) -> Evidence:
    """Overlap, similarity, better positions nearby, surfaces and drift of two volumes.

    Deterministic; takes about a second whatever the size of the volumes.
    """
    pair = Comparison(reference, moving, transform)
    shared = _overlap_fraction(reference.geometry, moving.geometry, pair.overlap)
    here = pair.similarity(np.eye(4))
    if sum(n > 1 for n in reference.geometry.shape) < 2 or np.isnan(here):
        return Evidence(shared)
    better = best_nearby(pair, here, tolerated_mm(reference.geometry, moving.geometry))
    return Evidence(
        shared,
        here,
        better,
        _mirrored(pair, better.similarity),
        _surface_distance(pair, transform),
        _drift(pair, reference.geometry),
    )


def best_nearby(pair: Comparison, here: float, limit_mm: float) -> Position:
    """The best position that is reached from the given one and from the best of some probes around it."""
    starts = [np.zeros(6)]
    probes = [sign * size * np.eye(6)[axis] for axis in pair.axes for size in _PROBES for sign in (-1, 1)]
    value, probe = max(((pair.at(p), n) for n, p in enumerate(probes)), key=lambda one: np.nan_to_num(one[0]))
    if value > here:
        starts.append(probes[probe])
    found = max((climb(pair.at, s, steps=_STEPS, axes=pair.axes) for s in starts), key=lambda one: one.value)
    matrix = rigid_matrix(found.numbers, pair.centre)
    move = np.linalg.inv(matrix)
    distance, angle = displacement_mm(matrix, pair.body), rotation_degrees(matrix)
    tolerated = min(1.0, limit_mm / max(distance, 1e-6), TOLERATED_DEG / max(angle, 1e-6))
    return Position(
        similarity=found.value,
        displacement_mm=distance,
        rotation_deg=angle,
        move_mm=tuple(float(x) for x in move[:3, :3] @ pair.centre + move[:3, 3] - pair.centre),
        confidence=_confidence(pair, found.numbers, tolerated),
        ras_to_ras=tuple(tuple(row) for row in matrix.tolist()),
    )


def _overlap_fraction(reference: Geometry, moving: Geometry, seen: float) -> float:
    sizes = [g.number_of_voxels * g.voxel_volume_ml for g in (reference, moving)]
    return min(1.0, seen * sizes[0] / min(sizes))


def _free_axes(geometry: Geometry) -> tuple[int, ...]:
    """All six numbers; within the plane only when the images are a slice or little more."""
    lengths = np.array(geometry.shape[::-1]) * geometry.spacing_mm
    thin = int(np.argmin(lengths))
    if lengths[thin] >= _THIN_MM:
        return ALL_AXES
    normal = int(np.argmax(np.abs(geometry.directions[:, thin])))
    return (*(axis for axis in range(3) if axis != normal), 3 + normal)


def _confidence(pair: Comparison, numbers: Numbers, tolerated: float) -> float:
    """Share of block bootstraps that prefer a position to the given one and to its tolerated surroundings."""
    low, high = pair.points.min(axis=0), pair.points.max(axis=0)
    cells = np.clip((pair.points - low) / np.maximum(high - low, 1e-6) * _BLOCKS, 0, _BLOCKS - 1).astype(int)
    block = cells @ (1, _BLOCKS, _BLOCKS**2)
    ways = [share * np.array(numbers) for share in (0.0, tolerated / 2, tolerated, 1.0)]
    tables = [_joint_by_block(pair, rigid_matrix(way, pair.centre), block) for way in ways]
    rng = np.random.default_rng(7)
    used = np.flatnonzero(np.bincount(block, minlength=_BLOCKS**3))
    wins = 0
    for _ in range(_REPEATS):
        weights = np.bincount(rng.choice(used, len(used)), minlength=_BLOCKS**3)
        *near, there = (normalised_mutual_information((weights @ t).reshape(BINS, BINS)) for t in tables)
        wins += bool(there > max(near))
    return wins / _REPEATS


def _joint_by_block(pair: Comparison, matrix: np.ndarray, block: np.ndarray) -> np.ndarray:
    """(blocks, BINS * BINS) joint histograms."""
    found = pair.looked_up(matrix)
    seen = ~np.isnan(found)
    codes = np.rint(pair.values[seen]).astype(int) * BINS + np.rint(found[seen]).astype(int)
    flat = np.bincount(block[seen] * BINS * BINS + codes, minlength=_BLOCKS**3 * BINS * BINS)
    return flat.reshape(_BLOCKS**3, BINS * BINS).astype(float)


def _mirrored(pair: Comparison, best: float) -> dict[str, float]:
    """Similarity when mirrored or turned by 180 degrees, after a short climb where it could rival the best one."""
    free = [axis for axis in pair.axes if axis < 3]
    found = {}
    for axes, words in FLIPS.items():
        if not set(axes) <= set(free):
            continue
        flip = np.eye(4)
        for axis in axes:
            flip[axis, axis], flip[axis, 3] = -1, 2 * pair.centre[axis]

        def similarity(numbers, flip=flip):
            return pair.similarity(rigid_matrix(numbers, pair.centre) @ flip)

        value = similarity(np.zeros(6))
        if value - 1 > _RIVAL * (best - 1):
            value = climb(similarity, np.zeros(6), steps=(6.0, 3.0), axes=pair.axes, most_rounds=4).value
        if np.isfinite(value):
            found[words] = value
    return found


def _surface_distance(pair: Comparison, transform) -> float:
    """Median distance between the two bodies' surfaces in mm, where both are in view."""
    grid = pair.fixed.geometry
    k, j, i = np.indices(grid.shape).reshape(3, -1)
    centres = grid.to_ras(np.stack([i, j, k], axis=1))
    found = pair.moving.at(map_points(transform, centres)).reshape(grid.shape)
    seen = ~np.isnan(found)
    bodies = [pair.fixed.array > BODY, np.nan_to_num(found, nan=0) > BODY]
    edges = [
        ndimage.binary_fill_holes(b) & ~ndimage.binary_erosion(ndimage.binary_fill_holes(b)) & seen for b in bodies
    ]
    if not all(edge.any() for edge in edges):
        return float("nan")
    spacing = grid.spacing_kji_mm
    distances = [ndimage.distance_transform_edt(~edge, sampling=spacing) for edge in edges]
    return float(np.median(np.concatenate([distances[0][edges[1]], distances[1][edges[0]]])))


def _drift(pair: Comparison, geometry: Geometry) -> float:
    """Largest difference between slabs of slices of the shift at which they match best, in mm."""
    normal = geometry.directions[:, 2 - geometry.slice_axis]
    along = pair.points @ normal
    edges = np.linspace(along.min(), along.max() + 1e-6, _SLABS + 1)
    slab = np.searchsorted(edges, along, side="right") - 1
    members = [np.flatnonzero(slab == number) for number in range(_SLABS)]
    partners = [Partner(pair.values[inside]) for inside in members]
    offsets = np.arange(-4, 5) * _DRIFT_STEP_MM
    ranges = []
    for axis in (a for a in pair.axes if a < 3):
        values = np.array([_by_slab(pair, members, partners, axis, offset) for offset in offsets])
        tops = [top for column in values.T if (top := _top(column, offsets)) is not None]
        if len(tops) >= 3:
            smooth = ndimage.median_filter(np.array(tops), 3, mode="nearest")
            ranges.append(float(smooth.max() - smooth.min()))
    return max(ranges) if ranges else float("nan")


def _by_slab(pair: Comparison, members: list, partners: list, axis: int, offset: float) -> list[float]:
    shift = np.eye(4)
    shift[axis, 3] = offset
    found = pair.looked_up(shift)
    joints = [partner.count(found[inside]) for inside, partner in zip(members, partners)]
    return [normalised_mutual_information(joint * (joint.sum() >= FEWEST_SAMPLES)) for joint in joints]


def _top(values: np.ndarray, offsets: np.ndarray) -> float | None:
    """Place of the maximum by a parabola; None at the border, or where the values hardly differ."""
    if np.isnan(values).any():
        return None
    best = int(values.argmax())
    if best in (0, len(values) - 1) or values.max() - values.min() < 0.01:
        return None
    left, middle, right = values[best - 1 : best + 2]
    return float(offsets[best] + _DRIFT_STEP_MM * (left - right) / (2 * (left + right - 2 * middle)))
