"""Bytes of a live connection or of a file that grows, as they come."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from san_stream.errors import SourceError
from san_stream.wire import SYNC

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECT_SECONDS = 10.0
READ_BYTES = 2**16


def open_feed(url: str, *, interval: float = 0.1, follow: bool = True) -> Iterator[bytes]:
    """Bytes of a source as they come; ``b""`` where `interval` passed without any.

    A file that does not begin as a stream does is refused; an empty one may still grow.

    Args:
        url: ``tcp://HOST:PORT``, ``file:PATH`` or a path.
        interval: seconds.
        follow: wait for a file to grow; else end with it.

    Raises:
        SourceError: nobody answers, or the file cannot be read; on the first request.
    """
    if url.startswith("tcp://"):
        return _connection(url, interval)
    return _file(url.removeprefix("file:"), interval, follow=follow)


def _connection(url: str, interval: float) -> Iterator[bytes]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "127.0.0.1", parts.port
    except ValueError as error:
        raise SourceError(f"source {url!r}: {error}") from None
    if port is None:
        raise SourceError(f"source {url!r}: expected tcp://HOST:PORT")
    try:
        connection = socket.create_connection((host, port), timeout=CONNECT_SECONDS)
    except OSError as error:
        raise SourceError(f"source {url!r}: {error.strerror or error}") from None
    with connection:
        connection.settimeout(interval)
        while True:
            try:
                data = connection.recv(READ_BYTES)
            except TimeoutError:
                yield b""
                continue
            except OSError as error:
                raise SourceError(f"source {url!r}: {error.strerror or error}") from None
            if not data:
                return
            yield data


def _file(path: str, interval: float, *, follow: bool) -> Iterator[bytes]:
    try:
        with Path(path).open("rb") as file:
            begun = False
            while True:
                data = file.read(READ_BYTES)
                if data:
                    if not begun and data[0] != SYNC:
                        raise SourceError(f"source {path!r}: no san-stream header at its start")
                    begun = True
                    yield data
                elif follow:
                    yield b""
                    time.sleep(interval)
                else:
                    return
    except FileNotFoundError:
        raise SourceError(f"source {path!r}: does not exist") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"source {path!r}: {reason}") from None
