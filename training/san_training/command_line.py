"""What the commands of training share: options, lists of numbers, files that they write."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from san_stream.errors import SettingError, SinkError
from san_stream.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_NUMBERS: Final = 1_000_000
"""More than that is a slip of the pen."""

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="SAN_STREAM_DATA",
    metavar="DIR",
    help="Folder with one folder a database; $SAN_STREAM_DATA.",
)
json_option = click.option("--json", "as_json_text", is_flag=True, help="Report as JSON.")


def output_option(folder: str, text: str) -> Callable[[Any], Any]:
    """``--output``: the folder of results, and what it takes."""
    return click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path),
        default=Path(folder),
        show_default=True,
        metavar="DIR",
        help=f"Takes {text}.",
    )


def parse_numbers(name: str, text: str) -> tuple[int, ...]:
    """Parts with commas between: ``A``, ``A-B``, or ``A-B:STEP``; numbers from 0.

    Args:
        name: of the option, for the message.
        text: as written.

    Raises:
        SettingError: anything else, a part without a number in it, or more than
            `MOST_NUMBERS`.
    """
    numbers: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*([0-9]{1,19})(?:-([0-9]{1,19})(?::([0-9]{1,19}))?)?\s*", part)
        first, last, step = found.groups() if found else ("1", "0", None)
        values = range(int(first), int(last or first) + 1, int(step or 1) or 1)
        if not values or (step is not None and int(step) == 0):
            raise SettingError(f"{name} {text!r}: must be numbers such as 5,10,20-100:10")
        # Not by len, which knows no ranges of 2^63 and more.
        if values[-1] - values[0] >= values.step * (MOST_NUMBERS - len(numbers)):
            raise SettingError(f"{name} {text!r}: more than {MOST_NUMBERS} numbers")
        numbers += values
    return tuple(numbers)


def make_folder(output: Path) -> None:
    """Make the folder of the results.

    Raises:
        SinkError: it cannot be made.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"output {output}: {error.strerror or error}") from None


def write(path: Path, content: str | bytes) -> None:
    """Write a file as a whole or not at all.

    Raises:
        SinkError: it cannot be written.
    """
    try:
        write_whole(path, content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise SinkError(f"output {path}: {error.strerror or error}") from None
