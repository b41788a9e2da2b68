"""medfusion batch: many cases."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from MedFusionLib.commands.base import Command, interruptible, parse_parameters, table
from MedFusionLib.engine import DEVICES, MODES, PRECISIONS
from MedFusionLib.errors import UsageError
from MedFusionLib.volume import MODALITIES

LEVELS = ("participant", "group")
MEGABYTES_PER_GB = 1024


def add_arguments(parser) -> None:
    """INPUT OUT [participant|group] and what is done with every case."""
    parser.add_argument("input", metavar="INPUT", help="BIDS data set, folder of cases or of DICOM studies, or table")
    parser.add_argument("out", metavar="OUT", help="folder of the derivatives")
    parser.add_argument("level", nargs="?", choices=LEVELS, default="participant",
                        help="run cases (default), or only make the tables and the page of the group")  # fmt: skip
    parser.add_argument("--participant-label", nargs="+", default=[], metavar="ID", help="only these participants")
    parser.add_argument("--pick", default="", metavar="NAME[,NAME]",
                        help="sources by modality or a word of their names, reference first")  # fmt: skip
    parser.add_argument("--unit", action="append", default=[], metavar="MODALITY=UNIT",
                        help="for files that do not say, for example PT=SUVbw")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="show the plan, do nothing")
    parser.add_argument("--method", default="", metavar="M[,M]", help="one or more methods (default by modality pair)")
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help="of the methods")
    parser.add_argument("--mode", choices=("auto", *MODES), default="auto")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--precision", choices=PRECISIONS, default="exact")
    parser.add_argument("--register", choices=("none", "rigid", "affine", "bspline"), default="none")
    parser.add_argument("--tumour", metavar="METHOD", help="auto, suv2.5 ... for cases that bring no label map")
    parser.add_argument("--trust", metavar="MAP[,MAP]", default="", help="further maps: loss, stability")
    parser.add_argument("--export", metavar="KIND[,KIND]", default="", help="DICOM objects, see: medfusion export")
    parser.add_argument("--force", action="store_true", help="fuse although sources do not line up (recorded)")
    parser.add_argument("--no-reports", action="store_true", help="no HTML pages")
    parser.add_argument("--workers", "--n-procs", type=int, default=1, metavar="N", help="processes (default 1)")
    parser.add_argument("--memory", type=float, metavar="GB", help="most memory per process (Linux)")
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="only the I-th of N parts, for job arrays")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler, or local (extra: cluster)")
    parser.add_argument("--fail-fast", action="store_true", help="stop at the first case that fails")


def run(arguments) -> dict:
    """Plan, show or run."""
    from MedFusionLib.batch.discovery import plan_batch
    from MedFusionLib.batch.estimate import estimate
    from MedFusionLib.batch.group import records_of, write_group
    from MedFusionLib.batch.run import run_batch

    plan = plan_batch(
        arguments.input, arguments.out, _wishes(arguments), participants=arguments.participant_label,
        pick=_names(arguments.pick), units=_units(arguments.unit), shard=arguments.shard,
    )  # fmt: skip
    if arguments.dry_run:
        return {"plan": plan.as_json(), "estimate": estimate(plan, arguments.workers), "cases": []}
    if arguments.level == "group":
        write_group(plan)
        return {"cases": records_of_plan(records_of, plan), "out": plan.out}
    with interruptible() as cancelled, _progress(arguments.json, len(plan.cases)) as progress:
        report = run_batch(
            plan, progress, cancelled, workers=arguments.workers, fail_fast=arguments.fail_fast,
            memory_mb=arguments.memory * MEGABYTES_PER_GB if arguments.memory else None, scheduler=arguments.scheduler,
        )  # fmt: skip
    return {**report.as_json(), "out": plan.out}


def records_of_plan(records_of: Callable, plan) -> list[dict]:
    """What became of the cases of a plan so far."""
    from pathlib import Path

    wanted = {case.id for case in plan.cases}
    return [record for record in records_of(Path(plan.out)) if record["id"] in wanted]


def show(document: dict) -> str:
    """The plan, or what became of the cases."""
    if "plan" in document:
        return _show_plan(document)
    rows = [(case["id"], case["status"], case["code"], f"{case['seconds']:.1f}", _said(case))
            for case in document["cases"]]  # fmt: skip
    lines = [table(rows, ("case", "status", "code", "seconds", "")), "", f"Derivatives: {document['out']}"]
    return "\n".join(lines)


def exit_code(document: dict) -> int:
    """1 when a case failed."""
    return int(any(case["status"] == "failed" for case in document["cases"]))


def _show_plan(document: dict) -> str:
    from pathlib import Path

    plan, expected = document["plan"], document["estimate"]
    methods = ", ".join(plan["wishes"]["methods"]) or "default by modality pair"
    lines = [f"{len(plan['cases'])} cases ({plan['kind']}), method: {methods}", ""]
    for case in plan["cases"]:
        name = "sub-" + case["participant"] + ("_ses-" + case["session"] if case["session"] else "")
        if case["problem"]:
            lines.append(f"{name}: cannot be run: {case['problem']['message']}")
            continue
        names = " + ".join(Path(source["path"]).name for source in case["sources"])
        lines.append(f"{name}: {names} ({case['sources'][0]['voxels'] / 1e6:.1f} million voxels)")
        lines.extend(f"  {rule}" for rule in case["chosen_by"])
    lines += [
        "",
        f"About {expected['minutes']:.0f} minutes ({expected['basis']}), at most {expected['disk_gb']:.1f} GB",
    ]
    return "\n".join(lines)


def _said(case: dict) -> str:
    if case["status"] == "failed":
        return case["reason"]
    return "as before" if case["resumed"] else "; ".join(case["warnings"])[:100]


def _wishes(arguments):
    from MedFusionLib.batch.plan import Wishes
    from MedFusionLib.io.dicom_export.facade import check_kinds
    from MedFusionLib.methods.catalogue import create_method

    methods, export = _names(arguments.method), _names(arguments.export)
    parameters = parse_parameters(arguments.parameter)
    for method in methods:  # a wrong name is told before anything runs
        create_method(method, parameters)
    if export:
        check_kinds(list(export))
    if arguments.workers < 1 or (arguments.memory is not None and arguments.memory <= 0):
        raise UsageError("No workers, or no memory for them", "--workers of at least 1, --memory above 0")
    return Wishes(
        methods, arguments.mode, arguments.device, arguments.precision, arguments.register, arguments.tumour,
        arguments.force, parameters, _names(arguments.trust), export, with_reports=not arguments.no_reports,
    )  # fmt: skip


def _units(texts: list[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        modality, equals, unit = text.partition("=")
        if not equals or modality not in MODALITIES:
            raise UsageError(f"The unit {text!r}", "MODALITY=UNIT, for example PT=SUVbw")
        found[modality] = unit
    return found


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


@contextmanager
def _progress(as_json: bool, total: int) -> Iterator[Callable]:
    """Bars on a terminal, plain lines in a log, JSON lines with ``--json``; all on standard error."""
    if as_json:
        yield _json_line
        return
    if sys.stderr.isatty():
        try:
            with _bars(total) as show_event:
                yield show_event
            return
        except ImportError:
            pass
    yield _plain_line


def _json_line(event) -> None:
    line = {"case": event.case, "percent": event.percent, "done": event.done, "total": event.total,
            "seconds_left": event.seconds_left}  # fmt: skip
    if event.record is not None:
        line |= {"status": event.record["status"], "code": event.record["code"]}
    print(json.dumps(line), file=sys.stderr, flush=True)


def _plain_line(event) -> None:
    if event.record is None:
        return
    left = "" if event.seconds_left is None else f", {event.seconds_left / 60:.0f} min left"
    print(f"{event.done}/{event.total} {event.case}: {event.record['status']}{left}", file=sys.stderr, flush=True)


@contextmanager
def _bars(total: int) -> Iterator[Callable]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        whole = bars.add_task("cases", total=total)
        running: dict[str, int] = {}

        def show_event(event) -> None:
            if event.case not in running:
                running[event.case] = bars.add_task(event.case, total=100)
            bars.update(running[event.case], completed=event.percent)
            if event.record is not None:
                bars.remove_task(running.pop(event.case))
                told = f"{event.case}: {event.record['status']} {event.record['reason']}"
                bars.console.print(told, markup=False, highlight=False)
            bars.update(whole, completed=event.done)

        yield show_event


COMMAND = Command("batch", "fuse many cases, resume, report", add_arguments, run, show, exit_code)
