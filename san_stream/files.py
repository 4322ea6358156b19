"""Reading a `.san` file: signals in order, a piece at a time, in bounded memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from san_stream.coding.core import PLAIN, Core
from san_stream.decode import Counters, Decoder
from san_stream.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from san_stream.types import Signal, StreamInfo

PIECE = 1 << 16


class SanFile:
    """An open `.san` file; iterate over it once, or use it as a context manager.

    Attributes:
        path: the file.
        infos: streams in it, by number, as far as they begin in its first 64 KiB.
    """

    def __init__(self, path: Path, core: Core) -> None:
        self.path = path
        self._file = path.open("rb")
        self._decoder = Decoder(core)
        try:
            data = self._file.read(PIECE)
            self._waiting = self._decoder.push(data)
            if not self._decoder.streams:
                what = "is empty" if not data else "does not begin with a san-stream HEADER"
                raise FormatError(f"{path}: {what}")
        except BaseException:
            self._file.close()
            raise
        self.infos: tuple[StreamInfo, ...] = tuple(
            stream.header.info for _, stream in sorted(self._decoder.streams.items())
        )

    @property
    def info(self) -> StreamInfo:
        """The only stream.

        Raises:
            FormatError: there are several.
        """
        if len(self.infos) != 1:
            raise FormatError(f"{self.path}: {len(self.infos)} streams, use infos")
        return self.infos[0]

    @property
    def decoder(self) -> Decoder:
        """The decoder behind it: positions, losses and digests of the streams so far."""
        return self._decoder

    @property
    def counters(self) -> Counters:
        """Bytes and bits so far."""
        return self._decoder.counters

    def __iter__(self) -> Iterator[Signal]:
        waiting, self._waiting = self._waiting, []
        yield from waiting
        while data := self._file.read(PIECE):
            yield from self._decoder.push(data)
        yield from self._decoder.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def open(path: str | PathLike[str], *, core: Core = PLAIN) -> SanFile:  # noqa: A001
    """Open a `.san` file for reading.

    Args:
        path: the file. core: the coding functions, plain Python by default.

    Raises:
        FormatError: it is empty, or no san-stream file.
        OSError: it cannot be read.
    """
    return SanFile(Path(path), core)
