"""Blocks below the limit are taken from kept memory: no new pages."""

import subprocess
import sys

import pytest

FRESH_PROCESS = """
import resource, sys
import numpy as np
from MedFusionLib.allocation import keep_freed_memory

def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if sys.argv[1] == "kept":
    keep_freed_memory()
for round in range(6):
    before = pages()
    blocks = [np.ones(5 << 20, np.uint8) for _ in range(4)]
    del blocks
print(pages() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_a_freed_block_is_used_again_without_new_pages():
    def faults(how):
        done = subprocess.run([sys.executable, "-c", FRESH_PROCESS, how], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert faults("kept") < 200 < faults("as it is")
