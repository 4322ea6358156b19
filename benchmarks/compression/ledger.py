"""Rows measured so far, one JSON object a line: an interrupted run goes on where it was.

One run at a time writes to a ledger; others may read it meanwhile.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

from measuring import OK, Cell

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def _cell(row: dict[str, Any]) -> Cell:
    return Cell(**{name: row[name] for name in Cell.__slots__})


def read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The rows of a file and the bytes of its whole lines; the file stays as it is."""
    rows, size = [], 0
    for line in path.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        rows.append(json.loads(line))
        size += len(line)
    return rows, size


def latest(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The last row of each cell."""
    return {_cell(row).key: row for row in rows}


class Ledger:
    """The rows by cell; of two rows for one cell the later counts.

    Args:
        path: a file, made if it is not there. A last line cut short is dropped.
    """

    def __init__(self, path: Path) -> None:
        rows, kept = read(path) if path.exists() else ([], 0)
        self._rows = latest(rows)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        self._file.truncate(kept)

    def get(self, cell: Cell) -> dict[str, Any] | None:
        """The row of a cell, or None: not measured yet, or it went wrong (to be tried again)."""
        row = self._rows.get(cell.key)
        return row if row is not None and row["status"] == OK else None

    def add(self, row: dict[str, Any]) -> None:
        """Keep a row; it is on disk when this returns."""
        self._rows[_cell(row).key] = row
        self._file.write(json.dumps(row).encode() + b"\n")
        self._file.flush()

    def __len__(self) -> int:
        return len(self._rows)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
