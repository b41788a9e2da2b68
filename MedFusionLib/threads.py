"""Keep torch from fighting over cores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def default_workers() -> int:
    """CPU threads to use when nobody says: one per core, or as many as OMP_NUM_THREADS allows."""
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    return int(allowed) if allowed.isdecimal() and int(allowed) > 0 else os.cpu_count() or 1


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Run loops of small tensor operations on one thread.

    With several threads each operation waits for all cores; while another process uses one of them,
    that makes such loops tens of times slower.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
