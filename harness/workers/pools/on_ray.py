"""Units as tasks of a Ray cluster, whose nodes see the run's folder; Ray places them and survives its nodes.

A task lets a pool of one process, beside the Ray worker, perform its unit, so that limits, walls and records
are those of a local run.
"""

import os
import pickle  # between processes of one run  # nosec B403
import socket
from collections.abc import Collection, Mapping
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from harness.errors import HarnessError
from harness.identity.unit import AnyUnit
from harness.run.stored import unit_record, write_record
from harness.study.settings import Limits
from harness.workers.mirror import Mirror
from harness.workers.pools.local import Local
from harness.workers.pools.pool import Ended

if TYPE_CHECKING:
    from harness.run.place import Place
    from harness.workers.pools.pool import Perform

CONNECT_SECONDS = 10.0
POLL_SECONDS = 0.2
LOOK_SECONDS = 5.0
"""Between two looks at how large the cluster is."""
AHEAD: Final = 4
"""Units that are given to Ray for each CPU of the cluster, so that none waits for this process."""
LEAST: Final = 16
RETRIES: Final = 3
"""How often a unit is begun again whose worker or node dies."""
SETTINGS: Final = ("HARNESS_", "OMP_NUM_THREADS")
"""Beginnings of the names of variables that workers have from this process."""

_pools: dict[tuple[bytes, str], Local] = {}
"""The pool of a Ray worker, by the place and the GPUs that it was started for."""


class OnRay:
    """Tasks of a cluster; one that this process starts here, where no address is given."""

    def __init__(
        self,
        place: "Place",
        perform: "Perform",
        limits: Limits,
        *,
        address: str = "",
        mirror: Mirror | None = None,
    ) -> None:
        """Joins the cluster, whose nodes see the run's folder, or a mirror of it.

        Raises:
            HarnessError: Ray is not installed, or there is no cluster at the address.
        """
        ray = _ray()
        self.place = replace(place, run=place.run.resolve())
        self.limits = limits
        self._doing: dict[Any, AnyUnit] = {}
        self._mirror = mirror
        self._job = pickle.dumps((self.place, perform, limits, mirror.address if mirror else ""))
        self._settings = {name: text for name, text in os.environ.items() if name.startswith(SETTINGS)}
        os.environ["RAY_COLOR_PREFIX"] = "0"  # colours would not be inert
        host, _, port = address.rpartition(":")
        try:
            if host and port.isdigit() and "//" not in host:  # Ray itself tries for minutes
                socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
            ray.init(address=address or None, include_dashboard=False, logging_level="WARNING")
        except (ConnectionError, ValueError, OSError) as error:
            told = str(error).strip().partition("\n")[0]
            raise HarnessError(
                f"Cannot join the Ray cluster {address!r}: {told}; check --address."
            ) from error
        self._task = ray.remote(_perform_there)
        self._most = LEAST
        self._looked = -LOOK_SECONDS

    @property
    def idle(self) -> Collection[object]:
        """As many as may be given to Ray ahead."""
        if monotonic() - self._looked >= LOOK_SECONDS:
            self._most = max(LEAST, AHEAD * int(_ray().cluster_resources().get("CPU", 0)))
            self._looked = monotonic()
        return range(max(0, self._most - len(self._doing)))

    @property
    def busy(self) -> Collection[object]:
        """Tasks that did not end."""
        return self._doing

    def submit(self, unit: AnyUnit, needs: Mapping[str, AnyUnit]) -> None:
        """Gives the unit to Ray."""
        limit = self.limits.of(unit.kind.name)
        task = self._task.options(
            num_cpus=limit.cpus or 1,
            num_gpus=limit.gpus or float(self.place.device == "cuda"),
            memory=limit.memory_gib * 2**30 or None,
            max_retries=RETRIES,
            name=unit.label,
        )
        self._doing[task.remote(self._job, pickle.dumps((unit, needs)), self._settings)] = unit

    def grow(self) -> None:
        """Starts nothing; a cluster grows by itself, or does not."""

    def finished(self) -> list[Ended]:
        """Waits for a moment, or until a task ends."""
        ray = _ray()
        ended, _ = ray.wait(list(self._doing), num_returns=1, timeout=POLL_SECONDS)
        if ended:
            ended, _ = ray.wait(list(self._doing), num_returns=len(self._doing), timeout=0)
        return [Ended(unit, self._status(one, unit)) for one in ended if (unit := self._doing.pop(one))]

    def stop(self) -> None:
        """Leaves the cluster, which ends what this process began there."""
        _ray().shutdown()

    def _status(self, task: Any, unit: AnyUnit) -> str:
        ray = _ray()
        try:
            status, reason = ray.get(task)
            if not self._mirror:
                return str(status)
            if status == "ok" and self._mirror.down(unit):
                return "ok"
            reason = reason or "Its result did not reach the mirror."
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, HarnessError):  # no record can be written there
                raise error.cause from None
            reason = f"{type(error.cause).__name__}: {error.cause}"
        except ray.exceptions.RayError as error:
            told = str(error).strip().partition("\n")[0]
            reason = f"Its Ray worker died, and again in {RETRIES} more tries: {told}"
        write_record(self.place.run, unit, "failed", reason=self.place.keys.hidden_in(reason))
        return "failed"


def _perform_there(job: bytes, task: bytes, settings: Mapping[str, str]) -> tuple[str, str]:
    """Performs a unit beside this Ray worker; returns the status of its record, and its reason."""
    os.environ.update(settings)
    place, perform, limits, address = pickle.loads(job)  # from the process of this run  # nosec B301
    unit, needs = pickle.loads(task)  # nosec B301
    mirror = Mirror(address, place.run) if address else None
    if mirror:
        place.run.mkdir(parents=True, exist_ok=True)
        for need in needs.values():
            mirror.down(need)
    elif not (place.run / "plan.json").exists():
        raise HarnessError(
            f"{os.uname().nodename} does not see {place.run}; give an --out that all share, or --mirror."
        )
    pool = _pool(job, place, perform, limits)
    pool.submit(unit, needs)
    while not (ended := pool.finished()):
        continue
    if mirror:
        mirror.up(unit)
    record = unit_record(place.run, unit)
    return ended[0].status, (record.reason if record else None) or ""


def _pool(job: bytes, place: "Place", perform: "Perform", limits: Limits) -> Local:
    """Returns the pool of this Ray worker, a new one where the job or the GPUs are others."""
    key = (job, os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    if key not in _pools:
        os.dup2(2, 1)  # what a unit prints is no board
        for pool in _pools.values():
            pool.stop()
        _pools.clear()
        _pools[key] = Local(place, perform, limits, workers=1)
    return _pools[key]


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise HarnessError(
            "--executor ray needs the package ray; install crossdomain-harness[ray]."
        ) from None
    return ray
