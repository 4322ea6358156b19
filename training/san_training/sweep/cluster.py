"""Trials as tasks of Ray, on the machines of a cluster.

Ray runs a task again whose process or machine ended; here is written down once what came back,
so that no trial counts twice. ray is imported only here.
"""

from __future__ import annotations

import importlib
import re
import socket
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from san_stream.errors import MissingExtraError, SettingError
from san_training.sweep.local import take_chunk
from san_training.sweep.trial import lost, run_chunk, trainer_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from san_training.sweep.local import Rows
    from san_training.sweep.trial import Trial

PATIENCE: Final = 10.0
"""Seconds to reach the address."""
AHEAD: Final = 2
"""Tasks in flight for each that can run: a slot does not wait for this process."""


def run_cluster(
    trials: Sequence[Trial], address: str, *, gpus_per_trial: float = 0.0, retries: int = 2
) -> Iterator[Rows]:
    """Run trials on a Ray cluster, one core each.

    Args:
        trials: what to run; where there are several, in about this order.
        address: of the cluster: ``HOST:PORT``, ``ray://HOST:PORT``, or ``auto``.
        gpus_per_trial: share of a GPU that a trial reserves; of a share below 1 several run
            on one GPU.
        retries: how often a trial is tried again whose process or machine ended under it.

    Yields:
        What was finished meanwhile; each trial exactly once.

    Raises:
        SettingError: no cluster answers, or it has no such GPU.
        MissingExtraError: ray is not installed.
    """
    ray = _ray()
    is_ours = not ray.is_initialized()
    if is_ours:
        _connect(ray, address)
    try:
        if gpus_per_trial > _slots(ray, "GPU", 1.0):
            raise SettingError(
                f"cluster {address}: has {_slots(ray, 'GPU', 1.0)} GPUs, a trial asks for "
                f"{gpus_per_trial:g}"
            )
        task = ray.remote(num_cpus=1, num_gpus=gpus_per_trial, max_retries=retries)(run_chunk)
        yield from _run(ray, task, deque(trials), gpus_per_trial)
    finally:
        if is_ours:
            ray.shutdown()


def _run(ray: Any, task: Any, queue: deque[Trial], gpus: float) -> Iterator[Rows]:
    windows: dict[int, Any] = {}
    pending: dict[Any, list[Trial]] = {}
    # Alone, since a task that held several could not be finished: one of them ends processes.
    alone: deque[Trial] = deque()

    def submit(chunk: list[Trial]) -> None:
        signal = chunk[0].signal
        if id(signal) not in windows:
            windows[id(signal)] = ray.put(signal.windows)
        arguments = [(trial.settings, trial.engine) for trial in chunk]
        pending[task.remote(windows[id(signal)], arguments, trainer_code())] = chunk

    while queue or alone or pending:
        # Machines come and go.
        slots = _slots(ray, "CPU", 1.0)
        slots = max(min(slots, _slots(ray, "GPU", gpus)) if gpus else slots, 1)
        while (queue or alone) and len(pending) < AHEAD * slots:
            submit(take_chunk(queue, slots) if queue else [alone.popleft()])
        ready, _ = ray.wait(list(pending), num_returns=1)
        ready, _ = ray.wait(list(pending), num_returns=len(pending), timeout=0)
        finished: Rows = []
        for reference in ready:
            chunk = pending.pop(reference)
            try:
                finished += zip(chunk, ray.get(reference), strict=True)
            except ray.exceptions.RayError as error:
                if len(chunk) > 1:
                    alone.extend(chunk)
                else:
                    finished.append((chunk[0], lost(_reason(ray, error))))
        if finished:
            yield finished


def _slots(ray: Any, resource: str, share: float) -> int:
    """How many such shares the cluster holds as it is now."""
    return int(ray.cluster_resources().get(resource, 0.0) / share)


def _reason(ray: Any, error: Exception) -> str:
    """Of an error that was raised in a task, what its traceback ends with."""
    lines = str(error).strip().splitlines() or [""]
    line = lines[-1] if isinstance(error, ray.exceptions.RayTaskError) else lines[0]
    return f"{type(error).__name__}: {line}"


def _ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise MissingExtraError("ray", "cluster", "--cluster") from None


def _connect(ray: Any, address: str) -> None:
    """Join the cluster as the one that asks."""
    found = re.fullmatch(r"(?:ray://)?(.+):([0-9]{1,5})", address)
    try:
        if found is not None:
            # Ray itself would wait for minutes for an address where nobody is.
            socket.create_connection((found[1], int(found[2])), PATIENCE).close()
        elif address != "auto":
            raise ValueError("must be HOST:PORT, ray://HOST:PORT or auto")
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (OSError, ValueError, OverflowError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise SettingError(f"cluster {address}: {reason}") from None
