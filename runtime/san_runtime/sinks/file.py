"""Sinks ``file:PATH`` and ``-``: messages appended to a file, readable while it grows."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path
from typing import Self

from san_stream.errors import SinkError


class FileSink:
    """Appends whole messages to one file, each written through at once.

    The file is made with the first byte, so a source that fails at once leaves nothing
    behind and harms no older file. If a message cannot be written whole (disk full), the
    file is cut back to the last whole one.

    Attributes:
        path: where it is.
        written: bytes written so far.
    """

    def __init__(self, path: str, *, force: bool = False) -> None:
        """Check that the file can be made; makes nothing yet.

        Args:
            path: file to write. Devices and pipes are written as they are.
            force: replace an existing file, when the first byte comes.

        Raises:
            SinkError: the file exists, the folder is missing or may not be written.
        """
        self.path = Path(path)
        self.written = 0
        self._force = force
        self._descriptor: int | None = None
        self._special = False
        try:
            mode = self.path.stat().st_mode
        except FileNotFoundError:
            mode = 0
        except (OSError, ValueError) as error:
            raise SinkError(f"output {path!r}: {_reason(error)}") from None
        if stat.S_ISDIR(mode):
            raise SinkError(f"output {path!r}: is a folder")
        self._special = mode != 0 and not stat.S_ISREG(mode)
        if mode and not self._special and not force:
            raise SinkError(f"output {path!r}: exists already; --force replaces it")
        folder = self.path.parent
        if not path or not folder.is_dir():
            raise SinkError(f"output {path!r}: there is no folder {str(folder)!r}")
        if not os.access(self.path if mode else folder, os.W_OK):
            raise SinkError(f"output {path!r}: no permission to write")

    def write(self, message: bytes) -> None:
        """Append one message.

        Raises:
            SinkError: it could not be written whole; nothing of it stays in the file.
        """
        if not message:
            return
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self.path, self._flags(), 0o666)
            view = memoryview(message)
            while view:
                count = os.write(self._descriptor, view)
                if count == 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                view = view[count:]
        except FileExistsError:
            raise SinkError(
                f"output {str(self.path)!r}: exists already; --force replaces it"
            ) from None
        except OSError as error:
            self._cut()
            raise SinkError(f"output {str(self.path)!r}: {_reason(error)}") from None
        except BaseException:  # Ctrl-C between two pieces of a message
            self._cut()
            raise
        self.written += len(message)

    def close(self) -> None:
        """Close the file; it stays readable at any time."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            try:
                os.close(descriptor)
            except OSError as error:
                raise SinkError(f"output {str(self.path)!r}: {_reason(error)}") from None

    def discard(self) -> None:
        """Close the file and remove it, if this sink has made it."""
        made = self._descriptor is not None or self.written > 0
        self.close()
        if made and not self._special:
            self.written = 0
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _flags(self) -> int:
        flags = os.O_WRONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        if self._special:
            return flags
        return flags | os.O_CREAT | (os.O_TRUNC if self._force else os.O_EXCL)

    def _cut(self) -> None:
        """Take half a message off the end; a file that never held one is removed."""
        if self._descriptor is None or self._special:
            return
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, self.written)
            os.lseek(self._descriptor, self.written, os.SEEK_SET)
        if self.written == 0:
            self.close()
            with contextlib.suppress(OSError):
                self.path.unlink()


class StdoutSink:
    """Writes messages to standard output, each flushed at once."""

    def __init__(self) -> None:
        """Refuse a terminal: bytes do not belong there.

        Raises:
            SinkError: standard output is a terminal.
        """
        self._out = sys.stdout.buffer
        if sys.stdout.isatty():
            raise SinkError("output '-': standard output is a terminal; send it to a pipe or file")

    def write(self, message: bytes) -> None:
        """Write one message through.

        Raises:
            SinkError: the reader has gone, or the disk is full.
        """
        try:
            self._out.write(message)
            self._out.flush()
        except OSError as error:
            # Python flushes once more at its end, and would complain then.
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SinkError(f"output '-': {_reason(error)}") from None

    def close(self) -> None:
        """Standard output is not ours to close."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else str(error)) or str(error)
