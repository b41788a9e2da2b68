"""The tables of Docs/tumour.md: ``python Testing/Benchmarks/tumour.py DATA_FOLDER [--only NAME] [--out FILE]``.

``python tools/update_tumour.py FILE...`` puts them into the page.

Every method on two patients with contours: the sarcoma sts_001 (CT, PET, MR; from the box of its
GTV grown by 1 cm) and the glioma lgg_du7294 (FLAIR, T1 with contrast; from one click in its middle, and
from its box grown by 1 cm). Then: segmentation of the fused volume against that of each source, and
how much the default depends on where box and click are.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tarfile
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

import numpy as np  # noqa: E402
from scipy import ndimage  # noqa: E402

import MedFusionLib as mf  # noqa: E402
from MedFusionLib.align import to_reference  # noqa: E402
from MedFusionLib.engine import EngineOptions, choose_mode, run  # noqa: E402
from MedFusionLib.errors import MedFusionError  # noqa: E402
from MedFusionLib.intensity import default_window, normalise  # noqa: E402
from MedFusionLib.io import read_labels  # noqa: E402
from MedFusionLib.methods.catalogue import create_method  # noqa: E402
from MedFusionLib.region import BoxRegion, LabelRegion, box_around  # noqa: E402
from MedFusionLib.segment import Marks, carry_labels, compare_rules, measure_agreement, segment  # noqa: E402
from MedFusionLib.segment.catalogue import MULTI_SOURCE  # noqa: E402
from MedFusionLib.segment.compare import COMPARED  # noqa: E402
from MedFusionLib.units import FUSION_INDEX, SUV_BODY_WEIGHT  # noqa: E402

MARGIN_MM = 10.0
TOLERANCE_MM = 3.0
FUSIONS = ("average", "maximum", "laplacian", "dwt")
SEGMENTED_BY = ("auto", "graph-cut", "kfcm", "level-set", "lesion-net")
LIVER = (44.0, -2.0, -391.0)
"""A point in the right lobe of the sarcoma patient, RAS in mm."""
REPEATS = 20
REFUSED = "refused"


class Patient:
    """Sources with a reference contour on the grid of each one."""

    def __init__(self, sources: list, contours: dict) -> None:
        self.sources = {source.name: source for source in sources}
        self.contours = contours
        self.whole_body = None
        labels, geometry = self.contour_of(sources[0])
        self.box = box_around(LabelRegion(labels, geometry), margin_mm=MARGIN_MM)
        self.middle = tuple(float(c) for c in geometry.to_ras(np.argwhere(labels).mean(axis=0)[::-1]))

    def contour_of(self, source) -> tuple[np.ndarray, object]:
        """The reference contour that belongs to a source."""
        return self.contours[source.name]

    def pick(self, *names: str) -> tuple:
        """Sources by name."""
        return tuple(self.sources[name] for name in names)


def sarcoma(data: Path) -> Patient:
    """CT, PET, MR of sts_001; the GTV was drawn once and stored on each grid."""
    folder = data / "sts_001" / "nifti"
    names = (("CT", "CT", "HU"), ("PET", "PT", "SUVbw"), ("MR_T1", "MR", "a.u."))
    sources = [mf.read_volume(folder / f"{n}_image.nii.gz", m, u, name=n) for n, m, u in names]
    patient = Patient(sources, {n: _mask(folder / f"{n}_gtv.nii.gz") for n, _, _ in names})
    raw = data / "sts_001" / "raw_FDG_PET.tar.xz"
    if raw.is_file():
        with tempfile.TemporaryDirectory() as place, tarfile.open(raw) as archive:
            archive.extractall(place, filter="data")
            patient.whole_body = mf.read_volume(next(Path(place).rglob("image")))
    return patient


def glioma(data: Path) -> Patient:
    """FLAIR and T1 with contrast of lgg_du7294; the whole tumour of the fused algorithms."""
    folder = data / "lgg_du7294"
    sources = [mf.read_volume(folder / f"{name}.nii.gz", "MR", name=name) for name in ("flair", "t1c")]
    contour = _mask(folder / "seg" / "fusion_mav.nii.gz")
    return Patient(sources, {"flair": contour, "t1c": contour})


def score(patient: Patient, sources: tuple, method: str, marks: Marks, *, contour=None) -> list[str]:
    """Dice, HD95, surface Dice, volume error and processor seconds as text."""
    started = time.process_time()
    try:
        found = segment(sources, method, marks)
    except MedFusionError:
        return [REFUSED, "", "", "", ""]
    seconds = time.process_time() - started
    name = next(source.name for source in sources if source.geometry.same_grid(found.geometry))
    labels, geometry = contour or patient.contours[name]
    truth = carry_labels(labels, geometry, found.geometry) > 0
    a = measure_agreement(found.labels > 0, truth, found.geometry, tolerance_mm=TOLERANCE_MM)
    return [f"{a.dice:.3f}", f"{a.hd95_mm:.1f}", f"{a.nsd:.2f}", f"{a.volume_error:+.0%}", f"{seconds:.1f}"]


def sarcoma_table(leg: Patient) -> list[str]:
    """Every method on the sarcoma."""
    lines = ["### Sarcoma, from the box of the GTV grown by 1 cm", "", *_methods_head()]
    for name in ("auto", *(n for n in MULTI_SOURCE if n != "random-walker")):
        sources = leg.pick("CT", "PET", "MR_T1")
        lines.append(_row(name, "CT + PET + MR", *score(leg, sources, name, Marks(region=leg.box))))
    for name in COMPARED:
        lines.append(_row(name, "PET", *score(leg, leg.pick("PET"), name, Marks(region=leg.box))))
    return [*lines, _row("percist", "PET, whole body", *score_percist(leg))]


def glioma_table(brain: Patient, title: str, marks: Marks) -> list[str]:
    """Every method that needs no PET on the glioma."""
    lines = [f"### Glioma, whole tumour, from {title}", "", *_methods_head()]
    for name in ("auto", *(n for n in MULTI_SOURCE if n != "random-walker")):
        lines.append(_row(name, "FLAIR + T1c", *score(brain, brain.pick("flair", "t1c"), name, marks)))
    return lines


def _methods_head() -> list[str]:
    return _head(["method", "sources", "Dice", "HD95 mm", f"NSD {TOLERANCE_MM:g} mm", "volume", "CPU s"])


def score_percist(leg: Patient) -> list[str]:
    """PERCIST needs the liver, which only the original scanner series shows."""
    if leg.whole_body is None:
        return [REFUSED, "", "", "", ""]
    contour = leg.contours["PET"]
    return score(leg, (leg.whole_body,), "percist", Marks(region=leg.box, liver=LIVER), contour=contour)


def hottest(patient: Patient) -> tuple[float, float, float]:
    """The hottest PET voxel of the contour: a click into the living rim, since the middle is necrotic."""
    pet, (labels, _) = patient.sources["PET"], patient.contours["PET"]
    index = np.unravel_index(np.argmax(np.where(labels > 0, pet.array, -np.inf)), labels.shape)
    return tuple(float(c) for c in pet.geometry.to_ras(index[::-1]))


def fused_table(words: str, patient: Patient, names: tuple[str, ...], marks: Marks) -> list[str]:
    """Does segmenting the fused volume beat segmenting the sources?"""
    head = _head(["segmented", *SEGMENTED_BY])
    lines = [f"### Fused volume against sources: {words}", "", *head]
    sources = patient.pick(*names)
    rows = [(name, (source,)) for name, source in zip(names, sources)]
    rows.append((" + ".join(names) + " together", sources))
    rows += [(f"{' + '.join(names)} fused by {fusion}", (fused(sources, fusion),)) for fusion in FUSIONS]
    for title, chosen in rows:
        known = patient.contour_of(sources[0] if chosen[0].modality == "OT" else chosen[0])
        found = [score(patient, chosen, m, marks, contour=known)[0] for m in SEGMENTED_BY]
        lines.append(_row(title, *found))
    return lines


def fused(sources: tuple, method: str):
    """The fused volume as `fuse` makes it, without maps and metrics."""
    case = to_reference(mf.Case(sources))
    fusion, grid = create_method(method), case.reference.geometry
    stack = np.stack([normalise(source, default_window(source)) for source in case.sources])
    options = EngineOptions(mode=choose_mode("auto", fusion.info.dims, grid.shape))
    array = run(fusion, stack, grid.spacing_kji_mm, options, slice_axis=grid.slice_axis).fused
    return mf.Volume(np.clip(array, 0, 1), grid, "OT", FUSION_INDEX, f"fused by {method}")


def stability_table(leg: Patient, brain: Patient, repeats: int) -> list[str]:
    """Dice of the default over moved boxes and clicks."""
    rng = np.random.default_rng(0)
    lines = ["### How much the default depends on the mark", "",
             *_head(["patient", "mark", "tried", "refused", "Dice min", "median", "max"])]  # fmt: skip
    for words, patient, sources in (
        ("sarcoma", leg, leg.pick("CT", "PET", "MR_T1")),
        ("glioma", brain, brain.pick("flair", "t1c")),
    ):
        box, (labels, geometry) = patient.box, patient.contour_of(sources[0])
        boxes = [
            Marks(region=BoxRegion(box.centre_ras + rng.uniform(-8, 8, 3), box.size_mm + rng.uniform(-8, 16, 3)))
            for _ in range(repeats)
        ]
        deep = np.argwhere(ndimage.distance_transform_edt(labels, sampling=geometry.spacing_kji_mm) >= 3)
        places = deep[rng.integers(0, len(deep), repeats)]
        clicks = [Marks(seed=tuple(float(c) for c in geometry.to_ras(place[::-1]))) for place in places]
        for title, marks in (
            ("box moved by 8 mm, grown by -4 to 8 mm a side", boxes),
            ("click anywhere 3 mm deep", clicks),
        ):
            found = [score(patient, sources, "auto", mark)[0] for mark in marks]
            dice = [float(one) for one in found if one != REFUSED]
            figures = [f"{f(dice):.3f}" for f in (min, statistics.median, max)] if dice else ["-"] * 3
            lines.append(_row(words, title, str(len(found)), str(len(found) - len(dice)), *figures))
    return lines


def speed_table(shape: tuple[int, int, int]) -> list[str]:
    """Processor time for a large PET volume with one lesion of 3 cm radius."""
    k, j, i = np.ogrid[tuple(slice(0, n) for n in shape)]
    away = (2.0 * (k - shape[0] / 2)) ** 2 + (1.5 * (j - shape[1] / 2)) ** 2 + (1.5 * (i - shape[2] / 2)) ** 2
    array = np.random.default_rng(0).gamma(4, 0.25, shape).astype(np.float32)
    array[away < 30**2] += 8
    geometry = mf.Geometry(shape, np.diag([1.5, 1.5, 2.0, 1.0]))
    pet = mf.Volume(array, geometry, "PT", SUV_BODY_WEIGHT, "PET")
    middle = tuple(float(c) for c in geometry.to_ras([n / 2 for n in shape[::-1]]))
    region = BoxRegion(middle, (90, 90, 90))
    jobs = {
        "all rules from a seed": lambda: compare_rules(pet, seed=middle),
        "all rules in a region": lambda: compare_rules(pet, region=region.mask_on(geometry)),
        "candidates above SUV 4": lambda: segment((pet,), "suv4"),
        "auto from a seed": lambda: segment((pet,), "auto", Marks(seed=middle)),
        "auto and all measures": lambda: mf.segment_tumour(mf.Case([pet]), seed=middle),
    }
    lines = [f"### Time for a PET of {shape[2]} x {shape[1]} x {shape[0]} voxels", "", *_head(["job", "CPU s"])]
    for words, job in jobs.items():
        started = time.process_time()
        job()
        lines.append(_row(words, f"{time.process_time() - started:.1f}"))
    return lines


TABLES = ("sarcoma", "glioma-click", "glioma-box", "fused-sarcoma", "fused-glioma", "stability", "speed")


def table(name: str, data: Path, *, quick: bool) -> list[str]:
    """Lines of one of the tables."""
    made = {
        "sarcoma": lambda: sarcoma_table(sarcoma(data)),
        "glioma-click": lambda: glioma_table(brain := glioma(data), "one click", Marks(seed=brain.middle)),
        "glioma-box": lambda: glioma_table(brain := glioma(data), "the box grown by 1 cm", Marks(region=brain.box)),
        "fused-sarcoma": lambda: fused_table(
            "sarcoma", leg := sarcoma(data), ("CT", "PET"), Marks(region=leg.box, seed=hottest(leg))
        ),
        "fused-glioma": lambda: fused_table(
            "glioma", brain := glioma(data), ("flair", "t1c"), Marks(seed=brain.middle)
        ),
        "stability": lambda: stability_table(sarcoma(data), glioma(data), 3 if quick else REPEATS),
        "speed": lambda: speed_table((40, 128, 128) if quick else (300, 512, 512)),
    }
    return made[name]()


def main(arguments: list[str] | None = None) -> int:
    """Print the tables; with --out also write them, as JSON."""
    parser = argparse.ArgumentParser(description="Segmentation of real tumours, every method")
    parser.add_argument("data", type=Path, help="the folder that holds sts_001 and lgg_du7294")
    parser.add_argument("--only", choices=TABLES, help="one table")
    parser.add_argument("--quick", action="store_true", help="few repeats")
    parser.add_argument("--out", type=Path, help="JSON file")
    options = parser.parse_args(arguments)
    found = {name: table(name, options.data, quick=options.quick) for name in TABLES if options.only in (None, name)}
    print("\n\n".join("\n".join(lines) for lines in found.values()))
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def _mask(path: Path) -> tuple[np.ndarray, object]:
    labels, geometry = read_labels(path)
    return (labels > 0).astype(np.uint8), geometry


def _head(names: list[str]) -> list[str]:
    return [_row(*names), _row(*["---"] * len(names))]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
