"""Reading stream files: bytes in blocks through a decoder, with a clear word on foreign ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from san_stream.decode import Decoder
from san_stream.errors import FormatError, MissingExtraError, SourceError
from san_stream.wire import HEADER_SIZE, parse_head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from san_stream.stream_decoder import StreamDecoder
    from san_stream.types import Signal

READ_BYTES = 2**16


def make_decoder() -> Decoder:
    """A decoder with compiled coding functions where numba is installed, else plain ones."""
    try:
        from san_runtime.compiled import compiled_core

        return Decoder(core=compiled_core())
    except (MissingExtraError, ModuleNotFoundError):
        return Decoder()


def read_signals(
    path: str, decoder: Decoder, *, progress: Callable[[float], object] | None = None
) -> Iterator[Signal]:
    """All signals of a file.

    Args:
        path: file; ``-`` is standard input.
        decoder: takes the bytes; its counters and streams tell the rest.
        progress: called with the bytes read.

    Raises:
        SourceError: the file cannot be read.
        FormatError: it holds no stream of this format.
    """
    done = 0
    try:
        with sys.stdin.buffer if path == "-" else Path(path).open("rb") as file:
            while data := file.read(READ_BYTES):
                yield from decoder.push(data)
                done += len(data)
                if progress is not None:
                    progress(done)
    except FileNotFoundError:
        raise SourceError(f"file {path!r}: does not exist") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"file {path!r}: {reason}") from None
    yield from decoder.close()
    if not all_streams(decoder):
        counters = decoder.counters
        what = "is empty" if done == 0 else f"{done} bytes hold no san-stream header"
        if counters.messages and not counters.damaged_bytes:
            what = f"{counters.messages} messages, but no header that this release reads"
        raise FormatError(f"file {path!r}: {what}")


def all_streams(decoder: Decoder) -> list[StreamDecoder]:
    """Every stream that began, in order of segment and number."""
    streams = [*decoder.finished, *decoder.streams.values()]
    return sorted(streams, key=lambda stream: (stream.segment, stream.header.info.stream))


def is_stream_file(path: str) -> bool:
    """Whether a file begins with a frame of this format, or has the suffix ``.san``."""
    if path.endswith(".san"):
        return True
    try:
        with Path(path).open("rb") as file:
            head = file.read(HEADER_SIZE)
    except (OSError, ValueError):
        return False
    return len(head) == HEADER_SIZE and parse_head(head, 0) is not None


def damage_of(path: str, decoder: Decoder) -> str | None:
    """One line on what is wrong with a file that was read to its end, or None."""
    counters = decoder.counters
    faults = []
    if counters.damaged_bytes or counters.broken_bytes:
        faults.append(f"{counters.damaged_bytes + counters.broken_bytes} damaged bytes")
    streams = all_streams(decoder)
    lost = sum(stream.lost for stream in streams)
    if lost:
        faults.append(f"{lost} samples lost")
    if any(not stream.ended for stream in streams):
        faults.append("ends without END")
    if any(stream.digest_ok is False for stream in streams):
        faults.append("digest differs")
    if not faults and any(not stream.complete for stream in streams):
        faults.append("not complete")
    return f"file {path!r}: {', '.join(faults)}" if faults else None
