"""What a decoded stream is written to, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, ClassVar, Protocol

from san_stream.errors import SinkError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from san_stream.types import Event


class Writer(Protocol):
    """Takes the samples of one stream in order; nothing is in place before `finish`.

    Attributes:
        suffixes: of the files that may be made.
        notices: after `finish`, a line on each thing that the files could not hold.
    """

    suffixes: ClassVar[tuple[str, ...]]
    notices: list[str]

    def write(self, digital: NDArray[np.int32], valid: NDArray[np.bool_]) -> None:
        """Append samples, both ``[n, leads]``."""

    def gap(self, count: int) -> None:
        """Append `count` missing samples."""

    def event(self, event: Event) -> None:
        """Take an event; its sample counts from the first one written."""

    def finish(self, base: Path) -> list[Path]:
        """Put the files in their place, named after `base`; return them."""
        ...

    def abort(self) -> None:
        """Leave nothing behind."""


class PartialFile:
    """A file under a temporary name beside its final one.

    Attributes:
        path: the temporary name.
    """

    def __init__(self, final: Path) -> None:
        """Create the file.

        Raises:
            SinkError: it cannot be created.
        """
        self.path = final.with_name(f"{final.name}.{os.getpid()}.partial")
        try:
            self._file = self.path.open("xb")
        except OSError as error:
            raise SinkError(f"output {str(final)!r}: {error.strerror or error}") from None

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            SinkError: the disk is full, or fails.
        """
        try:
            self._file.write(data)
        except OSError as error:
            raise SinkError(f"output {str(self.path)!r}: {error.strerror or error}") from None

    def overwrite(self, at: int, data: bytes) -> None:
        """Write bytes at a place that was written before."""
        self._file.seek(at)
        self.write(data)

    def finish(self, final: Path) -> Path:
        """Close the file and give it its name, replacing an older file of that name.

        Raises:
            SinkError: what was still in memory could not be written.
        """
        try:
            self._file.close()
            self.path.replace(final)
        except OSError as error:
            self.abort()
            raise SinkError(f"output {str(final)!r}: {error.strerror or error}") from None
        return final

    def abort(self) -> None:
        """Remove the file."""
        with contextlib.suppress(OSError):  # a full disk: what is in memory is lost anyway
            self._file.close()
        self.path.unlink(missing_ok=True)


def check_free(base: Path, suffixes: tuple[str, ...], *, force: bool) -> None:
    """Refuse to write where a file stands, or where no folder is.

    Raises:
        SinkError: naming the file or folder.
    """
    if not base.parent.is_dir():
        raise SinkError(f"output {str(base)!r}: there is no folder {str(base.parent)!r}")
    if not os.access(base.parent, os.W_OK):
        raise SinkError(f"output {str(base)!r}: no permission to write")
    for suffix in suffixes:
        path = base.with_name(base.name + suffix)
        if path.is_dir():
            raise SinkError(f"output {str(path)!r}: is a folder")
        if path.exists() and not force:
            raise SinkError(f"output {str(path)!r}: exists already; --force replaces it")
