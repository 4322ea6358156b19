"""Trials on the cores of this machine, each process one after the other.

Processes are spawned, not forked: torch and numba bring threads, which do not live through a
fork. A process that ends under a trial takes only that trial with it, and that is tried again.
"""

from __future__ import annotations

import signal
import threading
from collections import Counter, deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Final, cast

from san_stream.errors import SanStreamError
from san_training.sweep.trial import lost, run_trial, warm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from san_training.fitting import FitSettings
    from san_training.paper import PaperWindows
    from san_training.sweep.trial import Trial, TrialEngine

    Work = Callable[[PaperWindows, FitSettings, TrialEngine], dict[str, Any]]

Rows = list[tuple["Trial", dict[str, Any]]]

LARGEST_CHUNK: Final = 16
"""Trials that a process is handed at once: their windows travel once, and it does not wait
after each of them for the ledger."""
CHUNKS_LEFT: Final = 4
"""A chunk is at most one of this many for each process, so that all of them end together."""
MOST_STILLBORN: Final = 3
"""Processes in a row that end before they begin: then it is not a trial's fault."""
PATIENCE: Final = 5.0
"""Seconds for a process to end by itself."""


@dataclass(slots=True)
class Worker:
    """A process and the trials that it has been handed and has not given back, in order."""

    process: SpawnProcess
    held: deque[Trial] = field(default_factory=deque)
    is_ready: bool = False


def take_chunk(queue: deque[Trial], processes: int) -> list[Trial]:
    """The next trials for one process, all of one signal; fewer of them towards the end."""
    limit = min(max(len(queue) // (CHUNKS_LEFT * processes), 1), LARGEST_CHUNK)
    chunk = [queue.popleft()]
    while len(chunk) < limit and queue and queue[0].signal is chunk[0].signal:
        chunk.append(queue.popleft())
    return chunk


def run_local(
    trials: Sequence[Trial], *, jobs: int, retries: int, work: Work = run_trial
) -> Iterator[Rows]:
    """Run trials in processes of this machine.

    Args:
        trials: what to run; where there are several, in about this order.
        jobs: processes, at least 1.
        retries: how often a trial is tried again whose process ended under it.
        work: what is done in a process.

    Yields:
        What was finished meanwhile; each trial exactly once. The processes go on while the
        caller is at it.

    Raises:
        SanStreamError: processes end before they begin.
    """
    if work is run_trial and any(trial.engine == "compiled" for trial in trials):
        # Once, before several processes would each compile the same.
        warm()
    queue, ended, stillborn = deque(trials), Counter[int](), 0
    workers: dict[Connection, Worker] = {}
    try:
        while queue or any(worker.held for worker in workers.values()):
            held = sum(bool(worker.held) for worker in workers.values())
            while len(workers) < min(jobs, held + len(queue)):
                connection, worker = _start(work)
                workers[connection] = worker
            finished: Rows = []
            for ready in wait(list(workers)):
                connection = cast("Connection", ready)
                worker = workers[connection]
                try:
                    message = connection.recv()
                    if message is None:
                        worker.is_ready, stillborn = True, 0
                    else:
                        finished.append((worker.held.popleft(), message))
                except (EOFError, OSError):
                    del workers[connection]
                    finished += _bury(worker, queue, ended, retries)
                    stillborn += not worker.is_ready
                    if stillborn >= MOST_STILLBORN:
                        status = worker.process.exitcode
                        raise SanStreamError(
                            f"processes for trials end before they begin (exit status {status})"
                        ) from None
            for connection, worker in workers.items():
                if queue and worker.is_ready and not worker.held:
                    _hand(connection, worker, take_chunk(queue, jobs))
            if finished:
                yield finished
    finally:
        for connection, worker in workers.items():
            connection.close()
            # One that is in the midst of a trial does not read that nobody listens.
            if worker.held or not worker.is_ready:
                worker.process.terminate()
        for worker in workers.values():
            worker.process.join(PATIENCE)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


def _hand(connection: Connection, worker: Worker, chunk: list[Trial]) -> None:
    worker.held.extend(chunk)
    # If it has just ended, its pipe's end is what is read next.
    with suppress(OSError):
        connection.send((chunk[0].signal.windows, [(t.settings, t.engine) for t in chunk]))


def _bury(worker: Worker, queue: deque[Trial], ended: Counter[int], retries: int) -> Rows:
    """Put back what an ended process held; the first of it is what it was at."""
    worker.process.join(PATIENCE)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()
    if not worker.held:
        return []
    first = worker.held.popleft()
    queue.extendleft(reversed(worker.held))
    ended[id(first)] += 1
    if ended[id(first)] <= retries:
        queue.append(first)
        return []
    times = ended[id(first)]
    status = worker.process.exitcode
    return [(first, lost(f"its process ended {times} times, at last with exit status {status}"))]


def _start(work: Work) -> tuple[Connection, Worker]:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work), daemon=True)
    with _interrupts_ignored():
        process.start()
    # Held by the process alone, so that its end is the pipe's end.
    theirs.close()
    return ours, Worker(process)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """What is started here never sees Ctrl-C, which is for this process to act on.

    A Ctrl-C in just these milliseconds is lost.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(connection: Connection, work: Work) -> None:
    """A process's life: take chunks, give a row for each trial, until nobody is there."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    try:
        connection.send(None)
        while True:
            windows, trials = connection.recv()
            for settings, engine in trials:
                connection.send(work(windows, settings, engine))
    except (EOFError, OSError):
        return
