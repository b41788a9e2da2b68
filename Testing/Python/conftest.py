"""Fixtures shared by all rings of tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

# optimisers of a CUDA build load triton, whose LLVM and that of Mesa's renderer crash in one process; they work without
sys.modules.setdefault("triton", None)

PROJECT = Path(__file__).resolve().parents[2]


def find_data_folder() -> Path | None:
    """The folder with real volumes, if there is one on this machine."""
    for candidate in (os.environ.get("MEDFUSION_TEST_DATA"), PROJECT.parent / "shared" / "data"):
        if candidate and Path(candidate).is_dir():
            return Path(candidate)
    return None


@pytest.fixture(scope="session")
def data_folder() -> Path:
    folder = find_data_folder()
    if folder is None:
        pytest.skip("no real data here: set MEDFUSION_TEST_DATA to the folder that holds sts_001, mni_multimodal ...")
    return folder


@pytest.fixture(scope="session")
def project_folder() -> Path:
    return PROJECT
