"""How the signals of a WFDB record become streams and leads, checked against its files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

from san_runtime.sources.wfdb_header import DIFFERENCES, RESOLUTION
from san_stream.errors import SettingError, SourceError
from san_stream.types import INT32_MAX, INT32_MIN, Lead, StreamInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from san_runtime.sources.wfdb_header import WfdbHeader, WfdbSignal


@dataclass(frozen=True, slots=True)
class RecordStream:
    """Signals of one rate: their numbers in the record and what the stream says of them."""

    channels: tuple[int, ...]
    per_frame: int
    info: StreamInfo


def choose_signals(header: WfdbHeader, channels: Sequence[str | int] | None) -> tuple[int, ...]:
    """Numbers of the signals asked for; a name wins over a number."""
    if channels is None:
        return tuple(range(len(header.signals)))
    names = [signal.name for signal in header.signals]
    chosen = []
    for wanted in channels:
        text = str(wanted).strip()
        if isinstance(wanted, str) and text in names:
            number = names.index(text)
        elif text.isascii() and text.isdigit() and int(text) < len(names):
            number = int(text)
        else:
            known = ", ".join(f"{i} {name!r}" for i, name in enumerate(names))
            raise SourceError(
                f"record {str(header.record)!r}: no channel {text[:40]!r}, there are {known}"
            )
        if number in chosen:
            raise SettingError(f"channel {number} is asked for twice")
        chosen.append(number)
    if not chosen:
        raise SettingError("no channel is asked for")
    return tuple(chosen)


def check_files(header: WfdbHeader, chosen: tuple[int, ...]) -> int:
    """Frames of the record, after a look at the size of each signal file in use."""
    frames = header.frames
    for name in dict.fromkeys(header.signals[c].file for c in chosen):
        path = header.record.with_name(name)
        group = [signal for signal in header.signals if signal.file == name]
        if not path.is_file():
            raise SourceError(f"record {str(header.record)!r}: no signal file {name!r}")
        storage, width = group[0].storage, sum(signal.per_frame for signal in group)
        if int(storage) > 500:
            if header.frames is None:
                raise SourceError(
                    f"record {str(header.record)!r}: format {storage} needs the number of samples"
                )
            continue
        try:
            size = path.stat().st_size
            with path.open("rb"):
                pass
        except OSError as error:
            raise SourceError(f"signal file {str(path)!r}: {error.strerror}") from None
        held = _values(storage, size - group[0].offset) // width
        if header.frames is None:
            frames = held if frames is None else min(frames, held)
        elif held < header.frames:
            raise SourceError(
                f"signal file {str(path)!r}: {size} bytes hold {max(held, 0)} frames, "
                f"the header says {header.frames}"
            )
    if not frames or frames < 1:
        raise SourceError(f"record {str(header.record)!r}: holds 0 samples")
    return frames


def _values(storage: str, size: int) -> int:
    """Samples in `size` bytes of one format."""
    if storage == "212":
        return size * 2 // 3
    if storage in {"310", "311"}:
        return size // 4 * 3 + (size % 4) // 2
    return size // {"24": 3, "32": 4, "8": 1, "80": 1}.get(storage, 2)


def frame_range(
    header: WfdbHeader,
    frames: int,
    start: float | Fraction,
    duration: float | Fraction | None,
) -> tuple[int, int]:
    """First and last frame + 1 of a start and a duration in seconds."""
    for what, value in (("start", start), ("duration", duration)):
        if value is not None and not 0 <= value < 2**40:  # also refuses NaN
            raise SettingError(f"{what} {value} s: must be 0 or more and finite")
    first = round(Fraction(start) * header.rate)
    if first >= frames:
        raise SourceError(
            f"record {str(header.record)!r}: start {float(start):g} s is not before its end, "
            f"{float(frames / header.rate):g} s"
        )
    if duration is None:
        return first, frames
    last = min(frames, first + round(Fraction(duration) * header.rate))
    if last <= first:
        raise SettingError(f"duration {float(duration):g} s: holds no sample")
    return first, last


def form_streams(
    header: WfdbHeader, chosen: tuple[int, ...], first: int
) -> tuple[RecordStream, ...]:
    """Group signals by their samples a frame; `first` is the frame that becomes sample 0."""
    origin = header.origin
    if origin is not None:
        origin += timedelta(microseconds=round(first * 10**6 / header.rate))
    streams: list[RecordStream] = []
    for per_frame in dict.fromkeys(header.signals[c].per_frame for c in chosen):
        channels = tuple(c for c in chosen if header.signals[c].per_frame == per_frame)
        try:
            info = StreamInfo(
                rate=header.rate * per_frame,
                leads=_leads([header.signals[c] for c in channels]),
                origin=origin,
                stream=len(streams),
            )
        except SettingError as error:
            raise SourceError(f"record {str(header.record)!r}: {error}") from None
        streams.append(RecordStream(channels, per_frame, info))
    return tuple(streams)


def _leads(signals: Sequence[WfdbSignal]) -> tuple[Lead, ...]:
    leads: list[Lead] = []
    for signal in signals:
        taken = {lead.name for lead in leads}
        name, number = signal.name, 2
        while name in taken:
            name, number = f"{signal.name} {number}", number + 1
        low, high = _limits(signal)
        leads.append(
            Lead(
                name=name,
                unit=signal.unit,
                gain=signal.gain,
                baseline=signal.baseline,
                bits=signal.bits,
                minimum=low,
                maximum=high,
                invalid=signal.invalid,
            )
        )
    return tuple(leads)


def _limits(signal: WfdbSignal) -> tuple[int, int]:
    """Storage range, widened where the ADC's own range goes beyond it."""
    if signal.storage == DIFFERENCES:
        return INT32_MIN, INT32_MAX
    half = 2 ** (RESOLUTION[signal.storage] - 1)
    reach = 2 ** (signal.bits - 1)
    return (
        max(INT32_MIN, min(-half, signal.zero - reach)),
        min(INT32_MAX, max(half - 1, signal.zero + reach - 1)),
    )
