"""What every exported object carries: who made it, from what, and that it is research."""

from __future__ import annotations

import datetime
import importlib.metadata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from MedFusionLib import __version__
from MedFusionLib.io.dicom_export.reference import Reference

if TYPE_CHECKING:
    from pydicom import Dataset

    from MedFusionLib.result import FusionResult

MANUFACTURER = "MedFusion"
RESEARCH = "RESEARCH, NOT FOR DIAGNOSIS"
NOTICE = "Research use only. Not for primary diagnosis."
SERIES_NUMBERS = {"sc": 9101, "sc-grey": 9102, "pm": 9103, "seg": 9104, "sr": 9105, "rtstruct": 9106, "abps": 9107}
KINDS = tuple(SERIES_NUMBERS)
_RECOGNISABLE_PARTS = ("HEAD", "BRAIN", "SKULL", "FACE", "NECK", "ORBIT", "EYE", "JAW", "EAR", "WHOLEBODY", "SINUS")
_TITLES = {"seg": "TUMOUR", "sr": "TUMOUR", "rtstruct": "TUMOUR"}
_DESCRIPTION_LENGTH = 1024
_COMPUTED = {"average": "PixelByPixelAddition", "weighted": "PixelByPixelAddition", "maximum": "PixelByPixelMaximum"}


@dataclass(frozen=True)
class Stamp:
    """Identity of one exported series.

    Parameters
    ----------
    kind : str
        A key of `SERIES_NUMBERS`.
    what : str
        Method and modalities, for descriptions; never anything of the patient.
    derivation : str
        How the object was derived, at most 1024 characters.
    method : str
        Name of the fusion method; empty when unknown.
    resampled : bool
        Whether a source was resampled onto the reference grid.
    """

    kind: str
    what: str = ""
    derivation: str = NOTICE
    method: str = ""
    resampled: bool = False
    series_uid: str = field(default_factory=lambda: new_uid())
    made: datetime.datetime = field(default_factory=datetime.datetime.now)

    @property
    def series_description(self) -> str:
        """At most 64 characters that begin with the research mark."""
        return f"{_TITLES.get(self.kind, 'FUSED')} - {RESEARCH}: {self.what}"[:64].rstrip(" :")

    def equipment(self) -> dict:
        """Arguments of every highdicom object about this software."""
        return {
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": MANUFACTURER,
            "software_versions": software_versions(),
            "device_serial_number": __version__,
        }

    def series(self, instance_number: int = 1) -> dict:
        """Arguments of every highdicom object about its place in the study."""
        return {
            "series_instance_uid": self.series_uid,
            "series_number": SERIES_NUMBERS[self.kind],
            "series_description": self.series_description,
            "sop_instance_uid": new_uid(),
            "instance_number": instance_number,
        }

    def mark(self, dataset: Dataset) -> None:
        """What older versions of highdicom have no argument for."""
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.SeriesDate, dataset.SeriesTime = self.made.date(), self.made.time()


def stamp_for(kind: str, result: FusionResult) -> Stamp:
    """The stamp of an object of a fusion result."""
    record = result.provenance
    asked, run = record.get("parameters", {}), record.get("run", {})
    method = str(asked.get("method") or record.get("method") or "")
    modalities = "-".join(source.modality for source in result.sources)
    return Stamp(
        kind,
        " ".join(part for part in (method, modalities) if part),
        _derivation(method, modalities, asked, run, result),
        method,
        _was_resampled(result),
    )


def new_uid() -> str:
    """A UID from random numbers, below 2.25."""
    from pydicom.uid import generate_uid

    return str(generate_uid(prefix=None))


def software_versions() -> list[str]:
    """This software and the libraries that write DICOM."""
    libraries = [f"{name} {importlib.metadata.version(name)}" for name in ("highdicom", "pydicom")]
    return [f"MedFusion {__version__}", *libraries]


def shows_recognisable_features(references: tuple[Reference, ...]) -> bool:
    """Whether a face could be rebuilt: as the sources state, else yes unless another body part is stated."""
    stated = {str(reference.first.get("RecognizableVisualFeatures") or "") for reference in references}
    if "YES" in stated:
        return True
    parts = {str(reference.first.get("BodyPartExamined") or "").upper() for reference in references}
    if stated == {"NO"}:
        return False
    return "" in parts or any(mark in part for part in parts for mark in _RECOGNISABLE_PARTS)


def add_lossy_history(dataset: Dataset, references: tuple[Reference, ...]) -> tuple[str, ...]:
    """Copy that a source was compressed with loss; what was lost once stays lost. Returns warnings."""
    found = any(reference.lossy.was_lossy for reference in references)
    pairs = list(dict.fromkeys(pair for reference in references for pair in reference.lossy.steps))[:8]
    dataset.LossyImageCompression = "01" if found else "00"
    if pairs:
        ratios, methods = zip(*pairs)
        dataset.LossyImageCompressionRatio, dataset.LossyImageCompressionMethod = list(ratios), list(methods)
    if found and not pairs:
        return ("A source was compressed with loss; by how much is not stated in it",)
    return ()


def derivation_codes(stamp: Stamp) -> list[Dataset]:
    """Items of DerivationCodeSequence (CID 7203) that are true; there is no code for image fusion."""
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    found = []
    if stamp.resampled:
        found.append(codes.DCM.SpatialResampling)
    if stamp.method in _COMPUTED:
        found.append(getattr(codes.DCM, _COMPUTED[stamp.method]))
    return [CodedConcept.from_code(code) for code in found]


def _was_resampled(result: FusionResult) -> bool:
    """Whether a source was not read on the fused grid."""
    from MedFusionLib.volume import Geometry

    inputs = result.provenance.get("inputs") or []
    read = [Geometry(tuple(said["shape_kji"]), said["ijk_to_ras"]) for said in inputs if "ijk_to_ras" in said]
    moved = any(result.provenance.get("parameters", {}).get("transforms") or [])
    return moved or any(not grid.same_grid(result.fused.geometry) for grid in read)


def _derivation(method: str, modalities: str, asked: dict, run: dict, result: FusionResult) -> str:
    parameters = ", ".join(f"{name}={value}" for name, value in sorted((asked.get("parameters") or {}).items()))
    windows = "; ".join(f"{w.lower:g}..{w.upper:g} {w.unit}".strip() for w in result.windows)
    weights = run.get("weights") or asked.get("weights")
    sentences = [
        NOTICE,
        f"Image fusion of {modalities}" + (f" by method {method}" if method else ""),
        f"parameters {parameters}" if parameters else "",
        f"mode {asked['mode']}" if asked.get("mode") else "",
        f"windows {windows}",
        f"weights SHA-256 {weights}" if isinstance(weights, str) else "",
        f"alignment verdict {result.alignment.status}" + (" (forced)" if asked.get("forced") else ""),
        f"MedFusion {__version__}",
    ]
    return " ".join(part if part.endswith(".") else part + "." for part in sentences if part)[:_DESCRIPTION_LENGTH]
