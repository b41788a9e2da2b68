"""Zip archives, unpacked into a private folder under caps."""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from MedFusionLib.errors import MedFusionError, NotSupported, UnreadableFile
from MedFusionLib.io.limits import MOST_BYTES, MOST_FILES, MOST_RATIO

HARMLESS_BYTES = 64 << 20
"""Archives that unpack to no more than this may be of any ratio: empty images pack a thousandfold."""
_BLOCK = 1 << 20


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """The path itself, or for a zip archive a folder with its contents, which is gone afterwards.

    Archives within archives stay packed.

    Raises
    ------
    UnreadableFile
        For an archive that is broken, names files outside its folder, or holds or unpacks to too much.
    NotSupported
        For an encrypted one.
    """
    if not (path.is_file() and path.suffix.lower() == ".zip"):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="medfusion-") as private:
        folder = Path(private) / path.stem
        folder.mkdir()
        try:
            with zipfile.ZipFile(path) as archive:
                _unpack(path.name, archive, _checked(path, archive), folder)
        except MedFusionError:
            raise
        except Exception as error:
            raise UnreadableFile(
                f"{path.name} is not a readable zip archive ({type(error).__name__})", "a complete archive",
                "Pack it again",
            ) from error  # fmt: skip
        yield folder


def _checked(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members that are files, when all of them are harmless by what the archive's directory says."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > MOST_FILES:
        raise UnreadableFile(f"{path.name} holds {len(members)} files", f"at most {MOST_FILES}")
    if any(member.flag_bits & 1 for member in members):
        raise NotSupported(f"{path.name} is encrypted", "an archive without a password")
    for member in members:
        name = PurePosixPath(member.filename.replace("\\", "/"))
        is_link = stat.S_ISLNK(member.external_attr >> 16)
        if is_link or name.is_absolute() or ".." in name.parts or ":" in member.filename or "\0" in member.filename:
            raise UnreadableFile(f"{path.name} names a file outside its own folder", "plain relative names")
    total, packed = sum(member.file_size for member in members), path.stat().st_size
    if total > MOST_BYTES or (total > HARMLESS_BYTES and total > MOST_RATIO * packed):
        raise UnreadableFile(
            f"{path.name} unpacks to {total / (1 << 20):.0f} MB, {total / max(packed, 1):.0f} times its size",
            f"at most {MOST_BYTES >> 20} MB and {MOST_RATIO} times", "Unpack it yourself if you trust it",
        )  # fmt: skip
    return members


def _unpack(label: str, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], folder: Path) -> None:
    """Write the members; a member that is longer than it said is refused when it becomes so."""
    root = folder.resolve()
    for member in members:
        target = (folder / member.filename.replace("\\", "/")).resolve()
        if root not in target.parents:
            raise UnreadableFile(f"{label} names a file outside its own folder", "plain relative names")
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, open(target, "xb") as copy:
            shutil.copyfileobj(source, copy, _BLOCK)
            if copy.tell() != member.file_size:
                raise UnreadableFile(f"{label} holds a file of another size than it says", "a complete archive")
