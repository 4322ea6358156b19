"""Files that stay readable, and a server that no client can hold up."""

from __future__ import annotations

import errno
import gc
import io
import os
import socket
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from san_runtime.encoder import Encoder
from san_runtime.sinks import is_live, open_sink, split_address
from san_runtime.sinks.catch_up import CatchUp
from san_runtime.sinks.file import FileSink, StdoutSink
from san_runtime.sinks.serve import ServingSink, _listen
from san_runtime.sinks.tcp import TcpSink
from san_stream.decode import Decoder
from san_stream.errors import SinkError
from san_stream.types import Event, Gap, Lead, StreamInfo

INFO = StreamInfo(Fraction(50), (Lead("a"), Lead("b")))


def encoded(blocks: int = 20, *, stream: int = 0) -> tuple[list[bytes], np.ndarray]:
    """Live messages of a random walk, and the samples."""
    info = StreamInfo(INFO.rate, INFO.leads, stream=stream)
    walk = np.random.default_rng(3).integers(-9, 10, size=(50 * blocks, 2)).cumsum(axis=0)
    samples = np.clip(walk, -2000, 2000).astype(np.int32)
    encoder = Encoder(info, block=50, reset=200)
    messages = []
    for at in range(0, len(samples), 50):
        messages += encoder.push(samples[at : at + 50])
    return messages + encoder.close(), samples


def receive(connection: socket.socket) -> bytes:
    """All bytes until the other end closes."""
    connection.settimeout(20)
    parts = []
    while data := connection.recv(65536):
        parts.append(data)
    connection.close()
    return b"".join(parts)


def descriptors() -> int:
    """Open file descriptors of this process, or skip."""
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("no /proc here")
    return len(list(folder.iterdir()))


def until(condition, seconds: float = 10.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)


class TestFile:
    def test_messages_are_there_as_soon_as_they_are_written(self, tmp_path):
        path = tmp_path / "x.san"
        with open_sink(f"file:{path}") as sink:
            sink.write(b"one")
            assert path.read_bytes() == b"one"
            sink.write(b"two")
            assert path.read_bytes() == b"onetwo"
        assert path.read_bytes() == b"onetwo"

    def test_a_bare_path_is_a_file(self, tmp_path):
        assert isinstance(open_sink(str(tmp_path / "x")), FileSink)

    def test_nothing_written_leaves_no_file(self, tmp_path):
        with open_sink(str(tmp_path / "x.san")) as sink:
            sink.write(b"")
        assert list(tmp_path.iterdir()) == []

    def test_exists(self, tmp_path):
        path = tmp_path / "x.san"
        path.write_bytes(b"old")
        with pytest.raises(SinkError, match="exists already; --force replaces it"):
            open_sink(str(path))
        assert path.read_bytes() == b"old"

    def test_made_by_another_between_opening_and_writing(self, tmp_path):
        path = tmp_path / "x.san"
        with open_sink(str(path)) as sink:
            path.write_bytes(b"other")
            with pytest.raises(SinkError, match="exists already"):
                sink.write(b"new")
        assert path.read_bytes() == b"other"

    def test_force_replaces_with_the_first_byte_and_not_before(self, tmp_path):
        path = tmp_path / "x.san"
        path.write_bytes(b"a long old content")
        with open_sink(str(path), force=True) as sink:
            assert path.read_bytes() == b"a long old content"
            sink.write(b"new")
        assert path.read_bytes() == b"new"

    def test_force_and_nothing_written_keeps_the_old_file(self, tmp_path):
        path = tmp_path / "x.san"
        path.write_bytes(b"old")
        with open_sink(str(path), force=True):
            pass
        assert path.read_bytes() == b"old"

    def test_an_error_in_between_keeps_what_was_written(self, tmp_path):
        path = tmp_path / "x.san"

        def fails():
            with open_sink(str(path)) as sink:
                sink.write(b"whole")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fails()
        assert path.read_bytes() == b"whole"

    def test_folder_missing_or_no_folder(self, tmp_path):
        (tmp_path / "file").write_bytes(b"")
        for path in (tmp_path / "gone" / "x.san", tmp_path / "file" / "x.san"):
            with pytest.raises(SinkError, match=r"no folder|Not a directory"):
                open_sink(str(path))

    def test_path_is_a_folder(self, tmp_path):
        with pytest.raises(SinkError, match="is a folder"):
            open_sink(str(tmp_path), force=True)

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write all")
    def test_no_permission(self, tmp_path):
        tmp_path.chmod(0o500)
        try:
            with pytest.raises(SinkError, match="no permission to write"):
                open_sink(str(tmp_path / "x.san"))
        finally:
            tmp_path.chmod(0o700)

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
    def test_disk_full(self):
        with open_sink("file:/dev/full") as sink, pytest.raises(SinkError, match="No space left"):
            sink.write(b"x")

    @pytest.mark.skipif(os.name != "posix", reason="file size limits are POSIX")
    def test_half_a_message_is_cut_back(self, tmp_path):
        import resource
        import signal

        path = tmp_path / "x.san"
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
            with open_sink(str(path)) as sink:
                sink.write(b"a" * 700)
                with pytest.raises(SinkError, match=r"x\.san"):
                    sink.write(b"b" * 700)
                assert path.read_bytes() == b"a" * 700
                sink.write(b"c" * 300)  # the next one fits
            assert path.read_bytes() == b"a" * 700 + b"c" * 300
            with open_sink(str(tmp_path / "y.san")) as sink, pytest.raises(SinkError):
                sink.write(b"b" * 2000)
            assert not (tmp_path / "y.san").exists()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)

    def test_no_descriptor_stays_open(self, tmp_path):
        before = descriptors()
        for i in range(20):
            with open_sink(str(tmp_path / f"{i}")) as sink:
                sink.write(b"x")
        assert descriptors() == before


class TestStdout:
    def test_bytes_are_written_through(self, monkeypatch):
        class Out(io.TextIOWrapper):
            pass

        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", Out(raw))
        with open_sink("-") as sink:
            assert isinstance(sink, StdoutSink)
            sink.write(b"\xd3\x00")
            assert raw.getvalue() == b"\xd3\x00"

    def test_a_terminal_is_refused(self, monkeypatch):
        class Out(io.TextIOWrapper):
            def isatty(self):
                return True

        monkeypatch.setattr(sys, "stdout", Out(io.BytesIO()))
        with pytest.raises(SinkError, match="terminal"):
            open_sink("-")


class TestTcp:
    def test_what_is_sent_arrives(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            received = []
            thread = threading.Thread(target=lambda: received.append(receive(server.accept()[0])))
            thread.start()
            with open_sink(f"tcp://127.0.0.1:{port}") as sink:
                sink.write(b"a" * 100000)
                sink.write(b"b")
            thread.join()
        assert received == [b"a" * 100000 + b"b"]

    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        with pytest.raises(SinkError, match=rf"tcp://127.0.0.1:{port}.*refused"):
            open_sink(f"tcp://127.0.0.1:{port}")

    def test_receiver_goes_away(self):
        def flood(sink):
            for _ in range(1000):
                sink.write(b"x" * 65536)

        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            TcpSink("127.0.0.1", server.getsockname()[1]) as sink,
        ):
            server.accept()[0].close()
            with pytest.raises(SinkError, match=r"tcp://127\.0\.0\.1"):
                flood(sink)


class TestServe:
    def test_clients_from_the_start_get_the_same_bytes(self):
        messages, _ = encoded()
        with ServingSink("127.0.0.1", 0) as sink:
            clients = [socket.create_connection(sink.address) for _ in range(3)]
            until(lambda: sink.clients == 3)
            for message in messages:
                sink.write(message)
        assert [receive(client) for client in clients] == [b"".join(messages)] * 3

    @pytest.mark.parametrize("at", range(0, 22, 3))
    def test_a_newcomer_decodes_from_the_last_reset_on(self, at):
        messages, samples = encoded()
        with ServingSink("127.0.0.1", 0) as sink:
            for message in messages[:at]:
                sink.write(message)
            client = socket.create_connection(sink.address)
            until(lambda: sink.clients == 1)
            for message in messages[at:]:
                sink.write(message)
        decoder = Decoder()
        signals = decoder.push(receive(client)) + decoder.close()
        rows = np.concatenate([signal.digital for signal in signals])
        first = next(signal.first_sample for signal in signals if len(signal))
        assert first == max(at - 2, 0) // 4 * 200  # a reset every 200 samples, a block each 50
        assert np.array_equal(rows, samples[first:])
        assert not [signal.gaps for signal in signals if signal.gaps]

    def test_two_streams_join_independently(self):
        one, samples_one = encoded(stream=0)
        two, samples_two = encoded(12, stream=4)
        with ServingSink("127.0.0.1", 0) as sink:
            for message in [*one[:9], *two[:5]]:
                sink.write(message)
            client = socket.create_connection(sink.address)
            until(lambda: sink.clients == 1)
            for message in [*two[5:], *one[9:]]:
                sink.write(message)
        decoder = Decoder()
        signals = decoder.push(receive(client)) + decoder.close()
        for stream, samples in ((0, samples_one), (4, samples_two)):
            rows = np.concatenate([s.digital for s in signals if s.stream == stream])
            assert np.array_equal(rows, samples[len(samples) - len(rows) :])

    def test_a_slow_client_loses_whole_messages_and_holds_nobody_up(self):
        messages, _ = encoded(8)
        flood = [messages[2]] * 200_000  # more than the system's own buffers hold
        with ServingSink("127.0.0.1", 0, max_queued=20000, close_seconds=10) as sink:
            slow = socket.create_connection(sink.address)
            until(lambda: sink.clients == 1)
            begin = time.monotonic()
            for message in flood:
                sink.write(message)
            took = time.monotonic() - begin
            until(lambda: sink.dropped > 0)
            dropped = sink.dropped
            received = []
            thread = threading.Thread(target=lambda: received.append(receive(slow)))
            thread.start()
        thread.join()
        assert took < 60  # whoever waits for the slow client waits for ever
        size = len(messages[2])
        # Every message that came is whole, and those that did not are counted.
        assert len(received[0]) % size == 0
        assert len(received[0]) // size + sink.dropped == len(flood)
        assert received[0] == messages[2] * (len(received[0]) // size)
        assert dropped > 0

    def test_a_client_that_leaves_or_talks_harms_nobody(self):
        messages, _ = encoded()
        with ServingSink("127.0.0.1", 0) as sink:
            stays, leaves = (socket.create_connection(sink.address) for _ in range(2))
            until(lambda: sink.clients == 2)
            stays.sendall(b"GET / HTTP/1.1\r\n\r\n" * 200)
            for message in messages[:5]:
                sink.write(message)
            leaves.close()
            until(lambda: sink.clients == 1)
            for message in messages[5:]:
                sink.write(message)
        assert receive(stays) == b"".join(messages)

    def test_more_clients_than_allowed_are_turned_away(self, monkeypatch):
        monkeypatch.setattr("san_runtime.sinks.serve.MAX_CLIENTS", 2)
        with ServingSink("127.0.0.1", 0) as sink:
            clients = [socket.create_connection(sink.address) for _ in range(3)]
            clients[2].settimeout(5)
            assert clients[2].recv(1) == b""
            assert sink.clients == 2
        for client in clients:
            client.close()

    def test_waiting_for_a_client(self):
        with ServingSink("127.0.0.1", 0) as sink:
            assert not sink.wait_for_client(0.01)
            with socket.create_connection(sink.address):
                assert sink.wait_for_client(5)

    def test_no_thread_and_no_descriptor_stays(self):
        gc.collect()
        before = threading.active_count(), descriptors()
        for _ in range(5):
            with ServingSink("127.0.0.1", 0) as sink, socket.create_connection(sink.address):
                sink.wait_for_client(5)
                sink.write(b"x")
            sink.close()  # a second time
            with pytest.raises(SinkError, match="is closed"):
                sink.write(b"x")
        assert (threading.active_count(), descriptors()) == before

    def test_a_peer_that_has_reset_already_harms_nobody(self, monkeypatch):
        class Listener:
            """Hands out one connection whose options cannot be set any more."""

            def __init__(self, listener):
                self.listener = listener
                self.gone = []

            def accept(self):
                connection, address = self.listener.accept()
                if not self.gone:
                    self.gone.append(connection)
                    connection.close()  # setting an option on it is an error from here on
                return connection, address

            def __getattr__(self, name):
                return getattr(self.listener, name)

        wrapped = []

        def listen(*args, **options):
            wrapped.append(Listener(_listen(*args, **options)))
            return wrapped[0]

        monkeypatch.setattr("san_runtime.sinks.serve._listen", listen)
        messages, _ = encoded()
        with ServingSink("127.0.0.1", 0) as sink:
            socket.create_connection(sink.address).close()
            until(lambda: wrapped[0].gone)
            client = socket.create_connection(sink.address)
            until(lambda: sink.clients == 1)
            for message in messages:
                sink.write(message)
        assert receive(client) == b"".join(messages)

    def test_no_descriptor_left_is_waited_out_without_spinning(self, monkeypatch):
        """As the system says it when a process may open no more."""
        real, refused = socket.socket.accept, []

        def accept(listener):
            if len(refused) < 3:
                refused.append(time.monotonic())
                raise OSError(errno.EMFILE, "Too many open files")
            return real(listener)

        monkeypatch.setattr(socket.socket, "accept", accept)
        messages, _ = encoded()
        with ServingSink("127.0.0.1", 0) as sink:
            client = socket.create_connection(sink.address)
            until(lambda: sink.clients == 1)
            assert refused[2] - refused[0] > 0.3  # it paused after each
            for message in messages:
                sink.write(message)
        assert receive(client) == b"".join(messages)

    def test_a_dead_serving_thread_is_told(self, monkeypatch):
        def fails(self, selector):
            raise OSError(9, "Bad file descriptor")

        with ServingSink("127.0.0.1", 0) as sink:
            client = socket.create_connection(sink.address)
            until(lambda: sink.clients == 1)
            monkeypatch.setattr(ServingSink, "_watch", fails)
            assert receive(client) == b""  # it is not left hanging
            with pytest.raises(SinkError, match=r"serving has ended: .*Bad file descriptor"):
                sink.write(b"x")
            with pytest.raises(SinkError, match="serving has ended"):
                sink.wait_for_client(5)

    @pytest.mark.parametrize("host", ["0.0.0.0", "::"])
    def test_beyond_loopback_needs_insecure(self, host):
        with pytest.raises(SinkError, match="--insecure"):
            ServingSink(host, 0)
        if host == "0.0.0.0":
            with ServingSink(host, 0, insecure=True) as sink:
                assert sink.address[1] > 0

    def test_port_taken(self):
        with (
            ServingSink("127.0.0.1", 0) as sink,
            pytest.raises(SinkError, match=f"{sink.address[1]}.*in use"),
        ):
            ServingSink(*sink.address)


class TestCatchUp:
    def test_header_alone_where_a_reset_is_too_far_back(self, monkeypatch):
        monkeypatch.setattr("san_runtime.sinks.catch_up.MAX_BYTES", 150)
        messages, samples = encoded()
        catch_up = CatchUp()
        for message in messages[:13]:  # the HEADER and blocks 0 to 11
            catch_up.add(message)
        handed = catch_up.messages()
        assert len(handed) == 1
        decoder = Decoder()
        signals = decoder.push(b"".join([*handed, *messages[13:]])) + decoder.close()
        rows = np.concatenate([signal.digital for signal in signals])
        assert np.array_equal(rows, samples[600:])

    def test_positions_are_followed_through_gaps_and_counter_wraps(self):
        encoder = Encoder(INFO, block=1, reset=10)
        catch_up = CatchUp()
        ones = np.ones((10, 2), np.int32)
        items = [ones, Gap(10, 200_000), Event(200_010, "N"), ones, ones]
        for item in items:
            for message in encoder.push(item):
                catch_up.add(message)
        decoder = Decoder()
        signals = decoder.push(b"".join(catch_up.messages()))
        assert next(signal.first_sample for signal in signals if len(signal)) == 200_020
        assert sum(map(len, signals)) == 10

    def test_noise_and_unknown_kinds_are_ignored(self):
        catch_up = CatchUp()
        for data in (b"", b"noise", b"\xd3" * 50):
            catch_up.add(data)
        assert catch_up.messages() == []


class TestAddresses:
    def test_schemes(self):
        assert is_live("tcp://a:1")
        assert is_live("tcp-listen://a:1")
        assert is_live("-")
        assert not is_live("file:x")
        assert not is_live("x.san")

    @pytest.mark.parametrize(
        ("url", "address"),
        [
            ("tcp://localhost:7", ("localhost", 7)),
            ("tcp-listen://[::1]:8", ("::1", 8)),
            ("tcp-listen://:9", ("127.0.0.1", 9)),
        ],
    )
    def test_split(self, url, address):
        assert split_address(url) == address

    @pytest.mark.parametrize(
        "url", ["tcp://host", "tcp:host:5", "tcp://h:x", "tcp://h:99999", "tcp://h:1/path"]
    )
    def test_bad_addresses(self, url):
        with pytest.raises(SinkError, match="address"):
            open_sink(url)

    @pytest.mark.parametrize("url", ["udp://h:1", "lsl:x"])
    def test_unknown_schemes(self, url):
        with pytest.raises(SinkError, match="unknown scheme"):
            open_sink(url)

    def test_host_that_does_not_exist(self):
        with pytest.raises(SinkError, match=r"nowhere\.invalid"):
            open_sink("tcp-listen://nowhere.invalid:1")
