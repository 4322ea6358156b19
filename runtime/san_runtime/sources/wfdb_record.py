"""Source ``wfdb:PATH``: a PhysioNet record, its digital integers verbatim.

Signals with equal samples a frame form one stream. Samples are read block by block, so
memory does not grow with the record. Sample 0 of a stream is the first sample asked for;
`origin` moves with it. WFDB times carry no zone and are taken as UTC.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from san_runtime.sources.wfdb_annotations import read_events
from san_runtime.sources.wfdb_header import DIFFERENCES, read_header
from san_runtime.sources.wfdb_layout import (
    check_files,
    choose_signals,
    form_streams,
    frame_range,
)
from san_stream.errors import MissingExtraError, SettingError, SourceError
from san_stream.types import Chunk, Event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from san_runtime.sources.wfdb_layout import RecordStream
    from san_stream.types import Gap, StreamInfo

BLOCK_VALUES = 2**18
"""Values of all signals together that are read at once."""

INTERLEAVE_SECONDS = 0.1
"""Signal of each stream in turn, where there are several: their order in a file must not
depend on the speed of a replay."""

_SUFFIXES = (".hea", ".dat", ".atr")


class WfdbSource:
    """A single-segment WFDB record.

    Attributes:
        infos: one `StreamInfo` for each number of samples a frame, in order of appearance.
        total: samples of each stream in one pass.
    """

    def __init__(
        self,
        path: str,
        *,
        channels: Sequence[str | int] | None = None,
        start: float | Fraction = 0,
        duration: float | Fraction | None = None,
        annotator: str | None = None,
        repeat: int = 1,
        chunk: float | None = None,
    ) -> None:
        """Read and check the header, and the size of every signal file in use.

        Args:
            path: record, with or without ``.hea``.
            channels: numbers or names of signals; None: all.
            start, duration: seconds; None: to the end.
            annotator: suffix of an annotation file whose entries are yielded as events.
            repeat: passes; 0 is without end. The sample index runs on.
            chunk: seconds of signal in one `Chunk`; None: as read, or 0.1 s where there are
                several streams.

        Raises:
            SourceError: anything about the record that is missing, damaged or not read.
            SettingError: an argument outside its limits.
        """
        record = Path(path)
        if record.suffix in _SUFFIXES:
            record = record.with_suffix("")
        record = Path(record.parent.resolve(), record.name)
        if "::" in str(record) or "://" in str(record):
            raise SourceError(f"record {path!r}: '::' and '://' in a path are not read")
        if repeat < 0:
            raise SettingError(f"repeat {repeat}: must be 0 (without end) or more")
        self._header = read_header(record)
        chosen = choose_signals(self._header, channels)
        frames = check_files(self._header, chosen)
        self._first, self._last = frame_range(self._header, frames, start, duration)
        self._frames = frames
        self._streams = form_streams(self._header, chosen, self._first)
        self._repeat = repeat
        self._chunk: int | None = None
        if chunk is not None:
            self.cut(chunk)
        elif len(self._streams) > 1:
            self.cut(INTERLEAVE_SECONDS)
        self._events: list[Event] = []
        if annotator is not None:
            self._events = self._read_events(annotator)
        try:
            import wfdb
        except ImportError:
            raise MissingExtraError("wfdb", "physionet", "reading WFDB records") from None
        self._rdrecord = wfdb.rdrecord

    @property
    def infos(self) -> tuple[StreamInfo, ...]:
        """What is known of each stream."""
        return tuple(stream.info for stream in self._streams)

    @property
    def info(self) -> StreamInfo:
        """The only stream; raises `SourceError` where there are several."""
        if len(self._streams) > 1:
            raise SourceError(
                f"record {str(self._header.record)!r}: {len(self._streams)} streams of "
                "different rates; choose channels of one rate or use `infos`"
            )
        return self._streams[0].info

    def cut(self, seconds: float) -> None:
        """Yield chunks of this much signal, at least one frame."""
        self._chunk = max(1, round(seconds * self._header.rate))

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that the record consists of."""
        record = self._header.record
        names = {signal.file for signal in self._header.signals}
        return (
            record.with_name(record.name + ".hea"),
            *(record.with_name(name) for name in sorted(names)),
        )

    @property
    def total(self) -> tuple[int, ...]:
        """Samples a lead of each stream in one pass."""
        return tuple((self._last - self._first) * s.per_frame for s in self._streams)

    def __iter__(self) -> Iterator[Chunk | Gap | Event]:
        count = self._last - self._first
        number = 0
        while self._repeat == 0 or number < self._repeat:
            yield from self._one_pass(number * count)
            number += 1

    def close(self) -> None:
        """Nothing stays open between reads."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _one_pass(self, shift: int) -> Iterator[Chunk | Event]:
        """All frames once; `shift` frames were yielded before."""
        events = iter(self._events)
        waiting = next(events, None)
        per_frame = self._streams[0].per_frame
        for first, parts in self._slices():
            length = len(parts[0].samples) // per_frame
            while waiting is not None and waiting.sample < (first + length) * per_frame:
                yield _moved(waiting, shift * per_frame)
                waiting = next(events, None)
            for stream, part in zip(self._streams, parts, strict=True):
                moved = (first + shift) * stream.per_frame
                yield Chunk(moved, part.samples, part.valid, stream.info.stream)

    def _slices(self) -> Iterator[tuple[int, list[Chunk]]]:
        """First frame (counted from the start asked for) and one chunk a stream."""
        for first, blocks in self._blocks():
            length = len(blocks[0].samples) // self._streams[0].per_frame
            step = self._chunk or length
            for a in range(0, length, step):
                b = min(a + step, length)
                yield (
                    first + a,
                    [
                        Chunk(
                            0,
                            block.samples[a * s.per_frame : b * s.per_frame],
                            None
                            if block.valid is None
                            else block.valid[a * s.per_frame : b * s.per_frame],
                        )
                        for s, block in zip(self._streams, blocks, strict=True)
                    ],
                )

    def _blocks(self) -> Iterator[tuple[int, list[Chunk]]]:
        signals = self._header.signals
        values = sum(s.per_frame * len(s.channels) for s in self._streams)
        step = max(1, BLOCK_VALUES // values)
        whole = self._header.frames is None or any(x.storage == DIFFERENCES for x in signals)
        if whole:  # the reader cannot start such a record in its middle
            step = self._last - self._first
        for a in range(self._first, self._last, step):
            b = min(a + step, self._last)
            low, columns = (0, self._read(None)) if whole else (a, self._read((a, b)))
            yield a - self._first, [self._stack(s, columns, low, a, b) for s in self._streams]

    def _read(self, frames: tuple[int, int] | None) -> dict[int, NDArray[np.int32]]:
        """Channel -> samples of these frames and as many more as the largest skew needs."""
        channels = [c for stream in self._streams for c in stream.channels]
        reach = max(self._header.signals[c].skew for c in channels)
        where = (
            {}
            if frames is None
            else {"sampfrom": frames[0], "sampto": min(frames[1] + reach, self._frames)}
        )
        record = self._header.record
        try:
            read = self._rdrecord(
                str(record),
                channels=channels,
                physical=False,
                smooth_frames=False,
                ignore_skew=True,
                return_res=32,
                **where,
            )
        except (OSError, ValueError, IndexError, KeyError, TypeError, RuntimeError) as error:
            raise SourceError(f"record {str(record)!r}: cannot be read ({error})") from None
        return dict(zip(channels, read.e_d_signal, strict=True))

    def _stack(
        self, stream: RecordStream, columns: dict[int, NDArray[np.int32]], low: int, a: int, b: int
    ) -> Chunk:
        """Frames a to b of one stream, from columns that begin at frame `low`."""
        shape = ((b - a) * stream.per_frame, len(stream.channels))
        samples = np.zeros(shape, np.int32)
        valid = np.ones(shape, np.bool_)
        for i, channel in enumerate(stream.channels):
            signal = self._header.signals[channel]
            begin = (a - low + signal.skew) * stream.per_frame
            column = columns[channel][begin : begin + shape[0]]
            samples[: len(column), i] = column
            missing = signal.invalid
            samples[len(column) :, i] = missing or 0
            valid[len(column) :, i] = False
            if missing is not None:
                valid[:, i] &= samples[:, i] != missing
        return Chunk(0, samples, None if valid.all() else valid)

    def _read_events(self, annotator: str) -> list[Event]:
        stream = self._streams[0]
        events = read_events(
            self._header.record,
            annotator,
            leads={channel: lead for lead, channel in enumerate(stream.channels)},
            per_frame=stream.per_frame,
        )
        low, high = self._first * stream.per_frame, self._last * stream.per_frame
        return [_moved(event, -low) for event in events if low <= event.sample < high]


def _moved(event: Event, shift: int) -> Event:
    if shift == 0:
        return event
    return Event(
        event.sample + shift, event.symbol, event.lead, event.subtype, event.num,
        event.duration, event.text, event.stream,
    )  # fmt: skip
