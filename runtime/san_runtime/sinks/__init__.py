"""Sinks by URL: where messages go."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from san_stream.errors import SinkError

if TYPE_CHECKING:
    from san_stream.protocols import Sink

SCHEMES = ("file", "tcp", "tcp-listen")


def open_sink(url: str, *, force: bool = False, insecure: bool = False) -> Sink:
    """Open a sink by its URL.

    Args:
        url: ``file:PATH`` (a bare path is one), ``-`` (standard output),
            ``tcp://HOST:PORT`` (connect) or ``tcp-listen://HOST:PORT`` (serve; port 0
            takes a free one).
        force: replace an existing file.
        insecure: serve on an address that other machines can reach, unencrypted.

    Raises:
        SinkError: unknown scheme, or what keeps the output from being written.
    """
    scheme, colon, rest = url.partition(":")
    if url == "-":
        from san_runtime.sinks.file import StdoutSink

        return StdoutSink()
    # One letter before a colon is a drive, not a scheme.
    if not colon or len(scheme) == 1 or "/" in scheme:
        scheme, rest = "file", url
    if scheme == "file":
        from san_runtime.sinks.file import FileSink

        return FileSink(rest, force=force)
    if scheme == "tcp":
        from san_runtime.sinks.tcp import TcpSink

        return TcpSink(*split_address(url))
    if scheme == "tcp-listen":
        from san_runtime.sinks.serve import ServingSink

        return ServingSink(*split_address(url), insecure=insecure)
    known = ", ".join(("-", *(f"{name}:" for name in SCHEMES)))
    raise SinkError(f"output {url!r}: unknown scheme {scheme!r}, known are {known}")


def is_live(url: str) -> bool:
    """Whether somebody at the other end waits for every message (not so for a file)."""
    return url == "-" or url.startswith(("tcp:", "tcp-listen:"))


def split_address(url: str) -> tuple[str, int]:
    """Host and port of ``scheme://host:port``.

    Raises:
        SinkError: there is no port, or something else stands there.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise SinkError(f"address {url!r}: {error}") from None
    if port is None or parts.path not in {"", "/"} or parts.query or not parts.netloc:
        raise SinkError(f"address {url!r}: expected {parts.scheme}://HOST:PORT")
    return host or "127.0.0.1", port
