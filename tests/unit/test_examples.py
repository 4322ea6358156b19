"""The examples run as they are."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from san_runtime.encoder import Encoder
from san_stream.kernels import Kernel, Kernels, KernelSet
from san_stream.profiles import Lossless, Spikes
from san_stream.types import Lead, StreamInfo

ROOT = Path(__file__).resolve().parents[2]
MONITOR = ROOT / "examples" / "monitor.py"
TAPS = (-1, -4, 10, -4, -1)
KERNELS = Kernels((KernelSet((Kernel(TAPS, 5),), scale=3, step=0),), rate=Fraction(100))


def messages(profile) -> list[bytes]:
    """Three windows of a live stream, one message a second."""
    encoder = Encoder(StreamInfo(Fraction(100), (Lead("I"),)), profile, window=200)
    samples = np.zeros((600, 1), np.int32)
    samples[::40] = 300
    out = []
    for at in range(0, 600, 50):
        out += encoder.push(samples[at : at + 50])
    return out + encoder.close()


def consume(sent: list[bytes]) -> subprocess.CompletedProcess:
    """Run the example on a server that sends these messages; san_stream alone is importable."""

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            for message in sent:
                connection.sendall(message)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            return subprocess.run(
                [sys.executable, str(MONITOR), "127.0.0.1", str(server.getsockname()[1])],
                capture_output=True, text=True, timeout=60, check=False, encoding="utf-8",
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
            )  # fmt: skip
        finally:
            thread.join()


class TestMonitor:
    def test_is_at_most_sixty_lines_of_san_stream_and_the_standard_library(self):
        text = MONITOR.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 60
        imports = [line.split()[1] for line in text.splitlines() if line.startswith(("im", "from"))]
        assert {name.partition(".")[0] for name in imports} == {
            "__future__", "socket", "sys", "san_stream",
        }  # fmt: skip

    @pytest.mark.parametrize("profile", [Lossless(), Spikes(KERNELS)])
    def test_prints_phi_of_each_window_and_what_was_lost(self, profile):
        done = consume(messages(profile))
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert len(lines) == 4
        for index, line in enumerate(lines[:3]):
            assert line.startswith(f"window {index}: φ ")
            assert ("φ -" in line) == isinstance(profile, Lossless)
            assert line.endswith("lost 0")
        assert lines[3] == "600 samples a lead, 0 lost"

    def test_a_lost_message_is_told(self):
        sent = messages(Lossless())
        done = consume(sent[:3] + sent[4:])
        assert done.returncode == 1
        assert done.stdout.splitlines()[-1].endswith(" lost")
        assert " 0 lost" not in done.stdout.splitlines()[-1]

    def test_usage(self):
        done = subprocess.run(
            [sys.executable, str(MONITOR)], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 1
        assert done.stderr.startswith("usage:")
