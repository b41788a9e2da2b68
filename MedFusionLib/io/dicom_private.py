"""Private elements of scanner makers, found by the creator that reserved their block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from MedFusionLib.errors import UnreadableFile

if TYPE_CHECKING:
    from pydicom import Dataset

PHILIPS_PET = "Philips PET Private Group"
GE_PET = "GEMS_PETD_01"
_FIRST_BLOCK, _LAST_BLOCK = 0x10, 0xFF
_MAKERS = {PHILIPS_PET: "PHILIPS", GE_PET: "GE "}


def private_creators(dataset: Dataset, group: int) -> dict[int, str]:
    """Number of each reserved block of a private group, and its creator in capitals."""
    found = {}
    for block in range(_FIRST_BLOCK, _LAST_BLOCK + 1):
        if (group, block) in dataset:
            found[block] = _decoded(dataset[group, block].value).upper()
    return found


def private_text(dataset: Dataset, group: int, creator: str, element: int) -> str:
    """Value of a private element as text; empty when it is absent.

    The block is the one that the creator reserved, whichever it is. Some exporters drop the creators: then the first
    block counts, provided that the group names no other creator and the Manufacturer is the one that uses it.

    Parameters
    ----------
    dataset : Dataset
        One header.
    group : int
        Odd group number, for example 0x7053.
    creator : str
        Private creator, for example ``"Philips PET Private Group"``.
    element : int
        Last two digits of the element, 0x00..0xFF.

    Raises
    ------
    UnreadableFile
        When two blocks of one creator state different values.
    """
    creators = private_creators(dataset, group)
    blocks = [block for block, name in creators.items() if name == creator.upper()]
    maker = str(dataset.get("Manufacturer", "") or "").upper() + " "
    if not creators and maker.startswith(_MAKERS[creator]):
        blocks = [_FIRST_BLOCK]
    values = {_text(dataset, group, block, element) for block in blocks} - {""}
    if len(values) > 1:
        raise UnreadableFile(f"({group:04X},xx{element:02X}) of {creator} has two values", "one value")
    return values.pop() if values else ""


def _text(dataset: Dataset, group: int, block: int, element: int) -> str:
    tag = (group, block << 8 | element)
    return _decoded(dataset[tag].value) if tag in dataset else ""


def _decoded(value) -> str:
    """Text of a value that may have come as bytes (implicit VR, unknown VR)."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return str("" if value is None else value).strip("\0 ")
