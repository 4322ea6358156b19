"""A consumer of a live stream: connects, decodes, prints φ and what was lost.

    san-stream replay mitdb/100 --to tcp-listen://127.0.0.1:7700 --wait
    python examples/monitor.py 127.0.0.1 7700

Needs `san_stream` alone, which needs nothing but NumPy.
"""

from __future__ import annotations

import socket
import sys

from san_stream import Decoder
from san_stream.flithos import RunningMean


def main(host: str, port: int) -> int:
    """Follow the stream until its sender ends it; 1 if anything was lost."""
    decoder = Decoder()
    phi, phi_bits = RunningMean(), RunningMean()
    samples = lost = 0
    with socket.create_connection((host, port), timeout=10) as connection:
        connection.settimeout(None)
        data = connection.recv(65536)
        while True:
            # No bytes: the sender has gone, and close() hands out what is left.
            for signal in decoder.push(data) if data else decoder.close():
                samples += len(signal)
                lost += sum(gap.count for gap in signal.gaps)
                for window in signal.windows:
                    if not any(window.valid):
                        continue  # the bits of the stream's end, without a signal
                    phi.update(window.phi)
                    phi_bits.update(window.phi_bits)
                    print(
                        f"window {window.index}: φ {shown(phi.mean)}  "
                        f"φ_bits {shown(phi_bits.mean)}  lost {lost}",
                        flush=True,
                    )
                # Here an application would use signal.samples, float64 [n, leads].
            if not data:
                break
            data = connection.recv(65536)
    print(f"{samples} samples a lead, {lost} lost")
    return 1 if lost else 0


def shown(value: float | None) -> str:
    """A mean, or a dash before there is one (φ counts spikes: lossless has none)."""
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python monitor.py HOST PORT")
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
