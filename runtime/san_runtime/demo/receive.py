"""The decoder of the demo: follows the socket and keeps what comes."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from san_runtime.coded import Collector
from san_runtime.feeds import open_feed
from san_runtime.files import make_decoder
from san_stream import metrics
from san_stream.errors import SourceError
from san_stream.flithos import RunningMean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from san_runtime.coded import Coded
    from san_stream.types import Signal, StreamInfo

SHOWN_SECONDS = 4.0


class Receiver:
    """One stream as it comes, with figures that run along.

    The delay of a message is the age of its oldest sample when it is decoded, in seconds of
    the signal: the time of that sample, taken off how far the record has been played.

    Attributes:
        info: rate and leads.
        decoder: the decoder behind it.
        collector: all that it gave.
        phi, phi_bits: running means over windows.
        delay: of the last message; None before the first and without a pace.
    """

    def __init__(self, original: NDArray[np.int32], info: StreamInfo, speed: float | None) -> None:
        """Expect a recording.

        Args:
            original: what is encoded, int32 ``[n, leads]``, for PRDN.
            info: rate and leads.
            speed: seconds of signal in a second; None: without a pace.
        """
        self.info = info
        self.decoder = make_decoder()
        self.collector = Collector()
        self.phi, self.phi_bits = RunningMean(), RunningMean()
        self.delay: float | None = None
        self._delays: list[float] = []
        self._original = original.astype(np.float64)
        self._speed = speed

    def follow(self, url: str) -> Iterator[None]:
        """Decode what comes from an address, to its end; yields whenever there is news."""
        start = time.monotonic()  # the encoder waits for the connection, then plays at once
        for data in open_feed(url):
            if data:
                signals = self.decoder.push(data)
                self._take(signals, time.monotonic() - start)
                yield
        self._take(self.decoder.close(), time.monotonic() - start)
        yield

    def _take(self, signals: list[Signal], elapsed: float) -> None:
        self.collector.take(signals)
        for signal in signals:
            for window in signal.windows:
                if any(window.valid):
                    self.phi.update(window.phi)
                    self.phi_bits.update(window.phi_bits)
            if len(signal) and self._speed is not None:
                taken = float(signal.first_sample / self.info.rate)
                self.delay = elapsed * self._speed - taken
                self._delays.append(self.delay)

    @property
    def seconds(self) -> float:
        """Signal time so far."""
        return float(self.collector.samples / self.info.rate)

    @property
    def complete(self) -> bool:
        """Whether all samples have come."""
        return self.collector.samples >= len(self._original)

    @property
    def bits_per_sample(self) -> float:
        """All bits that came, over the samples of all leads."""
        values = self.collector.samples * len(self.info.leads)
        return metrics.bits_per_sample(8 * self.decoder.counters.bytes_in, values)

    @property
    def ratio(self) -> float | None:
        """CR: bits at the ADC's resolution over all bits that came; None before a sample."""
        raw = self.collector.samples * self.info.raw_bits
        if raw == 0:
            return None
        return metrics.compression_ratio(raw, 8 * self.decoder.counters.bytes_in)

    @property
    def prdn(self) -> float | None:
        """PRDN of the samples so far in percent, mean over leads."""
        count = min(self.collector.samples, len(self._original))
        if count == 0:
            return None
        decoded = np.concatenate(self.collector.rows)[:count]
        leads = range(decoded.shape[1])
        values = [metrics.prdn(self._original[:count, i], decoded[:, i]) for i in leads]
        return float(np.mean(values))

    @property
    def spikes_per_second(self) -> float | None:
        """Of all leads; None before the first sample and without spikes."""
        if not self.collector.spikes or not self.collector.samples:
            return None
        return len(self.collector.spikes) / self.seconds

    def tail(self) -> NDArray[np.float64]:
        """The last seconds of the first lead, float64 ``[n]``."""
        wanted = int(SHOWN_SECONDS * self.info.rate) + 1
        pieces: list[NDArray[np.int32]] = []
        held = 0
        for rows in reversed(self.collector.rows):
            pieces.insert(0, rows[:, 0])
            held += len(rows)
            if held >= wanted:
                break
        return np.concatenate(pieces)[-wanted:].astype(np.float64) if pieces else np.zeros(0)

    def result(self) -> Coded:
        """The whole recording, decoded.

        Raises:
            SourceError: nothing came, or not all of it.
        """
        delay = median(self._delays) if self._delays else None
        coded = self.collector.coded(self.decoder, delay=delay)
        if coded is None or coded.digital.shape != self._original.shape:
            raise SourceError(
                f"decoder: {self.collector.samples} samples came, "
                f"{len(self._original)} were expected"
            )
        return coded
