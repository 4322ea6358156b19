"""What a stream file holds, and where its bytes went."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from san_runtime.files import all_streams, damage_of, make_decoder, read_signals
from san_stream.flithos import RunningMean
from san_stream.profiles import Bounded, Lossless, Quality, Spikes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from san_stream.headers import Header
    from san_stream.stream_decoder import StreamDecoder
    from san_stream.types import Lead, Signal, Window


@dataclass(slots=True)
class StreamFigures:
    """Sums over the signals of one stream.

    Attributes:
        valid: valid samples a lead. low, high: their extremes a lead.
        gaps, missing: gaps and the samples in them (lost ones included).
        windows: with figures. bits, raw_bits: of all windows.
        phi, phi_bits, loss: running means over windows.
        spikes: all leads together.
    """

    valid: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    samples: int = 0
    gaps: int = 0
    missing: int = 0
    events: int = 0
    windows: int = 0
    spikes: int = 0
    bits: int = 0
    raw_bits: int = 0
    phi: RunningMean = field(default_factory=RunningMean)
    phi_bits: RunningMean = field(default_factory=RunningMean)
    loss: RunningMean = field(default_factory=RunningMean)

    @classmethod
    def of(cls, leads: int) -> StreamFigures:
        """Nothing yet, for this many leads."""
        return cls(
            np.zeros(leads, np.int64), np.full(leads, 2**31, np.int64), -np.full(leads, 2**31)
        )

    def take(self, signal: Signal) -> None:
        """Add one signal."""
        self.samples += len(signal)
        self.events += len(signal.events)
        self.gaps += len(signal.gaps)
        self.missing += sum(gap.count for gap in signal.gaps)
        if len(signal):
            self.valid += signal.valid.sum(axis=0)
            digital = signal.digital.astype(np.int64)
            self.low = np.minimum(self.low, np.where(signal.valid, digital, 2**31).min(axis=0))
            self.high = np.maximum(self.high, np.where(signal.valid, digital, -(2**31)).max(axis=0))
        for window in signal.windows:
            self.add_window(window)

    def add_window(self, window: Window) -> None:
        """Add the figures of one window."""
        self.bits += window.bits
        self.raw_bits += window.raw_bits
        self.spikes += sum(window.spikes)
        if not any(window.valid):
            return  # overhead behind the last window: bits without a signal
        self.windows += 1
        self.phi.update(window.phi)
        self.phi_bits.update(window.phi_bits)
        self.loss.update(window.loss)


def inspect(path: str, *, progress: Callable[[float], object] | None = None) -> dict[str, Any]:
    """Decode a file and report on it, as JSON would have it.

    Args:
        path: stream file, or ``-``.
        progress: called with the bytes read.

    Returns:
        ``bytes`` (of the file), ``bits`` (by purpose; they sum to 8 · bytes),
        ``bits_per_sample``, ``compression_ratio``, ``damage`` and ``streams``.

    Raises:
        FormatError: not a stream file.
        SourceError: the file cannot be read.
    """
    decoder = make_decoder()
    figures: dict[tuple[int, int], StreamFigures] = {}
    for signal in read_signals(path, decoder, progress=progress):
        key = (signal.segment, signal.stream)
        figures.setdefault(key, StreamFigures.of(len(signal.info.leads))).take(signal)
    counters = decoder.counters
    bits = dict(counters.bits)
    bits["container"] -= counters.header_bits
    bits["header"] = counters.header_bits
    streams = all_streams(decoder)
    values = raw = 0
    reports = []
    for stream in streams:
        leads = stream.header.info.leads
        key = (stream.segment, stream.header.info.stream)
        found = figures.get(key) or StreamFigures.of(len(leads))
        values += found.samples * len(leads)
        raw += found.samples * stream.header.info.raw_bits
        reports.append(_stream_report(stream, found))
    return {
        "file": path,
        "bytes": counters.bytes_in,
        "messages": counters.messages,
        "bits": bits,
        "bits_per_sample": 8 * counters.bytes_in / values if values else None,
        "compression_ratio": raw / (8 * counters.bytes_in) if counters.bytes_in else None,
        "damage": damage_of(path, decoder),
        "streams": reports,
    }


def _stream_report(stream: StreamDecoder, found: StreamFigures) -> dict[str, Any]:
    header = stream.header
    info = header.info
    profile: dict[str, Any] = {"name": header.profile.name, **_settings(header)}
    if isinstance(header.profile, Spikes):
        kernels = header.profile.kernels
        profile["kernels_hash"] = kernels.content_hash
        profile["kernel_sets"] = len(kernels.sets)
        profile["taps"] = [s.weights for s in kernels.sets]
        profile["set_of_lead"] = list(header.assignment)
        profile["spikes"] = found.spikes
        profile["spikes_per_second"] = (
            found.spikes / float(found.samples / info.rate) if found.samples else None
        )
    return {
        "segment": stream.segment,
        "stream": info.stream,
        "rate": float(info.rate),
        "rate_fraction": [info.rate.numerator, info.rate.denominator],
        "origin": None if info.origin is None else info.origin.isoformat(),
        "profile": profile,
        "block": header.block,
        "window": header.window,
        "first_sample": header.start,
        "samples": found.samples,
        "seconds": float((stream.position - header.start) / info.rate),
        "gaps": found.gaps,
        "missing_samples": found.missing,
        "lost_samples": stream.lost,
        "events": found.events,
        "ended": stream.ended,
        "digest_ok": stream.digest_ok,
        "windows": found.windows,
        "windows_without_signal": found.phi_bits.skipped,
        "windows_lost": stream.ledger.lost,
        "window_bits": found.bits,
        "phi": found.phi.mean,
        "phi_bits": found.phi_bits.mean,
        "loss": found.loss.mean,
        "leads": [_lead_report(lead, i, found) for i, lead in enumerate(info.leads)],
    }


def _settings(header: Header) -> dict[str, Any]:
    """What the header says of the profile, but for kernels."""
    profile = header.profile
    if isinstance(profile, Lossless):
        return {"preset": profile.preset}
    if isinstance(profile, Bounded):
        own: dict[str, Any] = {"max_error": list(profile.errors(len(header.info.leads)))}
        return own | ({"preset": profile.preset} if profile.predicted else {})
    if isinstance(profile, Quality):
        aim, value = profile.aim
        return {"aim": aim, aim: value}
    return {}


def _lead_report(lead: Lead, index: int, found: StreamFigures) -> dict[str, Any]:
    valid = int(found.valid[index])
    return {
        "name": lead.name,
        "unit": lead.unit,
        "gain": lead.gain,
        "baseline": lead.baseline,
        "bits": lead.bits,
        "valid_samples": valid,
        "minimum": int(found.low[index]) if valid else None,
        "maximum": int(found.high[index]) if valid else None,
    }
