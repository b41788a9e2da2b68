"""What a batch would do: its cases and what is wished for them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from MedFusionLib.errors import MedFusionError, UsageError

PARTICIPANT, SESSION = "sub-", "ses-"


@dataclass(frozen=True)
class Source:
    """Where one source of a case is.

    Parameters
    ----------
    path : str
        File or folder.
    modality, unit : str or None
        Used where the file does not say.
    series : str or None
        Hashed UID of the series, where the folder holds several.
    part : int or None
        Number of the volume in a series that holds several.
    suffix : str
        BIDS suffix (``T1w``, ``pet``) for the names of what is made; empty for none.
    voxels : int
        Of its grid as its header says; 0 when not known.
    """

    path: str
    modality: str | None = None
    unit: str | None = None
    series: str | None = None
    part: int | None = None
    suffix: str = ""
    voxels: int = 0


@dataclass(frozen=True)
class PlannedCase:
    """One case of a batch.

    Parameters
    ----------
    participant, session : str
        Labels of letters and digits; the session may be empty.
    sources : tuple of Source
        The first gives the grid.
    chosen_by : tuple of str
        Sentences: which rule chose what.
    tumour : str or None
        Label map or method; None takes what is wished for all.
    seed : tuple of float or None
        A point in the tumour, RAS mm.
    roi : str or None
        Region that holds the tumour.
    transforms : tuple of str or None
        ITK transform files, one per moving source; empty for none.
    problem : dict or None
        ``code``, ``message`` and ``hint`` when the case cannot be run.
    """

    participant: str
    session: str = ""
    sources: tuple[Source, ...] = ()
    chosen_by: tuple[str, ...] = ()
    tumour: str | None = None
    seed: tuple[float, float, float] | None = None
    roi: str | None = None
    transforms: tuple[str | None, ...] = ()
    problem: dict | None = None

    @property
    def id(self) -> str:
        """Name as in BIDS: ``sub-01`` or ``sub-01_ses-02``."""
        return self.stem if not self.session else f"{PARTICIPANT}{self.participant}_{SESSION}{self.session}"

    @property
    def stem(self) -> str:
        """The part of the name that stands for the participant."""
        return f"{PARTICIPANT}{self.participant}"

    @property
    def folder(self) -> Path:
        """Where its results go, below the folder of the batch."""
        return Path(self.stem) / f"{SESSION}{self.session}" if self.session else Path(self.stem)


@dataclass(frozen=True)
class Wishes:
    """What is done with every case; names and values as in `fuse`.

    Parameters
    ----------
    methods : tuple of str
        Fusion methods; empty takes the default of the modality pair.
    mode, device, precision, register, tumour, force, parameters, maps
        As in `fuse`.
    export : tuple of str
        Kinds of DICOM objects, where the reference is DICOM.
    with_reports : bool
        Whether pages are drawn.
    """

    methods: tuple[str, ...] = ()
    mode: str = "auto"
    device: str = "auto"
    precision: str = "exact"
    register: str = "none"
    tumour: str | None = None
    force: bool = False
    parameters: dict = field(default_factory=dict)
    maps: tuple[str, ...] = ()
    export: tuple[str, ...] = ()
    with_reports: bool = True


@dataclass(frozen=True)
class Plan:
    """Cases, wishes, and where the results go.

    Parameters
    ----------
    kind : {"manifest", "bids", "folders", "dicom"}
        How the cases were found.
    cases : tuple of PlannedCase
        In the order of their names.
    out : str
        Folder of the derivatives.
    wishes : Wishes
        The same for all cases.
    input : str
        Where the cases come from.
    """

    kind: str
    cases: tuple[PlannedCase, ...]
    out: str
    wishes: Wishes = field(default_factory=Wishes)
    input: str = ""

    def __post_init__(self) -> None:
        names = [case.id for case in self.cases]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UsageError(
                f"The case {twice[0]} is there {names.count(twice[0])} times", "a name of its own per case"
            )

    def as_json(self) -> dict:
        """Plain JSON types; `plan_from_json` reads it back."""
        return asdict(self)


def plan_from_json(document: dict) -> Plan:
    """The plan of a JSON document that `Plan.as_json` made."""
    return Plan(document["kind"], tuple(case_from_json(case) for case in document["cases"]), document["out"],
                _with_tuples(Wishes, document["wishes"]), document["input"])  # fmt: skip


def case_from_json(document: dict) -> PlannedCase:
    """One case of such a document."""
    sources = tuple(Source(**source) for source in document["sources"])
    return _with_tuples(PlannedCase, {**document, "sources": sources})


def shard_of(cases: Sequence[PlannedCase], shard: str) -> tuple[PlannedCase, ...]:
    """The i-th of n parts of the cases, ``i/n`` with i from 1.

    Raises
    ------
    UsageError
        For anything else.
    """
    found = re.fullmatch(r"(\d+)/(\d+)", shard)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"The shard {shard!r}", "I/N, for example 3/100 for the third of a hundred")
    return tuple(cases[int(found[1]) - 1 :: int(found[2])])


def label(text: str) -> str:
    """Letters and digits of a name, as BIDS labels are made of them.

    Raises
    ------
    UsageError
        When nothing is left.
    """
    found = re.sub("[^A-Za-z0-9]", "", text)
    if not found:
        raise UsageError(f"The case name {text!r}", "a name with letters or digits")
    return found


def problem_of(error: MedFusionError) -> dict:
    """An error as it stands in plans and records."""
    said = error.as_json()["error"]
    return {"code": said["code"], "type": said["type"], "message": said["message"], "hint": said["hint"]}


def _with_tuples(kind, document: dict):
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in document.items()})
