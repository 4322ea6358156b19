"""Sink ``tcp-listen://HOST:PORT``: serves one live stream to many clients.

One thread does all the talking; `write` only queues. A client that reads too slowly loses
whole messages, oldest first, and never holds up the encoder or its neighbours. A newcomer
is handed each stream's HEADER and what was sent since its last reset.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import selectors
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Self

from san_runtime.sinks.catch_up import CatchUp
from san_stream.errors import SinkError

MAX_CLIENTS = 32
MAX_QUEUED = 8 * 2**20
"""Bytes that may wait for one client before messages are dropped."""
CLOSE_SECONDS = 5.0
ACCEPT_PAUSE = 0.2
"""Seconds without a new client after one could not be taken (no descriptor left)."""


@dataclass(slots=True, eq=False)
class _Client:
    """One connection: what waits for it, and what it lost."""

    socket: socket.socket
    queue: deque[bytes]
    queued: int
    sent: int = 0  # bytes of queue[0] that are out
    dropped: int = 0


class ServingSink:
    """Listens, and sends every message to every client.

    Attributes:
        address: host and port really listened on.
        dropped: messages that slow clients lost, all clients together.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        insecure: bool = False,
        max_queued: int = MAX_QUEUED,
        close_seconds: float = CLOSE_SECONDS,
    ) -> None:
        """Bind and start serving.

        Args:
            host, port: where to listen; port 0 takes a free one.
            insecure: allow an address that other machines can reach.
            max_queued: bytes that may wait for one client.
            close_seconds: how long `close` waits for clients to take what is queued.

        Raises:
            SinkError: not a loopback address, or it cannot be listened on.
        """
        self._max_queued = max_queued
        self._close_seconds = close_seconds
        self._listener = _listen(host, port, insecure=insecure)
        name = self._listener.getsockname()
        self.address: tuple[str, int] = (name[0], name[1])
        self.dropped = 0
        self._catch_up = CatchUp()
        self._clients: dict[int, _Client] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._deadline = float("inf")
        self._failure = ""  # what ended the serving thread
        self._resume: float | None = None  # when to listen again, while that pauses
        self._waker, self._wakened = socket.socketpair()
        for end in (self._listener, self._waker, self._wakened):
            end.setblocking(False)
        self._thread = threading.Thread(target=self._serve, name="san-stream-serve", daemon=True)
        self._thread.start()

    @property
    def clients(self) -> int:
        """Clients connected now."""
        with self._changed:
            return len(self._clients)

    def wait_for_client(self, timeout: float | None = None) -> bool:
        """Wait until somebody is connected; False if nobody came in `timeout` seconds.

        Raises:
            SinkError: serving has failed.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._clients:
                self._check_serving()
                # Short waits, so that Ctrl-C works on every system.
                left = 0.2 if deadline is None else min(0.2, deadline - time.monotonic())
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True

    def write(self, message: bytes) -> None:
        """Queue one message for every client; never waits.

        Raises:
            SinkError: the sink is closed, or serving has failed.
        """
        with self._changed:
            if self._closing:
                raise SinkError(f"output {self._where}: is closed")
            self._check_serving()
            self._catch_up.add(message)
            for client in self._clients.values():
                self._queue(client, message)
        self._wake()

    def close(self) -> None:
        """Send what is queued (for at most `close_seconds`), then end all connections."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._deadline = time.monotonic() + self._close_seconds
        self._wake()
        self._thread.join()
        self._waker.close()
        self._wakened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def _where(self) -> str:
        host, port = self.address
        return f"'tcp-listen://{f'[{host}]' if ':' in host else host}:{port}'"

    # -- under the lock ------------------------------------------------------------------

    def _check_serving(self) -> None:
        if not self._closing and (self._failure or not self._thread.is_alive()):
            raise SinkError(f"output {self._where}: serving has ended: {self._failure or 'failed'}")

    def _queue(self, client: _Client, message: bytes) -> None:
        client.queue.append(message)
        client.queued += len(message)
        while client.queued > self._max_queued:
            # A message that is partly out has to be finished: whole ones are dropped.
            index = 1 if client.sent else 0
            if index >= len(client.queue):
                break
            client.queued -= len(client.queue[index])
            del client.queue[index]
            client.dropped += 1
            self.dropped += 1

    # -- the serving thread --------------------------------------------------------------

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full: it is awake already
            self._waker.send(b"\0")

    def _serve(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                self._loop(selector)
        except (OSError, ValueError, KeyError) as error:  # what a selector raises
            self._failure = str(error) or type(error).__name__
        finally:
            with self._changed:
                for client in self._clients.values():  # only where the loop broke off
                    client.socket.close()
                self._clients.clear()
                self._changed.notify_all()
            self._listener.close()

    def _loop(self, selector: selectors.BaseSelector) -> None:
        selector.register(self._listener, selectors.EVENT_READ)
        selector.register(self._wakened, selectors.EVENT_READ)
        while not self._done():
            for key, mask in selector.select(0.2):
                if key.fileobj is self._listener:
                    self._accept(selector)
                elif key.fileobj is self._wakened:
                    with contextlib.suppress(BlockingIOError):
                        self._wakened.recv(4096)
                else:
                    self._talk(selector, key.fd, mask)
            if self._resume is not None and time.monotonic() >= self._resume:
                self._resume = None
                selector.register(self._listener, selectors.EVENT_READ)
            self._watch(selector)
        for descriptor in list(self._clients):
            self._drop(selector, descriptor)

    def _done(self) -> bool:
        with self._changed:
            waiting = any(client.queue for client in self._clients.values())
            return self._closing and (not waiting or time.monotonic() >= self._deadline)

    def _watch(self, selector: selectors.BaseSelector) -> None:
        """Ask for room to send only where something waits."""
        with self._changed:
            for descriptor, client in self._clients.items():
                mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.queue else 0)
                if selector.get_key(descriptor).events != mask:
                    selector.modify(descriptor, mask)

    def _accept(self, selector: selectors.BaseSelector) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:  # it has gone again
            return
        except OSError:
            # Where no descriptor is left, the listener stays ready: do not spin on it.
            selector.unregister(self._listener)
            self._resume = time.monotonic() + ACCEPT_PAUSE
            return
        with self._changed:
            if len(self._clients) >= MAX_CLIENTS or self._closing:
                connection.close()
                return
            try:
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:  # some systems say so when the peer has reset the connection
                connection.close()
                return
            queue = deque(self._catch_up.messages())
            client = _Client(connection, queue, sum(map(len, queue)))
            self._clients[connection.fileno()] = client
            selector.register(connection, selectors.EVENT_READ)
            self._changed.notify_all()

    def _talk(self, selector: selectors.BaseSelector, descriptor: int, mask: int) -> None:
        client = self._clients[descriptor]
        try:
            if mask & selectors.EVENT_READ and not client.socket.recv(1024):
                self._drop(selector, descriptor)  # it has hung up; what it says is ignored
                return
            if mask & selectors.EVENT_WRITE:
                self._send(client)
        except BlockingIOError:
            return
        except OSError:
            self._drop(selector, descriptor)

    def _send(self, client: _Client) -> None:
        with self._changed:
            while client.queue:
                message = client.queue[0]
                count = client.socket.send(memoryview(message)[client.sent :])
                client.sent += count
                if client.sent < len(message):
                    return
                client.queued -= len(message)
                client.queue.popleft()
                client.sent = 0

    def _drop(self, selector: selectors.BaseSelector, descriptor: int) -> None:
        with self._changed:
            client = self._clients.pop(descriptor)
            if self._closing:  # it did not take them in time; before, it left by itself
                client.dropped += len(client.queue)
                self.dropped += len(client.queue)
        selector.unregister(descriptor)
        with contextlib.suppress(OSError):
            client.socket.shutdown(socket.SHUT_WR)
        client.socket.close()


def _listen(host: str, port: int, *, insecure: bool) -> socket.socket:
    where = f"output 'tcp-listen://{host}:{port}'"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise SinkError(f"{where}: {getattr(error, 'strerror', None) or error}") from None
    family, _, _, _, address = found[0]
    if not insecure and not ipaddress.ip_address(str(address[0]).split("%")[0]).is_loopback:
        raise SinkError(
            f"{where}: other machines could connect, unencrypted; "
            "--insecure allows it, 127.0.0.1 is safe"
        )
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would let two servers share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(MAX_CLIENTS)
    except OSError as error:
        listener.close()
        raise SinkError(f"{where}: {error.strerror or error}") from None
    return listener
