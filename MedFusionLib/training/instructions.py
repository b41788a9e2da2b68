"""Hold PyTorch to fewer vector instructions than the processor has: a training then ends as where they are missing.

Wider instructions add in another order. What PyTorch, oneDNN and MKL take is told by variables that they read when
they are loaded. Processors of different makers give different bits all the same.
"""

from __future__ import annotations

import os
import sys

from MedFusionLib.errors import UsageError

VARIABLES = {
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
}
"""By the name of the instructions."""


def hold_to(instructions: str) -> None:
    """Hold this process to some of `VARIABLES`.

    Raises
    ------
    UsageError
        When PyTorch is loaded already, or the processor has not even these.
    """
    if "torch" in sys.modules:
        raise UsageError(
            f"PyTorch is loaded and cannot be held to {instructions}", "a process that has not loaded it",
            "Use the command line: medfusion train",
        )  # fmt: skip
    os.environ.update(VARIABLES[instructions])
    import torch

    found = torch.backends.cpu.get_cpu_capability()
    if found.lower() != instructions:
        raise UsageError(
            f"This processor offers {found}", instructions, "Leave --instructions out, for bits of this machine only"
        )
