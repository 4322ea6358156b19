"""The live line of the demo: redrawn in place in a terminal, now and then elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from rich.live import Live
from rich.text import Text

from san_runtime.figures import number
from san_runtime.watch import sparkline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from san_runtime.demo.receive import Receiver

COLUMNS: Final = (
    ("profile", 8),
    ("time", 5),
    ("φ", 6),
    ("φ_bits", 7),
    ("bits/sample", 11),
    ("CR", 6),
    ("PRDN %", 7),
    ("spikes/s", 8),
    ("delay s", 8),
)
"""Names and widths: 75 characters with the spaces between them."""
REFRESH_SECONDS: Final = 0.1
LINE_SECONDS: Final = 15.0
"""Signal time between two lines where nothing can be redrawn."""
WIDEST_SPARKLINE: Final = 48


def heading() -> str:
    """Names of the columns."""
    return _row([name for name, _ in COLUMNS])


def line(name: str, receiver: Receiver, sparkline_width: int = 0) -> str:
    """The figures so far as one line."""
    seconds = int(receiver.seconds)
    cells = [
        name,
        f"{seconds // 60}:{seconds % 60:02}",
        number(receiver.phi.mean),
        number(receiver.phi_bits.mean),
        number(receiver.bits_per_sample, 3),
        number(receiver.ratio, 2),
        number(receiver.prdn, 2),
        number(receiver.spikes_per_second, 2),
        number(receiver.delay, 2),
    ]
    text = _row(cells)
    if sparkline_width > 0:
        text += "  " + sparkline(receiver.tail(), sparkline_width)
    return text


def show(console: Console, name: str, receiver: Receiver, news: Iterator[None]) -> None:
    """Draw the line at each piece of news, to the end.

    Args:
        console: where to.
        name: of the profile.
        receiver: what the news is about.
        news: see `Receiver.follow`.
    """
    if not console.is_terminal:
        shown = LINE_SECONDS
        for _ in news:
            if receiver.seconds >= shown and not receiver.complete:
                shown = (receiver.seconds // LINE_SECONDS + 1) * LINE_SECONDS
                console.print(line(name, receiver), markup=False, highlight=False)
        console.print(line(name, receiver), markup=False, highlight=False)
        return
    width = min(console.width - len(heading()) - 3, WIDEST_SPARKLINE)
    width = width if width >= 12 and "utf" in console.encoding.lower() else 0
    with Live(console=console, auto_refresh=False) as live:
        due = 0.0
        for _ in news:
            now = time.monotonic()
            if now >= due:
                due = now + REFRESH_SECONDS
                live.update(Text(line(name, receiver, width), no_wrap=True), refresh=True)
        live.update(Text(line(name, receiver), no_wrap=True), refresh=True)


def _row(cells: list[str]) -> str:
    first, *others = (
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, (_, width)) in enumerate(zip(cells, COLUMNS, strict=True))
    )
    return " ".join([first, *others])
