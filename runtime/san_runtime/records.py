"""Decoded signals as a WFDB record: ``NAME.hea``, ``NAME.dat`` and, with events, ``NAME.atr``.

The integers are written as decoded, in the narrowest of the formats 16, 24 and 32 that holds
each lead's declared range beside WFDB's value for a missing sample. Missing samples and
gaps are written as that value. Written as it comes: memory does not grow with the record.

What the format cannot hold is changed or left out, and told in `WfdbWriter.notices`: units
hold ASCII letters, digits and ``_^-?%/`` only (``mm Hg`` becomes ``mm_Hg``, ``µV`` ``uV``; no
unit is ``NU``, as the wfdb package has it), a lead without a name becomes ``signal N``, notes
have at most 254 bytes, and events lie on samples of the record.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from san_runtime.outputs import PartialFile
from san_runtime.sources.wfdb_header import read_header
from san_stream.errors import MissingExtraError, SampleError, SinkError, SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from san_stream.types import Event, Lead, StreamInfo

FILL_BLOCK = 2**16
"""Missing samples written at a time."""

ANNOTATOR = "atr"
MAX_NOTE_BYTES = 254
"""A note's length is one byte, and the notes are padded to an even one."""


class WfdbWriter:
    """Writes one stream as a record.

    Attributes:
        suffixes: of the files that a record may consist of.
        notices: after `finish`, a line on each thing that the record could not hold.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".hea", ".dat", f".{ANNOTATOR}")

    def __init__(self, base: Path, info: StreamInfo, *, digital: bool = True) -> None:
        """Open the partial signal file.

        Args:
            base: path without suffix; its name becomes the record's.
            info: of the stream.
            digital: WFDB stores integers; False is refused.

        Raises:
            SinkError: the name is no record name.
        """
        if not digital:
            raise SinkError(f"output {str(base)!r}: WFDB records hold ADC integers only")
        check_record_name(base)
        self.notices: list[str] = []
        self._info = info
        self._bytes = max(_bytes_needed(lead) for lead in info.leads)
        self._missing = -(2 ** (8 * self._bytes - 1))
        self._dat = PartialFile(base.with_name(base.name + ".dat"))
        self._count = 0
        self._first = [0] * len(info.leads)
        self._sums = np.zeros(len(info.leads), np.int64)
        self._events: list[Event] = []

    def write(self, digital: NDArray[np.int32], valid: NDArray[np.bool_]) -> None:
        """Append samples.

        Raises:
            SampleError: a valid sample is the one value that WFDB keeps for missing ones.
        """
        clash = valid & (digital == self._missing)
        if clash.any():
            row, lead = (int(i) for i in np.argwhere(clash)[0])
            raise SampleError(
                f"lead {self._info.leads[lead].name!r}, sample {self._count + row} is "
                f"{self._missing}, which WFDB format {8 * self._bytes} keeps for missing samples"
            )
        values = np.where(valid, digital, self._missing).astype("<i4")
        if len(values):
            if self._count == 0:
                self._first = [int(x) for x in values[0]]
            self._sums += values.sum(axis=0, dtype=np.int64)
            self._dat.write(_packed(values, self._bytes))
            self._count += len(values)

    def gap(self, count: int) -> None:
        """Append missing samples."""
        while count > 0:
            step = min(count, FILL_BLOCK)
            shape = (step, len(self._info.leads))
            self.write(np.zeros(shape, np.int32), np.zeros(shape, np.bool_))
            count -= step

    def event(self, event: Event) -> None:
        """Keep an event; its sample counts from the first sample written."""
        self._events.append(event)

    def finish(self, base: Path) -> list[Path]:
        """Put the record in its place as a whole.

        Args:
            base: final path without suffix.

        Returns:
            The files made.

        Raises:
            SinkError: a file cannot be written, or the header does not read back.
        """
        check_record_name(base)
        header = self._write_header(base)
        annotations = base.with_name(f"{base.name}.{ANNOTATOR}")
        written = [header]
        try:
            written.append(self._dat.finish(base.with_name(base.name + ".dat")))
            annotations.unlink(missing_ok=True)  # of an older record of this name
            events = self._events_inside(base.name)
            if events:
                written.append(annotations)
                self._write_events(base, events)
            written[0] = header.replace(base.with_name(base.name + ".hea"))
        except BaseException as error:
            for path in written:
                path.unlink(missing_ok=True)
            if isinstance(error, OSError):
                reason = error.strerror or error
                raise SinkError(f"output {str(base)!r}: {reason}") from None
            raise
        return [*written[1:], written[0]]

    def abort(self) -> None:
        """Leave nothing behind."""
        self._dat.abort()

    def _write_header(self, base: Path) -> Path:
        """The header under a temporary name, read back and found to say what was meant."""
        partial = PartialFile(base.with_name(base.name + ".hea"))
        try:
            partial.write(self._header(base.name).encode("utf-8"))
            path = partial.finish(base.with_name(f"{base.name}.{os.getpid()}.partial.hea"))
        except BaseException:
            partial.abort()
            raise
        if self._count == 0:  # which a header cannot say: 0 stands for unknown
            return path
        try:
            self._check_header(base, path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def _check_header(self, base: Path, path: Path) -> None:
        try:
            found = read_header(path.with_suffix(""))
        except SourceError as error:
            raise SinkError(f"output {str(base)!r}: would not read back ({error})") from None
        info = self._info
        meant = [
            (_unit(lead), _name(lead, i), lead.gain, lead.baseline, lead.bits)
            for i, lead in enumerate(info.leads)
        ]
        read = [(s.unit, s.name, s.gain, s.baseline, s.bits) for s in found.signals]
        if (found.frames, float(found.rate), read) != (self._count, float(info.rate), meant):
            raise SinkError(f"output {str(base)!r}: its header would not read back as written")

    def _header(self, name: str) -> str:
        info = self._info
        first = f"{name} {len(info.leads)} {_decimal(float(info.rate))} {self._count}"
        if info.origin is not None:
            first += f"{info.origin: %H:%M:%S.%f %d/%m}/{info.origin.year:04}"
        lines = [first]
        for i, lead in enumerate(info.leads):
            checksum = (int(self._sums[i]) + 2**15) % 2**16 - 2**15
            unit, described = _unit(lead), _name(lead, i)
            for what, text, put in (("unit", lead.unit, unit), ("name", lead.name, described)):
                if text != put:
                    self.notices.append(f"record {name}, lead {i}: {what} {text!r} became {put!r}")
            lines.append(
                f"{name}.dat {8 * self._bytes} {_decimal(lead.gain)}({lead.baseline})/{unit} "
                f"{lead.bits} 0 {self._first[i]} {checksum} 0 {described}"
            )
        return "\n".join(lines) + "\n"

    def _events_inside(self, name: str) -> list[Event]:
        """Events on samples of the record, in order; wfdb would write far ones for ever."""
        inside = [event for event in self._events if event.sample < self._count]
        if len(inside) < len(self._events):
            self.notices.append(
                f"record {name}: {len(self._events) - len(inside)} events at or after the last "
                f"sample's end ({self._count}) are left out"
            )
        return sorted(inside, key=lambda event: event.sample)

    def _write_events(self, base: Path, events: list[Event]) -> None:
        try:
            import wfdb
        except ImportError:
            raise MissingExtraError("wfdb", "physionet", "writing annotations") from None
        known = set(wfdb.io.annotation.ann_label_table["symbol"])
        # A symbol that WFDB does not know becomes a comment that names it.
        notes = [
            event.text if event.symbol in known else f"{event.symbol} {event.text}".strip()
            for event in events
        ]
        coded = [note.encode(_note_encoding(note)) for note in notes]
        cut = sum(len(note) > MAX_NOTE_BYTES for note in coded)
        if cut:
            self.notices.append(
                f"record {base.name}: {cut} notes of events are cut to {MAX_NOTE_BYTES} bytes"
            )
        try:
            wfdb.wrann(
                base.name,
                ANNOTATOR,
                np.array([event.sample for event in events], np.int64),
                symbol=[event.symbol if event.symbol in known else '"' for event in events],
                subtype=np.array([event.subtype for event in events]),
                chan=np.array([max(event.lead, 0) for event in events]),
                num=np.array([event.num for event in events]),
                aux_note=[_cut(note).decode("latin-1") for note in notes],  # a byte a character
                write_dir=str(base.parent),
            )
        except (OSError, ValueError, TypeError, IndexError) as error:
            raise SinkError(
                f"output {str(base)!r}: annotations cannot be written ({error})"
            ) from None


def check_record_name(base: Path) -> None:
    """Refuse what WFDB takes for no record name.

    Raises:
        SinkError: naming it.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", base.name):
        raise SinkError(
            f"output {str(base)!r}: a record's name has letters, digits, '-' and '_' only"
        )


def _unit(lead: Lead) -> str:
    """The unit as a header can hold it."""
    text = re.sub("[\u00b5\u03bc]", "u", lead.unit)
    return re.sub(r"[^\w^\-?%/]", "_", text, flags=re.ASCII) or "NU"


def _name(lead: Lead, index: int) -> str:
    """The name as a header can hold it: without space at its ends, and not empty."""
    return lead.name.strip() or f"signal {index}"


def _note_encoding(note: str) -> str:
    """Latin-1, as which wfdb reads notes, where it holds the note; else UTF-8."""
    return "latin-1" if all(ord(c) < 256 for c in note) else "utf-8"


def _cut(note: str) -> bytes:
    """A note as bytes, cut between characters to what the format can hold."""
    encoding = _note_encoding(note)
    part = note.encode(encoding)[:MAX_NOTE_BYTES]
    return part.decode(encoding, "ignore").encode(encoding)


def _bytes_needed(lead: Lead) -> int:
    """2, 3 or 4 bytes: enough for the range, with the lowest value left for missing samples."""
    for size in (2, 3):
        half = 2 ** (8 * size - 1)
        lowest = lead.minimum + (1 if lead.invalid == lead.minimum else 0)
        if lowest > -half and lead.maximum < half:
            return size
    return 4


def _packed(values: NDArray[np.int32], size: int) -> bytes:
    """Little-endian integers of `size` bytes, frame by frame."""
    octets = np.ascontiguousarray(values, "<i4").view(np.uint8).reshape(-1, 4)
    return octets[:, :size].tobytes()


def _decimal(value: float) -> str:
    """Shortest text that reads back as the same number, without an exponent."""
    text = np.format_float_positional(value, trim="-")
    return str(text)
