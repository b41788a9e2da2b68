"""Keep the C library from handing memory back after every use."""

from __future__ import annotations

import numpy as np

LARGEST_KEPT = 31 << 20
"""glibc maps larger blocks anew each time, whatever is done here."""


def keep_freed_memory() -> None:
    """Let the C library keep blocks of up to 31 MB for the next use.

    glibc raises its two thresholds (what is mapped, and how much free memory is handed back) to the size of a mapped
    block when such a block is freed, and to twice that size [mallopt(3), M_MMAP_THRESHOLD]. Without it a network may
    spend a third of its time on pages that it had a moment before. Elsewhere than on Linux nothing happens.
    """
    block = np.empty(LARGEST_KEPT, dtype=np.uint8)  # never touched, so it costs no memory
    del block
