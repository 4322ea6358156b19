"""Results of a long run, one line of JSON each, so that a run that was stopped goes on.

Lines are appended and never changed. A line that was cut off when the run was killed is left
where it is and does not count; of two lines with one key the later counts.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

from san_stream.errors import SanStreamError, SettingError, SinkError, SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

Key = tuple[str | int, ...]
FORMAT: Final = "san-stream ledger 1"


class Ledger:
    """A file of results; to be used in a ``with`` statement.

    Attributes:
        path: of the file.
        damaged: how many lines could not be read.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        """Open a ledger, or begin one.

        Args:
            path: of the file.
            settings: what every line of it rests on, JSON values.

        Raises:
            SettingError: the ledger was begun with other settings.
            SinkError: the file cannot be written, is no ledger, or another run writes it.
        """
        self.path = path
        self.damaged = 0
        self._lines: dict[Key, dict[str, Any]] = {}
        header = {"ledger": FORMAT, "settings": settings}
        try:
            self._file = path.open("a+b")
        except OSError as error:
            raise SinkError(f"ledger {path}: {error.strerror or error}") from None
        try:
            self._begin(header)
        except OSError as error:
            self._file.close()
            raise SinkError(f"ledger {path}: {error.strerror or error}") from None
        except SanStreamError:
            self._file.close()
            raise

    def _begin(self, header: dict[str, Any]) -> None:
        """Read what there is, or write the header, or what is lacking of it."""
        _lock(self._file.fileno(), self.path)
        self._file.seek(0)
        data = self._file.read()
        begin = _line(header)
        if len(data) < len(begin) and begin.startswith(data):
            self._append(begin[len(data) :])
            return
        self._read(data, header)
        if not data.endswith(b"\n"):
            self._file.write(b"\n")

    def _read(self, data: bytes, header: dict[str, Any]) -> None:
        first, *others = data.splitlines()
        begun = _begun(first)
        if begun is None:
            raise SinkError(f"ledger {self.path}: the file is something else")
        before, now = begun.get("settings", {}), json.loads(json.dumps(header["settings"]))
        for name in now:
            if before.get(name) != now[name]:
                raise SettingError(
                    f"ledger {self.path}: was begun with {name} {before.get(name)!r}, not "
                    f"{now[name]!r}; use another folder"
                )
        self._lines, self.damaged = _entries(others)

    def get(self, *key: str | int) -> dict[str, Any] | None:
        """What was written under a key, or None."""
        return self._lines.get(key)

    def put(self, value: dict[str, Any], *key: str | int) -> None:
        """Write a result, and come back once it is on the disk.

        Raises:
            SinkError: the file cannot be written.
        """
        self.put_all({key: value})

    def put_all(self, values: Mapping[Key, dict[str, Any]]) -> None:
        """Write results by their keys, and wait for the disk once.

        Raises:
            SinkError: the file cannot be written.
        """
        lines = [_line({"key": key, "value": value}) for key, value in values.items()]
        try:
            self._append(b"".join(lines))
        except OSError as error:
            raise SinkError(f"ledger {self.path}: {error.strerror or error}") from None
        self._lines.update(values)

    def _append(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def read_ledger(path: Path) -> tuple[dict[str, Any], dict[Key, dict[str, Any]]]:
    """Settings and results of a ledger, which may still be written.

    Raises:
        SourceError: it cannot be read or is no ledger.
    """
    try:
        first, *others = path.read_bytes().splitlines() or [b""]
    except OSError as error:
        raise SourceError(f"ledger {path}: {error.strerror or error}") from None
    begun = _begun(first)
    if begun is None:
        raise SourceError(f"ledger {path}: the file is something else")
    return begun.get("settings", {}), _entries(others)[0]


def _begun(line: bytes) -> dict[str, Any] | None:
    """The first line of a ledger, None where it is that of something else."""
    try:
        begun = json.loads(line)
    except ValueError:
        return None
    return begun if isinstance(begun, dict) and begun.get("ledger") == FORMAT else None


def _entries(lines: list[bytes]) -> tuple[dict[Key, dict[str, Any]], int]:
    """Results by their keys, and how many lines could not be read."""
    found: dict[Key, dict[str, Any]] = {}
    damaged = 0
    for line in lines:
        try:
            entry = json.loads(line, parse_constant=_refuse)
            if not isinstance(entry["value"], dict):
                raise TypeError("a result has names")
            found[tuple(entry["key"])] = entry["value"]
        except (ValueError, LookupError, TypeError):
            damaged += bool(line.strip())
    return found, damaged


def _line(entry: dict[str, Any]) -> bytes:
    """JSON has no NaN, so a value that is one is an error here and not for who reads it."""
    return json.dumps(entry, allow_nan=False).encode() + b"\n"


def _refuse(name: str) -> None:
    """Python's reader takes NaN, which JSON has not and no result is."""
    raise ValueError(name)


def _lock(file: int, path: Path) -> None:
    """Refuse a second writer, where the system knows such locks; it falls with the file."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SinkError(f"ledger {path}: another run writes it") from None
