"""A fusion in a process of its own."""

import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
import SimpleITK as sitk

import MedFusionLib as mf
from MedFusionLib import detached
from MedFusionLib.detached import fuse_detached
from MedFusionLib.errors import Cancelled, NotAligned, ResourcesExhausted, UsageError
from MedFusionLib.segment import segmentation_from_labels
from phantoms import head_pair

pytest.importorskip("torch")


@pytest.fixture
def fake(tmp_path):
    """Stands in for the interpreter: a script that behaves as a child may."""

    def make(body):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return str(path)

    if os.name != "posix":
        pytest.skip("a shell script stands in for the child")
    return make


def test_the_outcome_is_that_of_this_process():
    case = mf.Case(head_pair())
    labels = np.zeros(case.reference.geometry.shape, np.uint8)
    labels[10:14, 12:16, 12:16] = 1
    tumour = segmentation_from_labels(labels, case.reference.geometry)
    shift = sitk.TranslationTransform(3, [1.0, 0.0, 0.0])
    seen = []
    options = {"method": "laplacian", "mode": "slice", "maps": ["loss"]}
    there = fuse_detached(case, transforms=[shift], tumour=tumour, progress=lambda *n: seen.append(n), **options)
    here = mf.fuse(case, transform=[shift], tumour=tumour, **options)
    np.testing.assert_array_equal(there.fused.array, here.fused.array)
    np.testing.assert_array_equal(there.colour, here.colour)
    np.testing.assert_array_equal(there.contribution, here.contribution)
    np.testing.assert_array_equal(there.loss, here.loss)
    np.testing.assert_array_equal(there.tumour.labels, here.tumour.labels)
    assert there.tumour.measures[0]["volume_ml"] == pytest.approx(here.tumour.measures[0]["volume_ml"])
    assert there.windows == here.windows
    assert there.alignment.status == here.alignment.status
    assert [source.name for source in there.sources] == ["phantom MR", "phantom PET"]
    assert seen and all(0 <= done <= total for done, total in seen)


def test_a_refusal_there_is_a_refusal_here():
    mr, pet = head_pair()
    far = pet.geometry.ijk_to_ras.copy()
    far[:3, 3] += 5000
    away = mf.Volume(pet.array, mf.Geometry(pet.array.shape, far), "PT", pet.unit)
    with pytest.raises(NotAligned, match="different places"):
        fuse_detached(mf.Case([mr, away]), method="average")


def test_what_is_no_text_or_number_cannot_be_handed_over():
    with pytest.raises(UsageError, match="another process"):
        fuse_detached(mf.Case(head_pair()), parameters={"levels": {1, 2}})


def test_a_killed_process_is_named_and_this_one_lives_on(fake):
    with pytest.raises(ResourcesExhausted, match=r"SIGKILL.*memory"):
        fuse_detached(mf.Case(head_pair()), python=fake("kill -9 $$"))


def test_a_crash_in_the_middle_of_a_line_is_noticed(fake):
    with pytest.raises(ResourcesExhausted, match="code 3"):
        fuse_detached(mf.Case(head_pair()), python=fake('printf \'{"progress": [1, 2]}\\n{"do\'; exit 3'))


def test_a_deaf_process_is_killed_within_a_second_of_the_cancel(fake):
    started = time.monotonic()
    with pytest.raises(Cancelled):
        fuse_detached(mf.Case(head_pair()), python=fake("exec sleep 60"), cancelled=lambda: True)
    assert time.monotonic() - started < 30  # not the sleep's end


def test_a_cancelled_fusion_leaves_no_process_and_no_file(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(detached.tempfile, "tempdir", None)
    processes = []
    popen = detached.subprocess.Popen
    monkeypatch.setattr(detached.subprocess, "Popen", lambda *a, **k: processes.append(popen(*a, **k)) or processes[0])
    with pytest.raises(Cancelled):
        fuse_detached(mf.Case(head_pair()), method="csr", cancelled=lambda: bool(processes))
    assert processes[0].poll() is not None
    assert list(tmp_path.iterdir()) == []


def test_the_child_ends_when_its_parent_goes(tmp_path, monkeypatch):
    """Its standard input ends: the work is cancelled at the next check."""
    detached._write_request(tmp_path, mf.Case(head_pair()), None, None, {"method": "average"})
    read, write = os.pipe()
    os.close(write)
    process = detached.subprocess.Popen(
        [sys.executable, "-m", "MedFusionLib.detached", str(tmp_path)], stdin=read, stdout=detached.subprocess.PIPE,
        text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join([str(detached._PACKAGE_FOLDER)])},
    )  # fmt: skip
    os.close(read)
    watchdog = threading.Timer(60, lambda: os.kill(process.pid, signal.SIGKILL))
    watchdog.start()
    out, _ = process.communicate()
    watchdog.cancel()
    assert process.returncode == 0
    assert '"cancelled": true' in out
