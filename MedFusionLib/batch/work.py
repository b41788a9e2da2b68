"""One case of a batch, from its files to its folder of results."""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from MedFusionLib.batch.derivatives import RESULTS, write_named
from MedFusionLib.batch.plan import Plan, PlannedCase, Wishes, problem_of
from MedFusionLib.batch.reading import fingerprint, read_source
from MedFusionLib.errors import Cancelled, MedFusionError, ResourcesExhausted
from MedFusionLib.io.atomic_folder import remove_leftovers, whole_folder
from MedFusionLib.io.plain import plain
from MedFusionLib.io.results import write_result
from MedFusionLib.io.write import atomic, disk_error
from MedFusionLib.pipeline import fuse
from MedFusionLib.provenance import peak_memory_mb
from MedFusionLib.result import FusionResult
from MedFusionLib.volume import Case

RECORD = "case.json"
LOGS = "logs"
UNEXPECTED = 1
STEPS = 100
Progress = Callable[[int, int], None]
logger = logging.getLogger(__name__)


def run_case(plan: Plan, case: PlannedCase, progress: Progress, cancelled: Callable[[], bool]) -> dict:
    """Run one case and return its record; nothing but `Cancelled` is raised.

    Returns
    -------
    dict
        ``id``, ``status`` (ok, warning, failed), ``code``, ``reason``, ``hint``, ``warnings``, ``resumed``,
        ``seconds``, ``peak_mb``, ``folder`` and ``methods`` (per method metrics, alignment and measures).
    """
    started = time.perf_counter()
    with _log_of(plan, case):
        try:
            record = _attempt(plan, case, progress, cancelled)
        except Cancelled:
            logger.info("cancelled")
            raise
        except MedFusionError as error:
            record = failed(case, problem_of(error))
        except MemoryError:
            record = failed(case, problem_of(ResourcesExhausted("Out of memory", "a larger --memory", "")))
        except Exception as error:
            # the message of a foreign exception may quote a header: only what and where it was
            logger.error("unexpected %s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
            problem = {"code": UNEXPECTED, "message": f"Unexpected {type(error).__name__}", "hint": "See the log"}
            record = failed(case, problem)
        record |= {"seconds": time.perf_counter() - started, "peak_mb": peak_memory_mb()}
        logger.info("%s%s", record["status"], f": {record['reason']}" if record["reason"] else "")
    save_outcome(plan, record)
    return record


def failed(case: PlannedCase, problem: dict) -> dict:
    """The record of a case that has no result."""
    return {
        "id": case.id, "status": "failed", "code": problem["code"], "reason": problem["message"],
        "hint": problem.get("hint", ""), "warnings": [], "resumed": False, "seconds": 0.0, "peak_mb": None,
        "folder": None, "methods": {}, "chosen_by": list(case.chosen_by),
    }  # fmt: skip


def save_outcome(plan: Plan, record: dict) -> None:
    """Keep what became of a case, whatever it was."""
    folder = Path(plan.out) / LOGS
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(folder / f"{record['id']}.json") as temporary:
        temporary.write_text(json.dumps(plain(record), indent=2) + "\n", encoding="utf-8")


def _attempt(plan: Plan, case: PlannedCase, progress: Progress, cancelled: Callable[[], bool]) -> dict:
    if case.problem is not None:
        return failed(case, case.problem)
    folder, wanted = Path(plan.out) / case.folder, fingerprint(case, plan.wishes)
    remove_leftovers(folder)
    older = read_record(folder)
    if older is not None and older["fingerprint"] == wanted:
        logger.info("inputs, wishes, versions and weights are those of the result that is there")
        return {**older, "resumed": True}
    try:
        with whole_folder(folder) as temporary:
            record = _make(plan, case, temporary, progress, cancelled)
            record |= {"folder": case.folder.as_posix(), "fingerprint": wanted}
            text = json.dumps(plain(record), indent=2) + "\n"
            (temporary / RECORD).write_text(text, encoding="utf-8")
    except OSError as error:
        raise disk_error(error, folder) from error
    return {**record, "resumed": False}


def read_record(folder: Path) -> dict | None:
    """The record of a case's folder; None where there is no complete one."""
    try:
        return json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _make(plan: Plan, case: PlannedCase, folder: Path, progress: Progress, cancelled: Callable[[], bool]) -> dict:
    from MedFusionLib.io.dicom_export.facade import export_result

    wishes = plan.wishes
    names = wishes.methods or (None,)
    read = [read_source(source) for source in case.sources]
    sources, audits = Case([volume for volume, _ in read]), [audit for _, audit in read if audit is not None]
    logger.info("read %d sources", len(sources.sources))
    found: dict[str, FusionResult] = {}
    warnings: list[str] = []
    for number, name in enumerate(names):
        first = next(iter(found.values()), None)
        result = _fuse(sources, case, wishes, name, first, _share(progress, number, len(names)), cancelled)
        method = result.provenance["parameters"]["method"]
        found[method] = result
        results = folder / RESULTS / method
        results.mkdir(parents=True)
        write_result(result, results)
        write_named(case, method, result, results, folder)
        logger.info("%s: %.1f s", method, result.timings["total"])
        if wishes.export:
            made = export_result(result, [case.sources[0].path], list(wishes.export), folder / "dicom" / method)
            warnings += made.warnings
    record = _record(case, found, warnings)
    record["suv"] = [audit.as_json() for audit in audits]
    if wishes.with_reports:
        from MedFusionLib.batch.case_page import write_case_page

        write_case_page(case, record, found, folder)
    return record


def _fuse(sources: Case, case: PlannedCase, wishes: Wishes, method, first: FusionResult | None, progress, cancelled):
    """Fuse by one method; registration and tumour are found once and used for all methods."""
    options = {"parameters": wishes.parameters, "force": wishes.force, "maps": wishes.maps}
    if first is None:
        options |= {"register": wishes.register, "transform": list(case.transforms) or None}
        options |= {"tumour": case.tumour or wishes.tumour, "seed": case.seed, "roi": case.roi}
    else:
        options |= {"transform": list(first.transforms), "tumour": first.tumour}
    return fuse(sources, method, wishes.mode, wishes.device, wishes.precision, progress=progress, cancelled=cancelled,
                **options)  # fmt: skip


def _record(case: PlannedCase, found: dict[str, FusionResult], warnings: list[str]) -> dict:
    first = next(iter(found.values()))
    said = [] if first.alignment.status == "pass" else [
        f"Alignment {first.alignment.status}: {' '.join(first.alignment.reasons[:1])}"
    ]  # fmt: skip
    for method, result in found.items():
        said += [f"{method}: {warning}" for warning in result.metrics.get("trust", {}).get("warnings", [])]
    said += warnings
    return {
        "id": case.id,
        "status": "warning" if said else "ok",
        "code": 0,
        "reason": "",
        "hint": "",
        "warnings": said,
        "chosen_by": list(case.chosen_by),
        "sources": [{"modality": v.modality, "unit": v.unit.code, "sha256": v.source.sha256} for v in first.sources],
        "alignment": first.alignment.as_json(),
        "measures": list(first.tumour.measures) if first.tumour is not None else [],
        "methods": {
            method: {"metrics": {k: v for k, v in result.metrics.items() if isinstance(v, (int, float))},
                     "seconds": result.timings["total"]}
            for method, result in found.items()
        },
    }  # fmt: skip


def _share(progress: Progress, number: int, count: int) -> Progress:
    return lambda done, total: progress(int(STEPS * (number + done / max(total, 1)) / count), STEPS)


@contextmanager
def _log_of(plan: Plan, case: PlannedCase):
    """Lines of the library's own loggers go into the log of the case."""
    folder = Path(plan.out) / LOGS
    folder.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(folder / f"{case.id}.log", mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    top = logging.getLogger("MedFusionLib")
    level = top.level
    top.addHandler(handler)
    top.setLevel(logging.INFO)
    try:
        for rule in case.chosen_by:
            logger.info("%s", rule)
        yield
    finally:
        top.removeHandler(handler)
        top.setLevel(level)
        handler.close()
