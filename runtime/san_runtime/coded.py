"""A recording as it came out of a decoder, whole: what tables and reports are made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from san_stream.flithos import RunningMean
from san_stream.profiles import Spikes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from san_stream.decode import Decoder
    from san_stream.kernels import KernelSet
    from san_stream.types import Signal, Spike, StreamInfo, Window


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """One stream, encoded and decoded again.

    Attributes:
        profile: its name, such as ``"lossless"``.
        info: rate and leads.
        first_sample: absolute index of row 0.
        digital: decoded ADC values, int32 ``[n, leads]``; what is missing is 0.
        valid: bool ``[n, leads]``; False where no true value is known.
        windows: quality figures, in order.
        spikes: as sent, in order of sample.
        kernels: kernel set of each lead; empty without spikes.
        tie: how kernels are placed.
        bits: all bits of the stream by purpose, see `Counters.bits`.
        digest_ok: the digest of END agrees with the decoded samples; None: cannot be told.
        delay: seconds of signal, see `san_runtime.demo.receive`; None: not measured.
    """

    profile: str
    info: StreamInfo
    first_sample: int
    digital: NDArray[np.int32]
    valid: NDArray[np.bool_]
    windows: tuple[Window, ...]
    spikes: tuple[Spike, ...]
    kernels: tuple[KernelSet, ...]
    tie: str
    bits: dict[str, int]
    digest_ok: bool | None
    delay: float | None = None

    @property
    def seconds(self) -> float:
        """Signal time."""
        return float(len(self.digital) / self.info.rate)

    @property
    def all_bits(self) -> int:
        """Every bit of the stream."""
        return sum(self.bits.values())

    @property
    def shown_windows(self) -> tuple[Window, ...]:
        """Windows with a signal: a window of trailing bits alone has no φ."""
        return tuple(window for window in self.windows if any(window.valid))

    def mean(self, name: str) -> float | None:
        """Mean over windows of ``"phi"``, ``"phi_bits"`` or ``"loss"``; None without any."""
        running = RunningMean()
        for window in self.shown_windows:
            running.update(getattr(window, name))
        return running.mean


@dataclass(slots=True)
class Collector:
    """Keeps what a decoder hands out of one stream.

    Attributes:
        samples: rows so far. rows, valid, firsts: the pieces and where they begin.
        windows, spikes: so far.
    """

    samples: int = 0
    info: StreamInfo | None = None
    rows: list[NDArray[np.int32]] = field(default_factory=list)
    valid: list[NDArray[np.bool_]] = field(default_factory=list)
    firsts: list[int] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    spikes: list[Spike] = field(default_factory=list)

    def take(self, signals: Iterable[Signal]) -> None:
        """Add signals, in order."""
        for signal in signals:
            self.info = signal.info
            self.windows += signal.windows
            self.spikes += signal.spikes
            if len(signal):
                self.samples += len(signal)
                self.firsts.append(signal.first_sample)
                self.rows.append(signal.digital)
                self.valid.append(signal.valid)

    def coded(self, decoder: Decoder, *, delay: float | None = None) -> Coded | None:
        """All of it as one piece, gaps filled with invalid rows; None without a sample.

        Args:
            decoder: closed; it decoded one stream.
            delay: as measured.
        """
        if self.info is None or not self.rows:
            return None
        first = self.firsts[0]
        length = self.firsts[-1] + len(self.rows[-1]) - first
        digital = np.zeros((length, len(self.info.leads)), np.int32)
        valid = np.zeros(digital.shape, np.bool_)
        for at, rows, known in zip(self.firsts, self.rows, self.valid, strict=True):
            digital[at - first : at - first + len(rows)] = rows
            valid[at - first : at - first + len(rows)] = known
        stream = decoder.streams[self.info.stream]
        profile = stream.header.profile
        kernels: tuple[KernelSet, ...] = ()
        tie = ""
        if isinstance(profile, Spikes):
            kernels = tuple(profile.kernels.sets[i] for i in stream.header.assignment)
            tie = profile.kernels.tie
        return Coded(
            profile=profile.name,
            info=self.info,
            first_sample=first,
            digital=digital,
            valid=valid,
            windows=tuple(self.windows),
            spikes=tuple(sorted(self.spikes)),
            kernels=kernels,
            tie=tie,
            bits=decoder.counters.bits,
            digest_ok=stream.digest_ok,
            delay=delay,
        )
