"""WFDB records: the digital samples of chosen leads over a chosen part."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from san_stream.errors import MissingExtraError, SampleError, SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from numpy.typing import NDArray

INVALID_SAMPLES = {
    "80": -(2**7),
    "310": -(2**9),
    "311": -(2**9),
    "212": -(2**11),
    "16": -(2**15),
    "61": -(2**15),
    "160": -(2**15),
    "24": -(2**23),
    "32": -(2**31),
}
"""WFDB signal format -> value by which it marks a missing sample (header(5), signal(5))."""

FOREIGN_ERRORS = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
)
"""What the WFDB reader raises on damaged records, seen or possible from its code."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A part of a record, as the ADC gave it.

    Attributes:
        name: the record's name, without folder.
        rate: samples a second, exact.
        first_sample: index in the record of row 0.
        leads: names.
        unit: physical unit of all these leads.
        digital: int32 ``[n, leads]``.
        valid: bool ``[n, leads]``, False where the format marks a missing sample.
    """

    name: str
    rate: Fraction
    first_sample: int
    leads: tuple[str, ...]
    unit: str
    digital: NDArray[np.int32]
    valid: NDArray[np.bool_]


def read_recording(
    record: str | PathLike[str],
    leads: Sequence[str] | None = None,
    *,
    start: float = 0.0,
    duration: float | None = None,
) -> Recording:
    """Read digital samples of some leads.

    Args:
        record: path of the record, without suffix (``.hea`` is tolerated).
        leads: names as in the header, or their numbers from ``"0"``; None: all.
        start: seconds from the record's begin, 0 or more.
        duration: seconds, above 0; None, or more than there is: up to the end.

    Raises:
        SourceError: the record is missing, damaged, of several segments or rates, has no
            such lead or part, or the leads differ in unit.
        MissingExtraError: wfdb is not installed.
    """
    if not (isfinite(start) and start >= 0):
        raise SourceError(f"start {start} s: must be finite and 0 or more")
    if duration is not None and not (isfinite(duration) and duration > 0):
        raise SourceError(f"duration {duration} s: must be finite and above 0")
    path = _record_path(record)
    header = _header(path)
    names: list[str] = list(header.sig_name)
    rate = Fraction(header.fs).limit_denominator(2**31 - 1)
    if leads is None:
        channels = list(range(len(names)))
    else:
        channels = [_channel(path, names, lead) for lead in leads]
    if not channels or len(set(channels)) < len(channels):
        what = "no lead" if not channels else f"a lead of {', '.join(leads or ())} twice"
        raise SourceError(f"record {path}: was asked for {what}")
    for i in channels:
        if header.samps_per_frame[i] != 1:
            raise SourceError(
                f"record {path}: lead {names[i]!r} has {header.samps_per_frame[i]} samples a "
                "frame, only 1 can be read"
            )
    units = sorted({header.units[i] for i in channels})
    if len(units) > 1:
        raise SourceError(f"record {path}: leads have units {', '.join(units)}; train them apart")
    first = round(start * rate)
    last: int = header.sig_len
    if first >= last:
        raise SourceError(f"record {path}: start {start} s, it ends at {float(last / rate):.1f} s")
    if duration is not None:
        last = min(last, first + max(round(duration * rate), 1))
    samples = _read(path, sampfrom=first, sampto=last, channels=channels, physical=False)
    digital = np.asarray(samples.d_signal, dtype=np.int32)
    if digital.shape != (last - first, len(channels)):
        raise SourceError(
            f"record {path}: {digital.shape[0]} samples from {first}, expected {last - first}"
        )
    markers = [INVALID_SAMPLES.get(header.fmt[i]) for i in channels]
    valid = np.stack(
        [
            np.ones(len(digital), dtype=np.bool_) if marker is None else column != marker
            for column, marker in zip(digital.T, markers, strict=True)
        ],
        axis=1,
    )
    return Recording(
        name=path.name,
        rate=rate,
        first_sample=first,
        leads=tuple(names[i] for i in channels),
        unit=units[0],
        digital=digital,
        valid=valid,
    )


def read_first_signal(record: str | PathLike[str], count: int) -> NDArray[np.float64]:
    """The first `count` samples of a record's first signal, in physical units.

    Args:
        record: path of the record, without suffix.
        count: samples, at least 1.

    Returns:
        float64 ``[count]``; a missing sample is NaN.

    Raises:
        SourceError: the record is missing, damaged or shorter.
        MissingExtraError: wfdb is not installed.
    """
    path = _record_path(record)
    header = _header(path)
    if header.sig_len < count:
        raise SourceError(f"record {path}: {header.sig_len} samples, at least {count} are needed")
    signal = _read(path, sampto=count, channels=[0]).p_signal
    if signal is None or signal.shape != (count, 1):
        raise SourceError(f"record {path}: its first signal cannot be read")
    return np.asarray(signal[:, 0], dtype=np.float64)


def cut_windows(
    samples: NDArray[np.int32], valid: NDArray[np.bool_], length: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Cut one lead into windows; what is left over at the end is dropped.

    Args:
        samples: int32 ``[n]``.
        valid: bool ``[n]``.
        length: samples of a window, at least 1.

    Returns:
        Windows int32 ``[windows, length]``, and bool ``[windows]``: True where a window can be
        used. A window that is constant or misses a sample cannot: its φ has no meaning.
    """
    if length < 1:
        raise SampleError(f"window of {length} samples: must be at least 1")
    count = len(samples) // length
    windows = samples[: count * length].reshape(count, length)
    whole = valid[: count * length].reshape(count, length).all(axis=1)
    varies = (windows != windows[:, :1]).any(axis=1)
    return windows, whole & varies


def _record_path(record: str | PathLike[str]) -> Path:
    path = Path(record)
    return path.with_suffix("") if path.suffix == ".hea" else path


def _wfdb() -> Any:
    try:
        return importlib.import_module("wfdb")
    except ImportError:
        raise MissingExtraError("wfdb", "physionet", "reading a WFDB record") from None


def _header(path: Path) -> Any:
    """The header of a record of one segment whose files are all there."""
    wfdb = _wfdb()
    file = path.with_name(path.name + ".hea")
    if not file.is_file():
        raise SourceError(f"record {path}: there is no header {file.name}")
    try:
        header = wfdb.rdheader(str(path))
        if not isinstance(header, wfdb.Record):
            raise SourceError(f"record {path}: has several segments, name one of them")
        if not header.n_sig or not header.sig_len or not header.file_name:
            raise SourceError(f"record {path}: its header names no samples")
        if not (isfinite(header.fs) and header.fs > 0):
            raise SourceError(f"record {path}: rate {header.fs} Hz, must be above 0")
    except FOREIGN_ERRORS as error:
        raise SourceError(f"record {path}: damaged header ({_one_line(error)})") from None
    for name in header.file_name:
        if Path(name).name != name:
            raise SourceError(f"record {path}: signal file {name!r} is outside its folder")
        if not path.with_name(name).is_file():
            raise SourceError(f"record {path}: there is no signal file {name}")
    return header


def _read(path: Path, **options: Any) -> Any:
    try:
        return _wfdb().rdrecord(str(path), **options)
    except FOREIGN_ERRORS as error:
        raise SourceError(f"record {path}: damaged ({_one_line(error)})") from None


def _channel(path: Path, names: list[str], lead: str) -> int:
    if lead in names:
        return names.index(lead)
    if lead.isdecimal() and int(lead) < len(names):
        return int(lead)
    raise SourceError(f"record {path}: no lead {lead!r}, it has {', '.join(names)}")


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:120]
