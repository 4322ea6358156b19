"""What a monitor shows: the last seconds of each lead, and figures that run along."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from san_stream.flithos import RunningMean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from san_stream.decode import Decoder
    from san_stream.types import Signal, StreamInfo

LEVELS = "▁▂▃▄▅▆▇█"
SHOWN_SECONDS = 4.0


def sparkline(values: NDArray[np.float64], width: int) -> str:
    """A signal in `width` characters of eight heights.

    Each character shows the value of its stretch that lies farthest from the median of
    all, so that a narrow peak is not lost. NaN, where nothing is known, is a blank.

    Args:
        values: float64 ``[n]``; NaN where not valid.
        width: characters.
    """
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return " " * width
    middle, low, high = float(np.median(known)), float(known.min()), float(known.max())
    edges = np.linspace(0, len(values), width + 1).astype(int)
    out = []
    for a, b in pairwise(edges):
        part = values[a:b]
        part = part[np.isfinite(part)]
        if len(part) == 0:
            out.append(" ")
            continue
        value = float(part[np.argmax(np.abs(part - middle))])
        height = 0.5 if high == low else (value - low) / (high - low)
        out.append(LEVELS[min(int(height * len(LEVELS)), len(LEVELS) - 1)])
    return "".join(out)


@dataclass(slots=True)
class StreamWatch:
    """One stream as it comes.

    Attributes:
        info: rate and leads.
        samples, lost: samples a lead decoded, and in gaps.
        phi, phi_bits: running means over windows.
        delay: seconds since the newest sample was due. Samples are due at the pace of the
            stream's own rate, counted from the one that came earliest of all.
    """

    info: StreamInfo
    samples: int = 0
    lost: int = 0
    phi: RunningMean = field(default_factory=RunningMean)
    phi_bits: RunningMean = field(default_factory=RunningMean)
    _tail: deque[NDArray[np.float64]] = field(default_factory=deque)
    _held: int = 0
    _newest: float = 0.0  # seconds of signal at the newest sample
    _start: float = float("inf")  # of the clock, when sample 0 was due

    def take(self, signal: Signal, now: float) -> None:
        """Add a signal that came at `now`."""
        self.lost += sum(gap.count for gap in signal.gaps)
        for window in signal.windows:
            if any(window.valid):
                self.phi.update(window.phi)
                self.phi_bits.update(window.phi_bits)
        if len(signal) == 0:
            return
        self.samples += len(signal)
        rate = float(self.info.rate)
        self._newest = (signal.first_sample + len(signal)) / rate
        self._start = min(self._start, now - self._newest)
        self._tail.append(signal.samples)
        self._held += len(signal)
        wanted = int(SHOWN_SECONDS * rate) + 1
        while self._held - len(self._tail[0]) >= wanted:
            self._held -= len(self._tail.popleft())

    def delay(self, now: float) -> float | None:
        """Seconds, or None before the first sample."""
        return None if self.samples == 0 else now - self._start - self._newest

    def lines(self, width: int) -> list[tuple[str, str]]:
        """Name and sparkline of each lead."""
        wanted = int(SHOWN_SECONDS * float(self.info.rate)) + 1
        if not self._tail:
            return [(lead.name, " " * width) for lead in self.info.leads]
        values = np.concatenate(tuple(self._tail))[-wanted:]
        return [
            (lead.name, sparkline(values[:, i], width)) for i, lead in enumerate(self.info.leads)
        ]


@dataclass(slots=True)
class Watch:
    """All streams of one connection.

    Attributes:
        streams: by segment and number; an older segment makes room for a newer one.
        notices: the last words of the decoder.
    """

    decoder: Decoder
    streams: dict[int, StreamWatch] = field(default_factory=dict)
    notices: deque[str] = field(default_factory=lambda: deque(maxlen=3))
    _segments: dict[int, int] = field(default_factory=dict)

    def push(self, data: bytes, now: float) -> None:
        """Take bytes that came at `now`."""
        self._take(self.decoder.push(data), now)

    def close(self, now: float) -> None:
        """End of input."""
        self._take(self.decoder.close(), now)

    def _take(self, signals: list[Signal], now: float) -> None:
        for signal in signals:
            if self._segments.get(signal.stream) != signal.segment:
                self._segments[signal.stream] = signal.segment
                self.streams[signal.stream] = StreamWatch(signal.info)
            self.streams[signal.stream].take(signal, now)
            self.notices.extend(signal.notices)

    @property
    def ended(self) -> bool:
        """Whether every stream has said END."""
        streams = self.decoder.streams.values()
        return bool(streams) and all(stream.ended for stream in streams)

    @property
    def bits_per_sample(self) -> float | None:
        """All bits that came, over all samples decoded of all leads."""
        values = sum(s.samples * len(s.info.leads) for s in self.streams.values())
        return 8 * self.decoder.counters.bytes_in / values if values else None
