"""A stream file to WFDB, CSV or NumPy files, each stream to its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from san_runtime.files import damage_of, make_decoder, read_signals
from san_runtime.outputs import check_free
from san_runtime.records import WfdbWriter, check_record_name
from san_runtime.tables import CsvWriter, NpyWriter
from san_stream.errors import FormatError, SinkError
from san_stream.types import Event, StreamInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from san_runtime.outputs import Writer
    from san_stream.types import Signal

MAX_FILL: Final = 2**31
"""Missing samples that one output takes at most, all gaps together: more would fill the disk."""

WRITERS: Final[dict[str, type[WfdbWriter | CsvWriter | NpyWriter]]] = {
    ".hea": WfdbWriter,
    ".csv": CsvWriter,
    ".npy": NpyWriter,
}


@dataclass(slots=True)
class _Output:
    writer: Writer
    first: int  # absolute sample of its first row
    position: int  # of the next row
    filled: int = 0  # rows written for gaps


@dataclass(frozen=True, slots=True)
class Decoded:
    """What was written.

    Attributes:
        paths: files made, in order of stream.
        samples: rows of each stream, missing ones included.
        damage: one line on what was wrong with the input, or None.
        notices: a line on each thing that the output could not hold.
    """

    paths: list[Path]
    samples: list[int]
    damage: str | None = None
    notices: tuple[str, ...] = ()


@dataclass(slots=True)
class _Outputs:
    kind: type[WfdbWriter | CsvWriter | NpyWriter]
    base: Path
    digital: bool | None
    made: dict[tuple[int, int], _Output] = field(default_factory=dict)

    def take(self, signal: Signal) -> None:
        """Write one signal to the output of its segment and stream."""
        key = (signal.segment, signal.stream)
        if key not in self.made:
            first = signal.gaps[0].first if signal.gaps else signal.first_sample
            self.made[key] = _Output(self._writer(signal.info, first, len(self.made)), first, first)
        output = self.made[key]
        for gap in signal.gaps:
            self._fill(output, gap.first + gap.count)
        if len(signal):
            self._fill(output, signal.first_sample)
            output.writer.write(signal.digital, signal.valid)
            output.position += len(signal)
        for event in signal.events:
            at = event.sample - output.first
            if at >= 0:
                output.writer.event(
                    Event(at, event.symbol, event.lead, event.subtype, event.num, 0, event.text)
                )

    def _writer(self, info: StreamInfo, first: int, number: int) -> Writer:
        origin = info.origin
        if origin is not None and first:
            try:
                origin += timedelta(microseconds=round(first * 10**6 / info.rate))
            except OverflowError:  # beyond the year 9999
                origin = None
        moved = StreamInfo(info.rate, info.leads, origin, info.stream)
        base = self.base.with_name(f"{self.base.name}-{number}") if number else self.base
        digital = self.digital
        if digital is None:
            digital = self.kind is WfdbWriter
        writer = self.kind(base, moved, digital=digital)
        if isinstance(writer, CsvWriter):
            writer.gap(first)  # its index is the stream's
        return writer

    @staticmethod
    def _fill(output: _Output, end: int) -> None:
        count = end - output.position
        if count <= 0:
            return
        output.filled += count
        if output.filled > MAX_FILL and not isinstance(output.writer, CsvWriter):
            raise SinkError(
                f"gaps of {output.filled} samples in all before sample {end}: an output takes "
                f"at most {MAX_FILL}; decode to .csv, which leaves gaps out"
            )
        output.writer.gap(count)
        output.position = end


def decode_file(
    path: str,
    out: str,
    *,
    force: bool = False,
    digital: bool | None = None,
    salvage: bool = False,
    progress: Callable[[float], object] | None = None,
) -> Decoded:
    """Decode a file; its output appears whole or not at all.

    Args:
        path: stream file, or ``-``.
        out: path with suffix ``.hea``, ``.csv`` or ``.npy``. Where the input holds several
            streams or segments, each gets its own output: ``OUT-1``, ``OUT-2`` beside ``OUT``.
        force: replace existing files.
        digital: ADC integers; None: as the kind of output has it.
        salvage: write what can be decoded of a damaged file, instead of refusing it.
        progress: called with the bytes read.

    Raises:
        FormatError: not a stream file, or a damaged one without `salvage`.
        SinkError: the output exists, or cannot be written.
    """
    target = Path(out)
    kind = WRITERS.get(target.suffix.lower())
    if target.suffix.lower() == ".edf":
        raise SinkError(f"output {out!r}: writing EDF is not in this version; use .hea")
    if kind is None:
        raise SinkError(f"output {out!r}: suffix must be one of {', '.join(WRITERS)}")
    base = target.with_suffix("")
    if kind is WfdbWriter:
        check_record_name(base)
    check_free(base, kind.suffixes, force=force)
    outputs = _Outputs(kind, base, digital)
    decoder = make_decoder()
    paths: list[Path] = []
    try:
        for signal in read_signals(path, decoder, progress=progress):
            outputs.take(signal)
        damage = damage_of(path, decoder)
        if damage is not None and not salvage:
            raise FormatError(f"{damage}; --salvage decodes what is there")
        if not any(output.position > output.first for output in outputs.made.values()):
            raise FormatError(f"file {path!r}: holds no samples")
        names = _names(base, len(outputs.made))
        for name in names[1:]:
            check_free(name, kind.suffixes, force=force)
        for output, name in zip(outputs.made.values(), names, strict=True):
            paths += output.writer.finish(name)
    except BaseException:
        for output in outputs.made.values():
            output.writer.abort()
        for written in paths:
            written.unlink(missing_ok=True)
        raise
    rows = [output.position - output.first for output in outputs.made.values()]
    notices = tuple(line for output in outputs.made.values() for line in output.writer.notices)
    return Decoded(paths, rows, damage, notices)


def _names(base: Path, count: int) -> list[Path]:
    return [base if i == 0 else base.with_name(f"{base.name}-{i}") for i in range(count)]
