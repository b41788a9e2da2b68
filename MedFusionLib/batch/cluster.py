"""Cases on a Dask cluster: every case is a task that starts a worker process of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from MedFusionLib.batch.plan import Plan, PlannedCase, case_from_json, plan_from_json
from MedFusionLib.batch.pool import Worker, WorkerDied, run_guarded
from MedFusionLib.errors import Cancelled, NotSupported

LOCAL = "local"
ANSWER_SECONDS = 20
"""For which a scheduler is waited for."""


class ClusterWorkers:
    """As many workers as there are slots on a Dask cluster.

    Parameters
    ----------
    plan : Plan
        What is wished; inputs and outputs must be reachable by the same paths on all nodes.
    address : str
        Of a scheduler, or ``local`` for a cluster on this machine.
    count : int
        Cases at once on a local cluster; an existing scheduler decides by its workers' threads.
    memory_mb : float or None
        Most memory per case.

    Raises
    ------
    NotSupported
        When Dask is not installed, or no scheduler answers.
    """

    def __init__(self, plan: Plan, address: str, count: int, memory_mb: float | None) -> None:
        try:
            from distributed import Client, LocalCluster
        except ImportError as error:
            raise NotSupported("Dask is not installed", "the extra: pip install medfusion[cluster]") from error
        self._cluster = None
        try:
            if address == LOCAL:
                self._cluster = LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=None)
            self._client = Client(self._cluster or address, timeout=ANSWER_SECONDS)
        except (OSError, ValueError) as error:
            raise NotSupported(f"No Dask scheduler answers at {address}", "HOST:PORT of a running scheduler") from error
        slots = max(1, sum(self._client.nthreads().values()))
        self.workers = [ClusterWorker(self._client, plan, memory_mb) for _ in range(min(slots, len(plan.cases)))]

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


class ClusterWorker:
    """One slot of the cluster; takes the place of `pool.Worker`."""

    def __init__(self, client, plan: Plan, memory_mb: float | None) -> None:
        self._client, self._plan, self._memory_mb = client, plan, memory_mb
        self._future = None

    def __enter__(self) -> ClusterWorker:
        return self

    def __exit__(self, *error) -> None:
        self.cancel()

    def run(self, case: PlannedCase, progress: Callable[[int, int], None]) -> dict:
        """The record of a case, computed somewhere on the cluster.

        Raises
        ------
        WorkerDied
            When the node went away.
        Cancelled
            When `cancel` was called meanwhile.
        """
        from concurrent.futures import CancelledError

        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        plan = {**self._plan.as_json(), "cases": []}
        future = self._client.submit(run_remotely, plan, asdict(case), self._memory_mb, pure=False, retries=1)
        self._future = future
        try:
            return future.result()
        except (CancelledError, FutureCancelledError) as error:
            raise Cancelled() from error
        except KilledWorker as error:
            raise WorkerDied() from error
        finally:
            self._future = None

    def cancel(self) -> None:
        """Take the case from the cluster; one that runs already runs to its end."""
        future = self._future
        if future is not None:
            future.cancel()


def run_remotely(plan: dict, case: dict, memory_mb: float | None) -> dict:
    """What a node does: one case in a process of its own."""
    wished, planned = plan_from_json(plan), case_from_json(case)
    with Worker(wished, memory_mb) as worker:
        return run_guarded(worker, wished, planned, lambda done, total: None)
