"""Decoded signals as a WFDB record: ``NAME.hea``, ``NAME.dat`` and, with events, ``NAME.atr``.

The integers are written as decoded, in the narrowest of the formats 16, 24 and 32 that holds
each lead's declared range beside WFDB's value for a missing sample. Missing samples and
gaps are written as that value. Written as it comes: memory does not grow with the record.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from san_runtime.outputs import PartialFile
from san_stream.errors import MissingExtraError, SampleError, SinkError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from san_stream.types import Event, Lead, StreamInfo

FILL_BLOCK = 2**16
"""Missing samples written at a time."""

ANNOTATOR = "atr"


class WfdbWriter:
    """Writes one stream as a record.

    Attributes:
        suffixes: of the files that a record may consist of.
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
        """
        check_record_name(base)
        written = [self._dat.finish(base.with_name(base.name + ".dat"))]
        header = PartialFile(base.with_name(base.name + ".hea"))
        annotations = base.with_name(f"{base.name}.{ANNOTATOR}")
        try:
            header.write(self._header(base.name).encode("utf-8"))
            annotations.unlink(missing_ok=True)  # of an older record of this name
            if self._events:
                self._write_events(base)
                written.append(annotations)
            written.append(header.finish(base.with_name(base.name + ".hea")))
        except BaseException:
            header.abort()
            for path in written:
                path.unlink(missing_ok=True)
            raise
        return written

    def abort(self) -> None:
        """Leave nothing behind."""
        self._dat.abort()

    def _header(self, name: str) -> str:
        info = self._info
        first = f"{name} {len(info.leads)} {_decimal(float(info.rate))} {self._count}"
        if info.origin is not None:
            first += info.origin.strftime(" %H:%M:%S.%f %d/%m/%Y")
        lines = [first]
        for i, lead in enumerate(info.leads):
            checksum = (int(self._sums[i]) + 2**15) % 2**16 - 2**15
            lines.append(
                f"{name}.dat {8 * self._bytes} {_decimal(lead.gain)}({lead.baseline})/{lead.unit} "
                f"{lead.bits} 0 {self._first[i]} {checksum} 0 {lead.name}"
            )
        return "\n".join(lines) + "\n"

    def _write_events(self, base: Path) -> None:
        try:
            import wfdb
        except ImportError:
            raise MissingExtraError("wfdb", "physionet", "writing annotations") from None
        known = set(wfdb.io.annotation.ann_label_table["symbol"])
        events = sorted(self._events, key=lambda event: event.sample)
        # A symbol that WFDB does not know becomes a comment that names it.
        notes = [
            event.text if event.symbol in known else f"{event.symbol} {event.text}".strip()
            for event in events
        ]
        try:
            wfdb.wrann(
                base.name,
                ANNOTATOR,
                np.array([event.sample for event in events], np.int64),
                symbol=[event.symbol if event.symbol in known else '"' for event in events],
                subtype=np.array([event.subtype for event in events]),
                chan=np.array([max(event.lead, 0) for event in events]),
                num=np.array([event.num for event in events]),
                aux_note=notes,
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
