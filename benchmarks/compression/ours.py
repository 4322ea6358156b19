"""The project's own codec, by its public interface alone: `Encoder`, `Decoder`, profiles.

Each lead is a stream of its own, as for the peers; as ", guided" it travels in one stream
with the leads before it, all at the same setting, and costs what that stream takes above the
one without it.

A file (block ``"whole"``) is one `Encoder.file_pack` a message, all else as by default. In
blocks of so many seconds it is the live stream of that delay: unlike the peers' blocks its
state runs on, and every block is a message of its own.
"""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from codec import Codec, Decoded, unavailable

import san_runtime
import san_stream
import san_stream.profiles
from san_runtime import Encoder, compiled_core
from san_stream import Decoder, Lead, StreamInfo

if TYPE_CHECKING:
    from codec import Mode
    from datasets import Signal

PRESETS: Final = ("max", "lean", "fast", "tiny")
PREDICTED_ERROR: Final = 2
"""Bounds above are held by the transform coder, whose delay is chosen, not its block."""
ONE_RESET: Final = 2**40
PROBE_SECONDS: Final = 30
LENGTH_BYTES: Final = 8
PROBE_CHUNKS: Final = 50
"""Chunks a second by which the delay is found out."""


def _class(name: str) -> Any:
    return getattr(san_stream.profiles, name, None)


def _takes(kind: Any, argument: str) -> bool:
    return argument in inspect.signature(kind).parameters


def info_of(*signals: Signal) -> StreamInfo:
    """The leads as one stream."""
    rate = Fraction(signals[0].rate).limit_denominator(10**6)
    return StreamInfo(rate, tuple(_lead(signal) for signal in signals))


def _lead(signal: Signal) -> Lead:
    low, high = int(signal.samples.min()), int(signal.samples.max())
    half = 1 << max(signal.bits, 16) - 1
    return Lead(
        name=signal.name or "lead",
        unit=signal.unit,
        gain=signal.gain,
        baseline=signal.baseline,
        bits=signal.bits,
        minimum=min(-half, low),
        maximum=max(half - 1, high),
    )


@dataclass(frozen=True, slots=True)
class Variant:
    """How the project's encoder is set.

    Attributes:
        preset: of the predictive coder; None where the version or the profile has none.
        reset: samples between points where a decoder can start; None: the default.
        guided: the leads before it are in the same stream.
    """

    preset: str | None = None
    reset: int | None = None
    guided: bool = False

    def leads(self, signal: Signal) -> tuple[Signal, ...]:
        """What travels together."""
        return (*signal.before, signal) if self.guided else (signal,)

    def encoder(
        self, leads: tuple[Signal, ...], mode: Mode, parameter: float, block: int
    ) -> Encoder:
        """An encoder of leads in one stream."""
        info = info_of(*leads)
        options: dict[str, Any] = {"reset": self.reset}
        if not block:
            options["pack"] = Encoder.file_pack(info)
        elif mode == "quality" or (mode == "bound" and parameter > PREDICTED_ERROR):
            options["delay"] = block / leads[0].rate
        else:
            options["block"] = block
        return Encoder(info, self._profile(mode, parameter), **options)

    def _profile(self, mode: Mode, parameter: float) -> Any:
        chosen = {} if self.preset is None else {"preset": self.preset}
        if mode == "quality":
            return _class("Quality")(step=parameter)
        if mode == "bound":
            return _class("Bounded")(int(parameter), **chosen)
        return _class("Lossless")(**chosen)

    def encode(self, signal: Signal, mode: Mode, parameter: float, block: int) -> bytes:
        """The whole stream; where it is guided, behind the stream without this lead."""
        leads = self.leads(signal)
        whole = self._stream(leads, mode, parameter, block)
        if not self.guided:
            return whole
        without = self._stream(leads[:-1], mode, parameter, block) if leads[:-1] else b""
        return len(without).to_bytes(LENGTH_BYTES, "little") + without + whole

    def _stream(self, leads: tuple[Signal, ...], mode: Mode, parameter: float, block: int) -> bytes:
        encoder = self.encoder(leads, mode, parameter, block)
        columns = np.stack([lead.samples for lead in leads], axis=1).astype(np.int32)
        return b"".join(encoder.push(columns) + encoder.close())

    def decode(self, data: bytes, _mode: Mode, _count: int, _block: int) -> Decoded:
        """The lead's samples, and what it costs."""
        if not self.guided:
            return _decode(data)
        behind = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "little")
        without = data[LENGTH_BYTES:behind]
        whole = _decode(data[behind:])
        others = _decode(without).payload_bits if without else 0
        size = len(data) - behind - len(without)
        return Decoded(whole.samples, whole.payload_bits - others, size)

    def delay(self, signal: Signal, mode: Mode, parameter: float, block: int) -> int:
        """Most samples that are in the encoder and not coded, as a live source would find."""
        leads = self.leads(signal)
        encoder = self.encoder(leads, mode, parameter, block)
        most, chunk = 0, max(round(signal.rate / PROBE_CHUNKS), 1)
        probe = round(PROBE_SECONDS * signal.rate)
        columns = np.stack([lead.samples[:probe] for lead in leads], axis=1).astype(np.int32)
        for at in range(0, len(columns), chunk):
            encoder.push(np.ascontiguousarray(columns[at : at + chunk]))
            most = max(most, encoder.position - encoder.decided)
        return most


def _decode(data: bytes) -> Decoded:
    """The last lead of a stream, and the payload of all."""
    decoder = Decoder(core=compiled_core())
    signals = decoder.push(data) + decoder.close()
    if not all(part.digest_ok for part in (*decoder.streams.values(), *decoder.finished)):
        raise ValueError("the digest differs")
    rows = np.concatenate([signal.digital[:, -1] for signal in signals])
    return Decoded(rows.astype(np.int64), decoder.counters.bits["signal"])


@cache
def _version() -> str:
    """The release, and a digest of the sources that decide on the bytes."""
    digest = hashlib.sha256()
    for package, pattern in ((san_stream, "**/*"), (san_runtime, "*")):
        for path in sorted(Path(package.__path__[0]).glob(pattern)):
            if path.suffix in (".py", ".bin"):
                digest.update(path.read_bytes())
    return f"san-stream {san_stream.__version__}, sources {digest.hexdigest()[:8]}"


def _variants(
    name: str, modes: tuple[Mode, ...], preset: str | None, *, guided: bool = False
) -> list[Codec]:
    """As by default, and with one reset alone, at the start, as the peers' whole files are."""
    out = []
    for together in (False, True) if guided else (False,):
        for suffix, reset in (("", None), (", one reset", ONE_RESET)):
            variant = Variant(preset, reset, together)
            parts = (variant.encode, variant.decode, variant.delay)
            title = name + ", guided" * together + suffix
            out.append(Codec(title, modes, *parts, _version(), own=True))
    return out


def codecs() -> list[Codec]:
    """One for each profile and preset that this version of the project has."""
    lossless, bounded = _class("Lossless"), _class("Bounded")
    if not _takes(lossless, "preset"):
        out = _variants("san lossless", ("lossless",), None)
        out.append(unavailable("san max", ("lossless", "bound"), "no presets in this version"))
    else:
        modes: tuple[Mode, ...] = ("lossless",)
        if bounded is not None and _takes(bounded, "preset"):
            modes = ("lossless", "bound")
        out = [codec for name in PRESETS for codec in _variants(f"san {name}", modes, name)]
    if _class("Quality") is None or not _takes(Encoder, "delay"):
        return [*out, unavailable("san quality", ("quality",), "no Quality in this version")]
    return out + _variants("san quality", ("quality",), None, guided=True)
