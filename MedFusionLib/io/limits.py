"""Caps that are checked before anything is allocated."""

from __future__ import annotations

from collections.abc import Sequence

from MedFusionLib.errors import UnreadableFile

MOST_SAMPLES_PER_AXIS = 4096
MOST_BYTES = 4 << 30
MOST_SIDECAR_BYTES = 1 << 20
MOST_ELEMENTS = 1_000_000
"""Of one DICOM file, where an item of a sequence counts as three: an enhanced MR has about 200 per frame."""
MOST_FILES = 10_000
"""Per series, per folder, per archive."""
MOST_RATIO = 200
"""Unpacked bytes per packed byte: images reach about ten, bombs a thousand."""
MOST_INFLATED_BYTES = 64 << 20
"""Of a single deflated file."""


def check_size(label: str, shape: Sequence[int], bytes_per_voxel: int = 4) -> None:
    """Refuse a grid that is larger than any scanner makes.

    Raises
    ------
    UnreadableFile
        When an axis is not 1..4096 long or the voxels need more than 4 GiB.
    """
    if min(shape) < 1 or max(shape) > MOST_SAMPLES_PER_AXIS:
        raise UnreadableFile(f"{label} says its size is {list(shape)}", f"1 to {MOST_SAMPLES_PER_AXIS} along each axis")
    size = bytes_per_voxel
    for length in shape:
        size *= int(length)
    if size > MOST_BYTES:
        raise UnreadableFile(f"{label} needs {size / (1 << 30):.1f} GiB", f"at most {MOST_BYTES >> 30} GiB")
