"""Trainings held to fewer vector instructions, and trainings of the package run again."""

import importlib
import json
import subprocess
import sys

import pytest
import torch

from MedFusionLib.errors import UsageError
from MedFusionLib.training.instructions import hold_to
from MedFusionLib.training.runner import kind_of_machine


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"), reason="the processor has no AVX2"
)
def test_a_training_by_the_command_line_can_be_held_to_avx2(tmp_path):
    code = (
        "import sys\n"
        "from MedFusionLib import cli\n"
        "code = cli.main(sys.argv[1:])\n"
        "import torch\n"
        "print(torch.backends.cpu.get_cpu_capability())\n"
        "sys.exit(code)\n"
    )
    words = ["train", "siamese", "--out", str(tmp_path), "--minutes", "0", "--instructions", "avx2"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "AVX2"


def test_pytorch_that_is_loaded_already_is_not_held():
    with pytest.raises(UsageError, match="is loaded"):
        hold_to("avx2")


@pytest.mark.parametrize(
    ("sha", "refused", "code", "said"),
    [("aa" * 32, 0, 0, "the same bits"), ("bb" * 32, 0, 1, "ANOTHER FILE"), ("aa" * 32, 2, 1, "NOT TRAINED")],
)
def test_weights_are_trained_again_by_the_command_of_their_card(
    project_folder, tmp_path, monkeypatch, capsys, sha, refused, code, said
):
    monkeypatch.syspath_prepend(project_folder / "tools")
    tool = importlib.import_module("reproduce")
    package, out = tmp_path / "package", tmp_path / "out"
    for folder, found in ((package, "aa" * 32), (out, sha)):
        folder.mkdir()
        card = {"sha256": found, "command": "medfusion train line --out DIR --data DATA --instructions avx2",
                "machine": kind_of_machine()}  # fmt: skip
        (folder / "line.json").write_text(json.dumps(card))
    called = []
    monkeypatch.setattr(tool, "WEIGHTS", package)

    def run(words, **options):
        called.append(words)
        return subprocess.CompletedProcess(words, refused)

    monkeypatch.setattr(tool.subprocess, "run", run)
    assert tool.main(["line", "--data", "pairs", "--out", str(out)]) == code
    assert called[0][2:] == [
        "MedFusionLib", "train", "line", "--out", str(out), "--data", "pairs", "--instructions", "avx2",
    ]  # fmt: skip
    assert f"line: {said}" in capsys.readouterr().out
