"""Blocks below the limit are taken from kept memory: no new pages."""

import subprocess
import sys

import numpy as np
import pytest

from MedFusionLib.provenance import peak_memory_mb

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


def test_the_peak_of_memory_is_that_of_the_process_itself_and_not_of_the_one_that_started_it(project_folder):
    before = peak_memory_mb()
    if before is None:
        pytest.skip("this system does not tell the peak of memory")
    block = np.ones(int(max(600 - before, 1)) << 17)  # of 8 bytes: 1 MB for each
    assert peak_memory_mb() > 500
    code = "from MedFusionLib.provenance import peak_memory_mb; print(peak_memory_mb())"
    done = subprocess.run([sys.executable, "-c", code], cwd=project_folder, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 300
    assert block[-1] == 1
