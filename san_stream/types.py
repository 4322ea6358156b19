"""The values that pass between sources, encoder, decoder and applications.

Arrays are time-major, ``[samples, leads]``. Positions are absolute sample indices
(int64) on the device's own unwrapped counter. Nothing here does any work beyond
checking itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from san_stream.errors import SampleError, SettingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
MAX_LEADS = 255
MAX_STREAMS = 256
MAX_POSITION = 2**62
MAX_NAME_BYTES = 64
MAX_UNIT_BYTES = 16
MAX_EVENT_TEXT_BYTES = 1024
NEW_KERNEL = 8
"""Number of a beat whose shape was not known yet (docs/format-transform.md)."""


MAX_RATE_PART = 2**31 - 1


def as_rate(value: Fraction | float) -> Fraction:
    """The nearest fraction whose parts fit the wire (each below 2^31), as samples a second.

    Raises:
        SettingError: not above 0, or not below 2^31.
    """
    try:
        exact = Fraction(value)
    except (ValueError, OverflowError):  # NaN, infinity
        raise SettingError(f"rate {value} Hz: must be a finite number") from None
    rate = Fraction(0)
    if 0 < exact < 2**31:
        rate = exact.limit_denominator(max(MAX_RATE_PART // (int(exact) + 1), 1))
    if rate == 0:
        raise SettingError(f"rate {value} Hz: must be above 0 and below 2^31")
    return rate


def check_text(what: str, text: str, limit: int) -> None:
    """Refuse text that is too long for the wire or that could not be printed."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > limit:
        raise SettingError(f"{what} {text[:40]!r}: {size} bytes, at most {limit} are allowed")
    if not text.isprintable():
        raise SettingError(f"{what} {text[:40]!r}: only printable characters are allowed")


@dataclass(frozen=True, slots=True)
class Lead:
    """One signal of a stream: its name and how its integers map to physical units.

    ``physical = (digital - baseline) / gain``, in `unit` (WFDB's convention).

    Attributes:
        name: as in the record, e.g. ``"MLII"``; at most 64 bytes of UTF-8.
        unit: physical unit, e.g. ``"mV"``; at most 16 bytes of UTF-8.
        gain: ADC units per physical unit; finite, not 0 (negative: inverted lead).
        baseline: ADC value of physical zero, int32.
        bits: declared ADC resolution, 1 to 32; "raw bits" in every ratio means this.
        minimum, maximum: ADC values that a sample can take (the storage range), int32.
        invalid: ADC value by which the source marks a missing sample, or None.
    """

    name: str
    unit: str = "mV"
    gain: float = 200.0
    baseline: int = 0
    bits: int = 16
    minimum: int = -(2**15)
    maximum: int = 2**15 - 1
    invalid: int | None = None

    def __post_init__(self) -> None:
        check_text("lead name", self.name, MAX_NAME_BYTES)
        check_text("unit", self.unit, MAX_UNIT_BYTES)
        if not isfinite(self.gain) or self.gain == 0:
            raise SettingError(f"lead {self.name!r}: gain {self.gain} must be finite and not 0")
        if not 1 <= self.bits <= 32:
            raise SettingError(f"lead {self.name!r}: resolution {self.bits} bits, must be 1 to 32")
        for what, value in (
            ("baseline", self.baseline),
            ("minimum", self.minimum),
            ("maximum", self.maximum),
            ("invalid value", self.invalid),
        ):
            if value is not None and not INT32_MIN <= value <= INT32_MAX:
                raise SettingError(f"lead {self.name!r}: {what} {value} is outside int32")
        if self.minimum > self.maximum:
            raise SettingError(
                f"lead {self.name!r}: minimum {self.minimum} is above maximum {self.maximum}"
            )

    def to_physical(self, digital: NDArray[np.int32]) -> NDArray[np.float64]:
        """Digital samples of this lead in physical units, float64, same shape."""
        return (digital.astype(np.float64) - self.baseline) / self.gain


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a source says of one stream: its rate and its leads.

    Attributes:
        rate: samples a second of each lead, an exact fraction, above 0.
        leads: 1 to 255 leads; all are sampled together.
        origin: UTC time of sample 0, or None where it is not known.
        stream: 0 to 255; tells apart the streams of one file or connection.
    """

    rate: Fraction
    leads: tuple[Lead, ...]
    origin: datetime | None = None
    stream: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", as_rate(self.rate))
        object.__setattr__(self, "leads", tuple(self.leads))
        if not 1 <= len(self.leads) <= MAX_LEADS:
            raise SettingError(f"{len(self.leads)} leads: a stream has 1 to {MAX_LEADS}")
        if not 0 <= self.stream < MAX_STREAMS:
            raise SettingError(f"stream {self.stream}: must be 0 to {MAX_STREAMS - 1}")
        if self.origin is not None:
            if self.origin.tzinfo is None:
                raise SettingError(f"origin {self.origin}: needs a time zone (UTC)")
            object.__setattr__(self, "origin", self.origin.astimezone(UTC))

    @property
    def raw_bits(self) -> int:
        """Bits of one sample of all leads at the declared ADC resolution."""
        return sum(lead.bits for lead in self.leads)


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Consecutive samples of one stream, as a source hands them over.

    Attributes:
        first_sample: absolute index of row 0.
        samples: int32 ``[n, leads]``, n >= 0.
        valid: bool ``[n, leads]``; False where the lead gave no value. None: all valid.
        stream: which stream of the source.
    """

    first_sample: int
    samples: NDArray[np.int32]
    valid: NDArray[np.bool_] | None = None
    stream: int = 0

    def __post_init__(self) -> None:
        if self.samples.ndim != 2:
            raise SampleError(f"samples have shape {self.samples.shape}, expected [n, leads]")
        if self.valid is not None and self.valid.shape != self.samples.shape:
            raise SampleError(
                f"valid has shape {self.valid.shape}, samples have {self.samples.shape}"
            )
        if self.valid is not None and self.valid.dtype != np.bool_:
            raise SampleError(f"valid is {self.valid.dtype}, expected bool")

    def __len__(self) -> int:
        return len(self.samples)


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples that do not exist: lost, or not decodable. They are never invented.

    Attributes:
        first: absolute index of the first missing sample.
        count: how many, at least 1.
        reason: one word or a short phrase, e.g. ``"lost"``, ``"disconnected"``.
        stream: which stream.
        damage: the samples were sent, and this decoder could not get at them; else the
            source never had them.
    """

    first: int
    count: int
    reason: str = "lost"
    stream: int = 0
    damage: bool = False

    def __post_init__(self) -> None:
        check_text("gap reason", self.reason, MAX_NAME_BYTES)
        if not 0 <= self.first < MAX_POSITION or not 1 <= self.count < MAX_POSITION:
            raise SampleError(
                f"gap of {self.count} samples at {self.first}: "
                "first must be 0 or more, count 1 or more, both below 2^62"
            )


@dataclass(frozen=True, slots=True)
class Event:
    """An annotation (WFDB's fields): a beat, a rhythm change, a note.

    Attributes:
        sample: absolute sample index.
        symbol: WFDB annotation symbol, e.g. ``"N"``; at most 8 bytes.
        lead: index of the lead it belongs to, or -1 for all.
        subtype, num: WFDB's small integers, -128 to 127.
        duration: in samples, 0 for a moment.
        text: free note; at most 1,024 bytes. It travels in the stream.
        stream: which stream.
    """

    sample: int
    symbol: str
    lead: int = -1
    subtype: int = 0
    num: int = 0
    duration: int = 0
    text: str = ""
    stream: int = 0

    def __post_init__(self) -> None:
        check_text("event symbol", self.symbol, 8)
        check_text("event text", self.text, MAX_EVENT_TEXT_BYTES)
        if not 0 <= self.sample < MAX_POSITION or not 0 <= self.duration < MAX_POSITION:
            raise SampleError(
                f"event at {self.sample} for {self.duration} samples: both must be 0 to 2^62"
            )
        if not -1 <= self.lead < MAX_LEADS:
            raise SettingError(f"event lead {self.lead}: must be -1 to {MAX_LEADS - 1}")
        for what, value in (("subtype", self.subtype), ("num", self.num)):
            if not -128 <= value <= 127:
                raise SettingError(f"event {what} {value}: must be -128 to 127")


class Spike(NamedTuple):
    """One spike of the sparse code, as it was sent.

    Attributes:
        sample: absolute index of the sample that it lies on.
        lead: index of its lead.
        kernel: index of its kernel in the kernel set of that lead.
        amplitude: α as an integer, in units of 2^step of the similarity (`KernelSet.step`).
    """

    sample: int
    lead: int
    kernel: int
    amplitude: int


class Beat(NamedTuple):
    """One spike of a kernel that was adapted to the signal: where a known shape occurs.

    Attributes:
        position: absolute, in samples and quarters of one; the same place of the shape each
            time, on ECG within some 25 ms of the R wave.
        lead: index of its lead.
        kernel: which of the lead's shapes, 0 to 7; None for one that was not known yet.
        gain: its size, in units of the shape's own.
    """

    position: float
    lead: int
    kernel: int | None
    gain: float


@dataclass(frozen=True, slots=True)
class Window:
    """The quality figures of one window (windows tile the absolute sample index).

    Tuples have one entry a lead. φ = √(CR⁻¹² + L̃²), Bizopoulos & Koutsouris, eq. 4-6.

    Attributes:
        index: window number; it starts at sample ``index * length``.
        first_sample, length: its place (the stream's last window may hold fewer samples).
        bits: bits on the wire, all of them, prorated by samples; windows sum to the file.
        raw_bits: bits of its valid samples at the declared ADC resolution.
        valid: valid samples a lead.
        losses: L̃ = Σ|x − x̂| / Σ|x − b| a lead, None where the lead has no signal.
        spikes: spikes a lead (positions in this window); empty tuple without spikes.
        weights: kernel taps a lead, charged in full in each window; empty without spikes.
    """

    index: int
    first_sample: int
    length: int
    bits: int
    raw_bits: int
    valid: tuple[int, ...]
    losses: tuple[float | None, ...]
    spikes: tuple[int, ...] = ()
    weights: tuple[int, ...] = ()

    @property
    def loss(self) -> float | None:
        """Mean of the leads' L̃; None where no lead has a signal."""
        known = [x for x in self.losses if x is not None]
        return sum(known) / len(known) if known else None

    @property
    def phis(self) -> tuple[float | None, ...]:
        """φ by the paper's count a lead: CR⁻¹ = (W + 2A) / n; empty without spikes."""
        from san_stream.flithos import flithos, inverse_ratio

        return tuple(
            None if loss is None else flithos(inverse_ratio(weights, spikes, n), loss)
            for loss, weights, spikes, n in zip(
                self.losses, self.weights, self.spikes, self.valid, strict=False
            )
        )

    @property
    def phi(self) -> float | None:
        """Mean of the leads' φ (paper's count); None without spikes or signal."""
        known = [x for x in self.phis if x is not None]
        return sum(known) / len(known) if known else None

    @property
    def phi_bits(self) -> float | None:
        """φ with CR⁻¹ = bits on the wire / raw bits; None where there is no signal."""
        from san_stream.flithos import flithos

        loss = self.loss
        if loss is None or self.raw_bits == 0:
            return None
        return flithos(self.bits / self.raw_bits, loss)


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """What the decoder hands out: samples in order, and what it can say about them.

    Attributes:
        info: the stream's rate and leads.
        first_sample: absolute index of row 0.
        digital: int32 ``[n, leads]``; n may be 0 (news without samples).
        valid: bool ``[n, leads]``; False where no true value is known.
        gaps: what is missing right before `first_sample`, in order.
        windows: windows that this piece completes.
        events: annotations that came with it.
        code: int64 ``[k, 4]``, the spikes whose kernels begin in its samples, a lead and
            kernel after the other: position, lead, kernel, amplitude (see `Spike`).
        beat_code: int64 ``[k, 5]``, spikes of adapted kernels (quality; bounded above 2): sample,
            quarter, lead, kernel (8: new), amplitude in 1/16 octave. See `beats`.
        notices: what else the decoder met (damage, duplicates, unknown kinds), in words.
        segment: 0, 1, ...: counts the streams of this number that began (``cat a b``).
    """

    info: StreamInfo
    first_sample: int
    digital: NDArray[np.int32]
    valid: NDArray[np.bool_]
    gaps: tuple[Gap, ...] = ()
    windows: tuple[Window, ...] = ()
    events: tuple[Event, ...] = ()
    notices: tuple[str, ...] = ()
    segment: int = 0
    code: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 4), np.int64))
    beat_code: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 5), np.int64))

    @property
    def spikes(self) -> tuple[Spike, ...]:
        """The sparse code, spike by spike; empty in a profile without spikes."""
        return tuple(Spike(*row) for row in self.code.tolist())

    @property
    def beats(self) -> tuple[Beat, ...]:
        """Where adapted kernels occur: in these samples, or a little before or behind them."""
        return tuple(
            Beat(
                at + quarter / 4, lead, None if kernel == NEW_KERNEL else kernel, 2.0 ** (size / 16)
            )
            for at, quarter, lead, kernel, size in self.beat_code.tolist()
        )

    @property
    def stream(self) -> int:
        """Number of the stream, 0 to 255."""
        return self.info.stream

    @property
    def samples(self) -> NDArray[np.float64]:
        """Physical values, float64 ``[n, leads]``, NaN where not valid."""
        columns = [lead.to_physical(self.digital[:, i]) for i, lead in enumerate(self.info.leads)]
        out = np.stack(columns, axis=1)
        out[~self.valid] = np.nan
        return out

    def __len__(self) -> int:
        return len(self.digital)
