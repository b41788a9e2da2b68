"""The batch: one case never takes the others down, a killed run goes on where it was, nothing is half written."""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

import MedFusionLib as mf
from batch_cases import BROKEN, write_cases
from MedFusionLib.batch.plan import Wishes
from MedFusionLib.batch.reading import fingerprint
from MedFusionLib.cli import main
from MedFusionLib.errors import NotSupported
from MedFusionLib.methods import convex

GOOD = 2
PLAIN = Wishes(("average",), with_reports=False)
VARYING = {"seconds", "timings", "peak_mb", "total", "resumed"}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return write_cases(tmp_path_factory.mktemp("cases"), GOOD)


@pytest.fixture(scope="module")
def undisturbed(manifest, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed")
    return mf.run_batch(mf.plan_batch(manifest, out, PLAIN)), out


def workers(kind="MedFusionLib.batch.worker"):
    """The processes of workers that live now."""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is one of these
            if kind in " ".join(child.cmdline()):
                yield child.pid


def plan_of(manifest, out, *names):
    return mf.plan_batch(manifest, out, PLAIN, participants=names)


def constant(document):
    """A record without what may differ from run to run."""
    if isinstance(document, dict):
        return {key: constant(value) for key, value in document.items() if key not in VARYING}
    return [constant(value) for value in document] if isinstance(document, list) else document


def content(out):
    """What a folder of derivatives holds: hashes of voxels, JSON without times."""
    found = {}
    for path in sorted(Path(out).rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.suffix == ".json":
            found[name] = constant(json.loads(path.read_text()))
        elif path.name.endswith((".nii.gz", ".nrrd")):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def test_every_case_ends_with_its_status_and_code(undisturbed):
    report, out = undisturbed
    by_name = {case["id"].removeprefix("sub-"): case for case in report.cases}
    assert {name: by_name[name]["code"] for name in BROKEN} == BROKEN
    assert all(by_name[name]["status"] == "failed" and by_name[name]["reason"] for name in BROKEN)
    assert all(by_name[f"{n:02d}"]["status"] in ("ok", "warning") for n in range(1, GOOD + 1))
    assert report.counts()["failed"] == len(BROKEN)
    assert not any((out / f"sub-{name}").exists() for name in BROKEN)


def test_results_are_complete_folders_with_names_as_in_bids(undisturbed):
    _, out = undisturbed
    result = mf.load_result(out / "sub-01" / "medfusion" / "average")
    assert result.provenance["parameters"]["method"] == "average"
    named = out / "sub-01" / "pet" / "sub-01_desc-average_pet.nii.gz"
    assert named.read_bytes() == (out / "sub-01" / "medfusion" / "average" / "fused.nii.gz").read_bytes()
    sidecar = json.loads(named.with_name("sub-01_desc-average_pet.json").read_text())
    assert sidecar["SourceUnits"] == ["[arb'U]", "{SUVbw}g/ml"]
    assert json.loads((out / "dataset_description.json").read_text())["DatasetType"] == "derivative"


def test_a_second_run_skips_what_is_there_and_other_wishes_do_not(manifest, undisturbed):
    _, out = undisturbed
    before = content(out)
    again = mf.run_batch(mf.plan_batch(manifest, out, PLAIN))
    assert [case["resumed"] for case in again.cases if case["status"] != "failed"] == [True] * GOOD
    assert content(out) == before
    plan = mf.plan_batch(manifest, out, replace(PLAIN, methods=("maximum",)), participants=["01"])
    changed = mf.run_batch(plan).cases[0]
    assert not changed["resumed"]
    assert list(changed["methods"]) == ["maximum"]
    mf.run_batch(plan_of(manifest, out, "01"))
    assert content(out) == before


def test_other_weights_behind_a_parameter_are_noticed(tmp_path, monkeypatch):
    case = plan_of(write_cases(tmp_path / "in", 1), tmp_path / "out", "01").cases[0]
    wishes = [replace(PLAIN, methods=("convex",), parameters=chosen) for chosen in ({}, {"trained": "free"})]
    before = [fingerprint(case, wish) for wish in wishes]
    real = convex.card
    monkeypatch.setattr(convex, "card", lambda name: {"sha256": "0" * 64} if name == "convex-free" else real(name))
    after = [fingerprint(case, wish) for wish in wishes]
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_other_input_bytes_are_noticed(tmp_path):
    manifest = write_cases(tmp_path / "in", 1)
    plan = plan_of(manifest, tmp_path / "out", "01")
    assert not mf.run_batch(plan).cases[0]["resumed"]
    volume = mf.read_volume(tmp_path / "in" / "01" / "pet.nii.gz", unit="SUVbw")
    mf.write_volume(
        mf.Volume(volume.array * 1.5, volume.geometry, "PT", volume.unit), tmp_path / "in/01/pet.nii.gz", overwrite=True
    )
    assert not mf.run_batch(plan).cases[0]["resumed"]


def test_a_run_killed_at_any_moment_goes_on_to_the_same_bytes(manifest, undisturbed, tmp_path):
    _, expected = undisturbed
    command = [
        sys.executable,
        "-m",
        "MedFusionLib",
        "batch",
        str(manifest),
        str(tmp_path / "out"),
        "--method",
        "average",
        "--no-reports",
    ]
    out = tmp_path / "out"
    for moment in (".partial-sub-01-*", "sub-01/case.json"):  # in the middle of the first case, and after it
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 120
        while not list(out.glob(moment)):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.005)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.wait()
        _, alive = psutil.wait_procs(children, timeout=30)
        assert not alive, "a worker outlived its parent"
    finished = subprocess.run([*command, "--json"], capture_output=True, check=False)
    assert [case["resumed"] for case in json.loads(finished.stdout)["cases"]][:GOOD] == [True] + [False] * (GOOD - 1)
    assert content(out) == content(expected)
    assert not list(out.glob(".partial-sub-*"))


def test_a_worker_that_is_killed_loses_only_its_own_case_and_runs_it_again(manifest, tmp_path):
    killed = []

    def kill_once(event):
        if event.record is None and not killed:
            worker = next(workers())
            killed.append((event.case, worker))
            os.kill(worker, signal.SIGKILL)

    plan = plan_of(manifest, tmp_path, "01", "02")
    report = mf.run_batch(plan, kill_once)
    assert killed
    assert [case["status"] == "failed" for case in report.cases] == [False, False]


def test_a_case_whose_worker_always_dies_is_reported_and_the_rest_goes_on(manifest, tmp_path):
    def kill_first(event):
        if event.record is None and event.case == "sub-01":
            for worker in workers():
                os.kill(worker, signal.SIGKILL)

    plan = plan_of(manifest, tmp_path, "01", "02")
    first, second = mf.run_batch(plan, kill_first).cases
    assert (first["status"], first["code"]) == ("failed", 7)
    assert "killed" in first["reason"]
    assert second["status"] != "failed"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the cap is one of Linux")
def test_a_case_beyond_the_memory_cap_fails_alone_and_in_words(tmp_path):
    from phantoms import head_pair

    manifest = write_cases(tmp_path / "in", 1, head_pair((120, 240, 240)))
    plan = plan_of(manifest, tmp_path / "out", "01")
    record = mf.run_batch(plan, memory_mb=500).cases[0]
    assert (record["status"], record["code"]) == ("failed", 7)
    assert record["peak_mb"] is None or record["peak_mb"] < 1500


def test_the_first_failure_stops_the_batch_when_asked(manifest, tmp_path):
    plan = plan_of(manifest, tmp_path, "01", "empty", "nosuv")
    report = mf.run_batch(plan, fail_fast=True)
    assert report.was_stopped
    assert [case["code"] for case in report.cases] == [0, 3, 8]


def test_a_cancelled_batch_keeps_what_is_done(manifest, tmp_path):
    done = []
    plan = plan_of(manifest, tmp_path)
    report = mf.run_batch(plan, lambda event: done.append(event.case) if event.record else None, lambda: len(done) > 0)
    assert report.was_stopped
    assert report.cases[0]["status"] != "failed"
    assert report.cases[-1]["code"] == 8
    assert (tmp_path / "sub-01" / "case.json").is_file()


def test_two_methods_share_registration_and_tumour(manifest, tmp_path):
    plan = mf.plan_batch(
        manifest, tmp_path, Wishes(("average", "maximum"), tumour="suv2.5", with_reports=False), participants=["01"]
    )
    record = mf.run_batch(plan).cases[0]
    assert set(record["methods"]) == {"average", "maximum"}
    results = [mf.load_result(tmp_path / "sub-01" / "medfusion" / name) for name in record["methods"]]
    assert results[0].tumour.measures[0]["volume_ml"] == results[1].tumour.measures[0]["volume_ml"]
    assert (tmp_path / "sub-01" / "anat" / "sub-01_desc-tumour_dseg.nii.gz").is_file()


def test_the_command_prints_one_document_and_exits_1_when_a_case_failed(manifest, tmp_path, capsys):
    arguments = ["batch", str(manifest), str(tmp_path), "--method", "average", "--no-reports", "--json"]
    assert main([*arguments, "--participant-label", "01", "empty"]) == 1
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert {case["id"]: case["code"] for case in document["cases"]} == {"sub-01": 0, "sub-empty": 3}
    lines = [json.loads(line) for line in printed.err.splitlines() if line.startswith("{")]
    assert lines[-1]["done"] == 2
    assert main([*arguments, "--participant-label", "01"]) == 0


def test_a_dry_run_shows_the_plan_and_writes_nothing(manifest, tmp_path, capsys):
    assert main(["batch", str(manifest), str(tmp_path / "out"), "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "sub-01: mr.nii.gz + pet.nii.gz" in shown
    assert "GB" in shown
    assert not (tmp_path / "out").exists()


def test_unknown_methods_are_told_before_anything_runs(manifest, tmp_path, capsys):
    assert main(["batch", str(manifest), str(tmp_path / "out"), "--method", "nonsense"]) == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("existing", [False, True])
def test_a_dask_cluster_gives_what_processes_give_and_is_left(manifest, undisturbed, tmp_path, existing):
    distributed = pytest.importorskip("distributed", reason="needs the extra: pip install medfusion[cluster]")
    _, expected = undisturbed
    plan = plan_of(manifest, tmp_path, "01", "empty")
    if existing:
        with distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster:
            report = mf.run_batch(plan, scheduler=cluster.scheduler_address)
    else:
        report = mf.run_batch(plan, scheduler="local", workers=1)
    assert [case["code"] for case in report.cases] == [0, 3]
    ours, theirs = content(tmp_path), content(expected)
    voxels = [name for name in ours if name.endswith(".nii.gz")]
    assert voxels
    assert all(ours[name] == theirs[name] for name in voxels)
    assert not list(workers("dask"))


def test_a_scheduler_that_does_not_answer_is_named(manifest, tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="needs the extra: pip install medfusion[cluster]")
    monkeypatch.setattr("MedFusionLib.batch.cluster.ANSWER_SECONDS", 1)
    with pytest.raises(NotSupported, match="No Dask scheduler answers at nowhere:70000"):
        mf.run_batch(plan_of(manifest, tmp_path, "01"), scheduler="nowhere:70000")


def test_progress_is_bars_on_a_terminal_and_plain_lines_elsewhere(manifest, tmp_path, monkeypatch, capsys):
    pytest.importorskip("rich", reason="needs the extra: pip install medfusion[progress]")
    arguments = ["batch", str(manifest), str(tmp_path), "--method", "average", "--no-reports",
                 "--participant-label", "01", "empty"]  # fmt: skip
    main(arguments)
    assert "1/2 sub-" in capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    main(arguments)
    shown = capsys.readouterr().err
    assert "cases" in shown and "2/2" in shown
    assert "sub-empty: failed" in shown


def test_a_log_never_repeats_what_a_foreign_error_quotes(manifest, tmp_path, monkeypatch):
    from MedFusionLib.batch import work

    secret = "^".join(("Sentinel", "Patient"))  # never whole in a line of code, which a traceback may quote

    def explode(*arguments):
        raise KeyError(secret)

    monkeypatch.setattr(work, "read_source", explode)
    plan = plan_of(manifest, tmp_path, "01")
    record = work.run_case(plan, plan.cases[0], lambda done, total: None, lambda: False)
    assert (record["code"], record["reason"]) == (1, "Unexpected KeyError")
    log = (tmp_path / "logs" / "sub-01.log").read_text()
    assert "explode" in log and secret not in log + json.dumps(record)
