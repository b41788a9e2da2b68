"""The benchmark runs, and ours gives what the independent baselines give."""

import json
import os
import subprocess
import sys


def test_the_quick_benchmark_agrees_with_the_baselines_and_writes_its_record(project_folder, tmp_path):
    command = [sys.executable, str(project_folder / "Testing" / "Benchmarks" / "run.py"), "--quick"]
    # without real data the quality of every method, which takes many minutes, is left out
    bare = {name: value for name, value in os.environ.items() if name != "MEDFUSION_TEST_DATA"}
    done = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, text=True, check=False, env=bare)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "results.json").read_text())
    assert len(record["speed"]) == 16
    assert all(row["difference"] <= row["tolerance"] for row in record["speed"])
    assert (tmp_path / "results.md").read_text() == done.stdout
