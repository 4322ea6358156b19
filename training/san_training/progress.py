"""A progress bar where somebody watches, and nothing where not."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ProgressCallback: TypeAlias = "Callable[[int, int, str], None]"
"""Called with (steps done, steps in all, what was just done)."""


@contextmanager
def progress(
    total: int, title: str, callback: ProgressCallback | None = None
) -> Iterator[Callable[[str], None]]:
    """Follow `total` steps.

    With a callback, that is told and no bar is drawn. Else a bar is drawn if standard
    error is a terminal and rich is installed.

    Args:
        total: steps in all.
        title: shown before the bar.
        callback: told of every step.

    Yields:
        A function to be called after each step with a short text.
    """
    done = 0
    if callback is not None:

        def tell(text: str) -> None:
            nonlocal done
            done += 1
            callback(done, total, text)

        yield tell
    elif sys.stderr.isatty() and find_spec("rich") is not None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} {task.fields[text]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(title, total=total, text="")
            yield lambda text: bar.update(task, advance=1, text=text)
    else:
        yield lambda _: None
