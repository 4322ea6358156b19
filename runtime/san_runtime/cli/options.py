"""Options that several commands share, and their types."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable


Decorated = Any


class Number(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """A finite number, at least `low` (above it where `above`)."""

    name = "number"

    def __init__(self, low: float = 0.0, *, above: bool = False, word: str | None = None) -> None:
        self._low = low
        self._above = above
        self._word = word

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | str:
        """Text to number; NaN and infinity are refused."""
        if self._word is not None and value == self._word:
            return self._word
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = float("nan")
        good = number > self._low if self._above else number >= self._low
        if not good or not isfinite(number):
            limit = f"{'above' if self._above else 'at least'} {self._low:g} and finite"
            choice = f"'{self._word}' or a number " if self._word else "a number "
            self.fail(f"{value!r} is not {choice}{limit}.", param, ctx)
        return number


def source_options(function: Decorated) -> Decorated:
    """Which part of a record is read."""
    for option in (
        click.option("--annotator", metavar="SUFFIX", help="Send annotations too, e.g. atr."),
        click.option("--duration", type=Number(above=True), metavar="S", help="Seconds; all."),
        click.option("--start", type=Number(), default=0.0, metavar="S", help="Seconds; 0."),
        click.option("--channels", metavar="A,B", help="Names or numbers, in this order; all."),
    ):
        function = option(function)
    return function


def force_option(function: Decorated) -> Decorated:
    """Whether existing files may go."""
    return click.option("--force", is_flag=True, help="Replace existing files.")(function)


def report_options(function: Decorated) -> Decorated:
    """How a result is told."""
    function = click.option("--quiet", is_flag=True, help="Only errors.")(function)
    return json_option(function)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """The result as JSON."""
    return click.option("--json", "as_json", is_flag=True, help="Report as JSON.")(function)


def channel_list(text: str | None) -> list[str] | None:
    """``"0,V5"`` to a list."""
    return None if text is None else [part.strip() for part in text.split(",")]
