"""Sink ``tcp://HOST:PORT``: connects and sends. The receiver's pace is the encoder's."""

from __future__ import annotations

import contextlib
import socket
from typing import Self

from san_stream.errors import SinkError

CONNECT_SECONDS = 10.0
SEND_SECONDS = 30.0


class TcpSink:
    """Sends messages over one connection that it opens.

    Attributes:
        address: host and port.
    """

    def __init__(self, host: str, port: int) -> None:
        """Connect.

        Raises:
            SinkError: nobody answers there.
        """
        self.address = f"{host}:{port}"
        try:
            self._socket = socket.create_connection((host, port), timeout=CONNECT_SECONDS)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise SinkError(f"output 'tcp://{self.address}': {reason}") from None
        self._socket.settimeout(SEND_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write(self, message: bytes) -> None:
        """Send one message.

        Raises:
            SinkError: the connection broke, or took nothing for 30 s.
        """
        try:
            self._socket.sendall(message)
        except OSError as error:
            reason = error.strerror or str(error)
            raise SinkError(f"output 'tcp://{self.address}': {reason}") from None

    def close(self) -> None:
        """End the connection in order: all that was sent arrives."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
