"""Many trainings at once: on all cores, or side by side in one torch program."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal, get_args

from san_stream.errors import SanStreamError, SettingError
from san_training.batched_fit import fit_batched
from san_training.compiled_fit import fit_compiled
from san_training.progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from san_training.batched_fit import Job
    from san_training.fitting import FitResult
    from san_training.progress import ProgressCallback

Engine = Literal["compiled", "batched"]
ENGINES: tuple[Engine, ...] = get_args(Engine)


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def fit_all(
    jobs: Sequence[Job],
    *,
    engine: Engine = "compiled",
    workers: int | None = None,
    callback: ProgressCallback | None = None,
    title: str = "training",
) -> list[FitResult | SanStreamError]:
    """Train every job; one that fails does not stop the others.

    Args:
        jobs: windows ``[windows, n]`` and settings of each; compiled also ``[windows, h, w]``.
        engine: ``"compiled"`` trains each by `fit_compiled`, on the CPU; ``"batched"`` all of
            them by `fit_batched`, on the device of their settings.
        workers: threads of the compiled engine; None: one for each core.
        callback: told after each job; without it a bar is drawn on a terminal.
        title: shown before the bar.

    Returns:
        For each job, in their order, its result or its error.

    Raises:
        SettingError: unknown engine, or workers below 1; with ``"batched"`` also what
            `fit_batched` raises.
    """
    if engine not in ENGINES:
        raise SettingError(f"engine {engine!r}: must be one of {', '.join(ENGINES)}")
    if workers is not None and workers < 1:
        raise SettingError(f"workers {workers}: must be at least 1")
    if engine == "batched":
        return list(fit_batched(jobs))

    def one(job: Job) -> FitResult | SanStreamError:
        try:
            return fit_compiled(
                job.training, job.validation, job.settings, callback=lambda *_: None
            )
        except SanStreamError as error:
            return error

    # Long kernels first, so that no core is left with one of them at the end.
    order = sorted(range(len(jobs)), key=lambda i: -sum(jobs[i].settings.sizes))
    results: list[FitResult | SanStreamError | None] = [None] * len(jobs)
    with progress(len(jobs), title, callback) as advance:
        pool = ThreadPoolExecutor(workers or cores())
        try:
            for i, result in zip(order, pool.map(one, [jobs[i] for i in order]), strict=True):
                results[i] = result
                advance(f"m = {'+'.join(map(str, jobs[i].settings.sizes))}")
        finally:
            # After Ctrl-C what has not begun is not begun.
            pool.shutdown(cancel_futures=True)
    return [result for result in results if result is not None]
