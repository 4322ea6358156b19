"""WFDB header files, read strictly: every field is checked before a signal file is opened.

The format: https://physionet.org/physiotools/wag/header-5.htm. Comment lines (age, sex,
diagnoses) are skipped here and go nowhere. Record and signal files must be bare names in
the header's own directory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from math import isfinite
from typing import TYPE_CHECKING

from san_stream.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

MAX_HEADER_BYTES = 2**20

RESOLUTION = {
    "8": 8, "16": 16, "24": 24, "32": 32, "61": 16, "80": 8, "160": 16, "212": 12,
    "310": 10, "311": 10, "508": 8, "516": 16, "524": 24,
}  # fmt: skip
"""Bits of a sample in each storage format."""

DIFFERENCES = "8"
"""The one format that stores first differences: its samples have no range of their own."""

_NAME = re.compile(r"[-\w]+")
_FORMAT = re.compile(r"(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?")
_GAIN = re.compile(r"([^(/]+)(?:\(([^)]*)\))?(?:/(\S+))?")
_TIME = re.compile(r"(?:(?:(\d{1,2}):)?(\d{1,2}):)?(\d{1,2})(?:\.(\d{1,6}))?")
_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")


@dataclass(frozen=True, slots=True)
class WfdbSignal:
    """One signal line.

    Attributes:
        file: name of the signal file, bare.
        storage: format number, a key of `RESOLUTION`.
        per_frame: samples a frame.
        skew: frames by which the signal lags in the file.
        offset: bytes before the first sample.
        gain, baseline, unit: physical = (digital - baseline) / gain.
        bits: ADC resolution.
        zero: ADC value of the middle of the ADC's range.
        name: description, or ``"signal N"``.
    """

    file: str
    storage: str
    per_frame: int
    skew: int
    offset: int
    gain: float
    baseline: int
    unit: str
    bits: int
    zero: int
    name: str

    @property
    def invalid(self) -> int | None:
        """The value that this format keeps for a missing sample."""
        return None if self.storage == DIFFERENCES else -(2 ** (RESOLUTION[self.storage] - 1))


@dataclass(frozen=True, slots=True)
class WfdbHeader:
    """A single-segment record.

    Attributes:
        record: path without suffix.
        rate: frames a second.
        frames: how many, or None where the header does not say.
        origin: time of the first sample, or None; WFDB knows no zone, so UTC is assumed.
        signals: one a signal line, in order.
    """

    record: Path
    rate: Fraction
    frames: int | None
    origin: datetime | None
    signals: tuple[WfdbSignal, ...]


def read_header(record: Path) -> WfdbHeader:
    """Read and check ``record.hea``.

    Args:
        record: path of the record without suffix.

    Raises:
        SourceError: the file is missing or a field is wrong; names file, field and value.
    """
    path = record.with_name(record.name + ".hea")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_HEADER_BYTES + 1)
    except FileNotFoundError:
        raise SourceError(f"record {str(record)!r}: no header file {path.name!r}") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"header {str(path)!r}: {_reason(error)}") from None
    if len(content) > MAX_HEADER_BYTES:
        raise SourceError(f"header {str(path)!r}: more than {MAX_HEADER_BYTES} bytes")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    lines = [
        (number, line)
        for number, line in enumerate((x.strip() for x in text.splitlines()), start=1)
        if line and not line.startswith("#")
    ]
    if not lines:
        raise SourceError(f"header {str(path)!r}: holds no record line")
    return _parse(record, f"header {str(path)!r}", lines)


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else str(error)) or str(error)


def _parse(record: Path, where: str, lines: list[tuple[int, str]]) -> WfdbHeader:
    number, first = lines[0]
    line = f"{where}, line {number}"
    fields = first.split()
    name, slash, segments = fields[0].partition("/")
    if slash and segments.isascii() and segments.isdigit():
        raise SourceError(
            f"{line}: record of {segments} segments; records of several segments are not read"
        )
    if not _NAME.fullmatch(fields[0]):
        what = "leaves its directory" if _leaves(name + slash + segments) else "is not a name"
        raise SourceError(f"{line}: record name {fields[0]!r} {what}")
    if len(fields) < 2:
        raise SourceError(f"{line}: number of signals is missing")
    count = _integer(line, "number of signals", fields[1], 1, 2**16)
    rate = _rate(line, fields[2] if len(fields) > 2 else "250")
    frames = None
    if len(fields) > 3:
        frames = _integer(line, "number of samples", fields[3], 0, 2**62)
        if frames == 0:
            raise SourceError(f"{line}: record holds 0 samples a signal")
    origin = _origin(line, fields[4], fields[5]) if len(fields) > 5 else None
    if len(lines) - 1 != count:
        raise SourceError(f"{line}: {count} signals, but {len(lines) - 1} signal lines follow")
    signals = tuple(_signal(f"{where}, line {n}", text, i) for i, (n, text) in enumerate(lines[1:]))
    _check_files(where, signals)
    return WfdbHeader(record, rate, frames, origin, signals)


def _leaves(name: str) -> bool:
    return "/" in name or "\\" in name or ":" in name or name in {".", ".."}


def _integer(line: str, what: str, text: str, low: int, high: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise SourceError(f"{line}: {what} {text[:40]!r} is not a whole number") from None
    if not low <= value <= high:
        raise SourceError(f"{line}: {what} {value} must be {low} to {high}")
    return value


def _rate(line: str, text: str) -> Fraction:
    value = text.partition("/")[0].partition("(")[0]
    try:
        rate = Fraction(value)
    except (ValueError, ZeroDivisionError):
        raise SourceError(f"{line}: rate {text[:40]!r} is not a number") from None
    if not 0 < rate < 2**31:
        raise SourceError(f"{line}: rate {value[:40]} Hz must be above 0 and below 2^31")
    return rate


def _origin(line: str, time: str, date: str) -> datetime:
    clock, day = _TIME.fullmatch(time), _DATE.fullmatch(date)
    if clock is None or day is None:
        raise SourceError(f"{line}: base time and date {time[:20]!r} {date[:20]!r} are not read")
    hours, minutes, seconds, fraction = clock.groups()
    try:
        return datetime(
            int(day[3]), int(day[2]), int(day[1]),
            int(hours or 0), int(minutes or 0), int(seconds),
            int((fraction or "0").ljust(6, "0")), tzinfo=UTC,
        )  # fmt: skip
    except ValueError:
        raise SourceError(f"{line}: no such time: {time} {date}") from None


def _signal(line: str, text: str, index: int) -> WfdbSignal:
    fields = text.split(maxsplit=8)
    if len(fields) < 2:
        raise SourceError(f"{line}: format is missing")
    file = fields[0]
    if _leaves(file):
        raise SourceError(f"{line}: signal file {file!r} leaves its directory")
    if file in {"-", "~"} or file.startswith("."):
        raise SourceError(f"{line}: signal file {file!r} is no file name")
    layout = _FORMAT.fullmatch(fields[1])
    if layout is None or layout[1] not in RESOLUTION:
        known = ", ".join(RESOLUTION)
        raise SourceError(f"{line}: unknown format {fields[1][:40]!r}, known are {known}")
    gain, baseline, unit = _gain(line, fields[2] if len(fields) > 2 else "200")
    bits = _integer(line, "ADC resolution", fields[3], 0, 32) if len(fields) > 3 else 0
    zero = _integer(line, "ADC zero", fields[4], -(2**31), 2**31 - 1) if len(fields) > 4 else 0
    return WfdbSignal(
        file=file,
        storage=layout[1],
        per_frame=_integer(line, "samples a frame", layout[2] or "1", 1, 2**16),
        skew=_integer(line, "skew", layout[3] or "0", 0, 2**31),
        offset=_integer(line, "byte offset", layout[4] or "0", 0, 2**62),
        gain=gain,
        baseline=zero if baseline is None else baseline,
        unit=unit,
        bits=bits or RESOLUTION[layout[1]],
        zero=zero,
        name=fields[8].strip() if len(fields) > 8 else f"signal {index}",
    )


def _gain(line: str, text: str) -> tuple[float, int | None, str]:
    """Gain, baseline and unit of ``GAIN(BASELINE)/UNIT``; a gain of 0 means 200."""
    match = _GAIN.fullmatch(text)
    try:
        gain = float(match[1]) if match else float("nan")
    except ValueError:
        gain = float("nan")
    if match is None or not isfinite(gain):
        raise SourceError(f"{line}: gain {text[:40]!r} is not a finite number")
    baseline = None
    if match[2] is not None:
        baseline = _integer(line, "baseline", match[2], -(2**31), 2**31 - 1)
    return gain or 200.0, baseline, match[3] or "mV"


def _check_files(where: str, signals: tuple[WfdbSignal, ...]) -> None:
    """Signals of one file stand together and share format and offset, as WFDB requires."""
    previous = None
    closed: set[str] = set()
    for i, signal in enumerate(signals):
        if previous is not None and signal.file != previous.file:
            closed.add(previous.file)
        if signal.file in closed:
            raise SourceError(
                f"{where}: signals of file {signal.file!r} do not stand together (signal {i})"
            )
        if previous is not None and signal.file == previous.file:
            for what, mine, its in (
                ("format", signal.storage, previous.storage),
                ("byte offset", signal.offset or previous.offset, previous.offset),
            ):
                if mine != its:
                    raise SourceError(
                        f"{where}: signal {i} has {what} {mine}, others of "
                        f"{signal.file!r} have {its}"
                    )
        previous = signal
