"""What commands print: plain lines, JSON, a progress bar where it takes long."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def escape(text: str) -> str:
    r"""Text with control and other unprintable characters as escapes: ``\x1b``."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii")
        for c in text
    )


def say(line: str = "") -> None:
    """A line on standard output, as it is but for control characters."""
    encoding = sys.stdout.encoding or "utf-8"
    text = escape(line).encode(encoding, "replace").decode(encoding)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def note(line: str) -> None:
    """A line on standard error: about the run, not its result."""
    encoding = sys.stderr.encoding or "utf-8"
    text = escape(line).encode(encoding, "replace").decode(encoding)
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def say_json(value: Any) -> None:
    """JSON on standard output; numbers that JSON cannot hold are null."""
    sys.stdout.write(json.dumps(_finite(value), indent=1, ensure_ascii=True) + "\n")
    sys.stdout.flush()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as aligned lines: the first column to the left, the others to the right."""
    if not rows:
        return []
    widths = [max(len(escape(row[i])) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            escape(cell).ljust(width) if i == 0 else escape(cell).rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def figure(value: float | None, digits: int = 3) -> str:
    """A number for people, or a dash where there is none."""
    return "-" if value is None else f"{value:,.{digits}f}"


def clock(seconds: float) -> str:
    """Seconds as ``30:05.556`` or ``2:00:00.000``."""
    whole, milli = divmod(round(seconds * 1000), 1000)
    hours, rest = divmod(whole, 3600)
    minutes, second = divmod(rest, 60)
    head = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{head}:{second:02}.{milli:03}"


MAX_LABEL = 40


@contextlib.contextmanager
def progress(
    what: str, total: float | None, *, quiet: bool = False
) -> Iterator[Callable[[float], None] | None]:
    """A bar on standard error; None where that is no terminal.

    Args:
        what: stands before the bar.
        total: value at which it is full, or None.
        quiet: no bar.

    Yields:
        A function that takes the value reached.
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        shown = escape(what)
        if len(shown) > MAX_LABEL:  # else there is no room for the bar
            shown = "…" + shown[1 - MAX_LABEL :]
        task = bar.add_task(shown.replace("[", r"\["), total=total)
        yield lambda value: bar.update(task, completed=value)
