"""Sources by URL: where samples come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from san_runtime.pace import PacedSource, check_speed
from san_stream.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from san_stream.protocols import Source

CHUNK_SECONDS = 0.1
"""Signal in one chunk when a record is replayed at a pace (at least 10 ms of real time)."""

SCHEMES = ("wfdb",)


def open_source(
    url: str,
    *,
    speed: float | Literal["max"] = "max",
    repeat: int = 1,
    channels: Sequence[str | int] | None = None,
    start: float | Fraction = 0,
    duration: float | Fraction | None = None,
    annotator: str | None = None,
    chunk: float | None = None,
) -> Source:
    """Open a source by its URL.

    Args:
        url: ``wfdb:PATH``; a bare path is one.
        speed: 1 is real time, 10 ten times as fast, ``"max"`` without pause.
        repeat: passes over a record; 0 is without end. The sample index runs on.
        channels: numbers or names of signals; None: all.
        start, duration: seconds of the record; None: to its end.
        annotator: suffix of annotations to send as events, e.g. ``"atr"``.
        chunk: seconds of signal in one chunk; None: 0.1 s at a pace or where there are
            several streams, else as read. It changes the order of several streams' messages.

    Raises:
        SourceError: unknown scheme, or what the record lacks.
        SettingError: an argument outside its limits.
        MissingExtraError: the package that reads this kind is not installed.
    """
    from san_runtime.sources.wfdb_record import WfdbSource

    check_speed(speed)
    scheme, colon, path = url.partition(":")
    # One letter before a colon is a drive, not a scheme.
    if not colon or len(scheme) == 1 or "/" in scheme:
        scheme, path = "wfdb", url
    if scheme not in SCHEMES:
        raise SourceError(f"source {url!r}: unknown scheme {scheme!r}, known are wfdb:PATH")
    if not path:
        raise SourceError(f"source {url!r}: names no record")
    source = WfdbSource(
        path,
        channels=channels,
        start=start,
        duration=duration,
        annotator=annotator,
        repeat=repeat,
        chunk=chunk,
    )
    if speed == "max":
        return source
    if chunk is None and len(source.infos) == 1:
        source.cut(max(CHUNK_SECONDS, speed / 100))
    return PacedSource(source, speed)
