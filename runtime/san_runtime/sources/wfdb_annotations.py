"""Annotations of a WFDB record as events, in time order."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from san_stream.errors import MissingExtraError, SettingError, SourceError
from san_stream.types import MAX_EVENT_TEXT_BYTES, Event

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ANNOTATOR = re.compile(r"[A-Za-z0-9_]{1,32}")


def read_events(
    record: Path, annotator: str, *, leads: Mapping[int, int], per_frame: int
) -> list[Event]:
    """Read ``record.annotator``; all events go to stream 0.

    Args:
        record: path of the record without suffix.
        annotator: suffix of the annotation file, e.g. ``"atr"``.
        leads: signal number of the record -> lead of stream 0.
        per_frame: samples a frame in stream 0; annotations are counted in frames.

    Returns:
        Events at samples of stream 0, counted from the record's start. One of a signal
        that is not in stream 0 goes to all leads (-1).

    Raises:
        SourceError: the file is missing or damaged.
    """
    if not _ANNOTATOR.fullmatch(annotator):
        raise SettingError(f"annotator {annotator!r}: must be 1 to 32 letters and digits")
    path = record.with_name(f"{record.name}.{annotator}")
    if not path.is_file():
        raise SourceError(f"record {str(record)!r}: no annotation file {path.name!r}")
    try:
        import wfdb
    except ImportError:
        raise MissingExtraError("wfdb", "physionet", "reading WFDB records") from None
    try:
        found = wfdb.rdann(str(record), annotator)
    except (OSError, ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise SourceError(f"annotations {str(path)!r}: damaged ({error})") from None
    columns = (found.sample, found.symbol, found.subtype, found.chan, found.num, found.aux_note)
    events = []
    for sample, symbol, subtype, channel, num, note in zip(*columns, strict=True):
        try:
            events.append(
                Event(
                    sample=int(sample) * per_frame,
                    symbol=str(symbol),
                    lead=leads.get(int(channel), -1),
                    subtype=_small(subtype),
                    num=_small(num),
                    text=_printable(str(note)),
                )
            )
        except ValueError as error:
            raise SourceError(f"annotations {str(path)!r}: {error}") from None
    events.sort(key=lambda event: event.sample)
    return events


def _small(value: int) -> int:
    """A byte as WFDB stores it, as a signed number."""
    return (int(value) + 128) % 256 - 128


def _printable(text: str) -> str:
    """Free text without the padding and control characters that files carry."""
    clean = "".join(c for c in text if c.isprintable()).strip()
    return clean.encode()[:MAX_EVENT_TEXT_BYTES].decode("utf-8", "ignore")
