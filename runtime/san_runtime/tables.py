"""Decoded signals as CSV text or as one NumPy array."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from san_runtime.outputs import PartialFile

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from san_stream.types import Event, StreamInfo

FILL_BLOCK = 2**16
"""Missing rows written at a time."""


def _physical(
    info: StreamInfo, digital: NDArray[np.int32], valid: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """float64 ``[n, leads]`` in physical units, NaN where not valid."""
    columns = [lead.to_physical(digital[:, i]) for i, lead in enumerate(info.leads)]
    out = np.stack(columns, axis=1)
    out[~valid] = np.nan
    return out


class CsvWriter:
    """One row a sample: its index, then a column a lead; empty where no value is known.

    A gap leaves its rows out, so the index tells where it was. The first row has index 0
    unless a gap was left out before it.

    Attributes:
        suffixes: of the file.
        notices: none.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".csv",)

    def __init__(self, base: Path, info: StreamInfo, *, digital: bool = False) -> None:
        """Open the partial file.

        Args:
            base: path without suffix.
            info: of the stream.
            digital: ADC integers, else physical units.
        """
        self.notices: list[str] = []
        self._info = info
        self._digital = digital
        self._next = 0
        self._file = PartialFile(base.with_name(base.name + ".csv"))
        units = ["ADC" if digital else lead.unit for lead in info.leads]
        names = [f"{lead.name} ({unit})" for lead, unit in zip(info.leads, units, strict=True)]
        self._rows([["sample", *names]])

    def write(self, digital: NDArray[np.int32], valid: NDArray[np.bool_]) -> None:
        """Append rows."""
        values = digital if self._digital else _physical(self._info, digital, valid)
        self._rows(
            [self._next + i, *(x if ok else "" for x, ok in zip(row, known, strict=True))]
            for i, (row, known) in enumerate(zip(values.tolist(), valid.tolist(), strict=True))
        )
        self._next += len(digital)

    def gap(self, count: int) -> None:
        """Leave rows out."""
        self._next += count

    def event(self, event: Event) -> None:
        """Tables hold samples only."""

    def finish(self, base: Path) -> list[Path]:
        """Put the file in its place."""
        return [self._file.finish(base.with_name(base.name + ".csv"))]

    def abort(self) -> None:
        """Leave nothing behind."""
        self._file.abort()

    def _rows(self, rows: object) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)  # type: ignore[arg-type]
        self._file.write(text.getvalue().encode("utf-8"))


class NpyWriter:
    """One array ``[samples, leads]``: float64 in physical units with NaN, or int32 ADC values.

    In int32 a missing sample has the lead's invalid value, or -2^31 where it has none.

    Attributes:
        suffixes: of the file.
        notices: none.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".npy",)
    _HEADER = 192

    def __init__(self, base: Path, info: StreamInfo, *, digital: bool = False) -> None:
        """Open the partial file.

        Args:
            base: path without suffix.
            info: of the stream.
            digital: int32 ADC values, else float64 in physical units.
        """
        self.notices: list[str] = []
        self._info = info
        self._digital = digital
        self._count = 0
        missing = [-(2**31) if lead.invalid is None else lead.invalid for lead in info.leads]
        self._missing = np.array(missing, np.int32)
        self._file = PartialFile(base.with_name(base.name + ".npy"))
        self._file.write(self._head())

    def write(self, digital: NDArray[np.int32], valid: NDArray[np.bool_]) -> None:
        """Append rows."""
        if self._digital:
            self._file.write(np.where(valid, digital, self._missing).astype("<i4").tobytes())
        else:
            self._file.write(_physical(self._info, digital, valid).astype("<f8").tobytes())
        self._count += len(digital)

    def gap(self, count: int) -> None:
        """Append missing rows."""
        while count > 0:
            step = min(count, FILL_BLOCK)
            shape = (step, len(self._info.leads))
            self.write(np.zeros(shape, np.int32), np.zeros(shape, np.bool_))
            count -= step

    def event(self, event: Event) -> None:
        """Arrays hold samples only."""

    def finish(self, base: Path) -> list[Path]:
        """Write the final shape and put the file in its place."""
        self._file.overwrite(0, self._head())
        return [self._file.finish(base.with_name(base.name + ".npy"))]

    def abort(self) -> None:
        """Leave nothing behind."""
        self._file.abort()

    def _head(self) -> bytes:
        """Header of NumPy's format 1.0, of a fixed length so that it can be rewritten."""
        dtype = "<i4" if self._digital else "<f8"
        shape = (self._count, len(self._info.leads))
        text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
        size = self._HEADER - 10
        padded = text.ljust(size - 1).encode("ascii") + b"\n"
        return b"\x93NUMPY\x01\x00" + size.to_bytes(2, "little") + padded
