"""What a codec of the comparison is, and how independent blocks become one file."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from math import log2
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from datasets import Signal
    from numpy.typing import NDArray

Mode = Literal["lossless", "bound", "quality"]
"""Exact; every sample within ±parameter; quantiser of step `parameter`, both in ADC units."""
MODES: Final[tuple[Mode, ...]] = get_args(Mode)

BlockEncode = Callable[["NDArray[np.int64]", float], bytes]
BlockDecode = Callable[[bytes, int, float], "NDArray[Any]"]

STEPS_PER_OCTAVE: Final = 16
"""Quantiser steps travel as a 16-bit number of sixteenths of an octave."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded signal.

    Attributes:
        samples: integers or floats ``[n]``, in ADC units.
        payload_bits: bits of the samples themselves, without framing and headers.
        size: bytes that the signal takes, where the file holds others too; else None.
    """

    samples: NDArray[Any]
    payload_bits: int
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Codec:
    """One way to encode a lead.

    Attributes:
        name: as in the tables.
        modes: what it can do.
        encode: signal, mode, parameter and block in samples (0: no blocks) to a file.
        decode: that file, and the number of samples and the block, back to samples.
        delay: of the same arguments as `encode`: how many samples its encoder holds back.
        version: of the package or program.
        own: the project's own codec, not a peer.
        missing: why it cannot run here, or empty.
    """

    name: str
    modes: tuple[Mode, ...]
    encode: Callable[[Signal, Mode, float, int], bytes]
    decode: Callable[[bytes, Mode, int, int], Decoded]
    delay: Callable[[Signal, Mode, float, int], int]
    version: str = ""
    own: bool = False
    missing: str = ""


def step_number(step: float) -> int:
    """The number by which a step travels."""
    return round(STEPS_PER_OCTAVE * log2(step))


def step_of(number: int) -> float:
    """The step of a number, the same on both sides."""
    return float(2.0 ** (number / STEPS_PER_OCTAVE))


def pack_parameter(mode: Mode, parameter: float) -> bytes:
    """Two bytes at the head of every peer's file; none where there is nothing to say."""
    if mode == "lossless":
        return b""
    return struct.pack("<h", int(parameter) if mode == "bound" else step_number(parameter))


def unpack_parameter(mode: Mode, data: bytes) -> tuple[float, bytes]:
    """The parameter, and what follows it."""
    if mode == "lossless":
        return 0.0, data
    number = struct.unpack_from("<h", data)[0]
    return (float(number) if mode == "bound" else step_of(number)), data[2:]


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A `varint` and the index behind it."""
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def blockwise(
    name: str,
    modes: tuple[Mode, ...],
    encode: BlockEncode,
    decode: BlockDecode,
    *,
    version: str = "",
    sequential: bool = False,
) -> Codec:
    """A codec from functions that encode and decode one block.

    Each block is independent: its bytes behind their number as a `varint`. The parameter
    is told once a file.

    Args:
        name, modes, version: as in `Codec`.
        encode: samples and parameter to bytes.
        decode: bytes, number of samples and parameter to samples.
        sequential: sample by sample, so that without blocks there is no delay.
    """

    def whole(signal: Signal, mode: Mode, parameter: float, block: int) -> bytes:
        head = pack_parameter(mode, parameter)
        parameter = unpack_parameter(mode, head)[0]
        x = signal.samples
        if not block:
            return head + encode(x, parameter)
        parts = [encode(x[at : at + block], parameter) for at in range(0, len(x), block)]
        return head + b"".join(varint(len(part)) + part for part in parts)

    def back(data: bytes, mode: Mode, count: int, block: int) -> Decoded:
        parameter, data = unpack_parameter(mode, data)
        if not block:
            return Decoded(decode(data, count, parameter), 8 * len(data))
        parts, at, payload = [], 0, 0
        for first in range(0, count, block):
            size, at = read_varint(data, at)
            parts.append(decode(data[at : at + size], min(block, count - first), parameter))
            at += size
            payload += 8 * size
        return Decoded(np.concatenate(parts), payload)

    def delay(signal: Signal, _mode: Mode, _parameter: float, block: int) -> int:
        return 0 if sequential and not block else block or len(signal.samples)

    return Codec(name, modes, whole, back, delay, version)


def unavailable(name: str, modes: tuple[Mode, ...], reason: str) -> Codec:
    """A codec whose package or program is not here: a row that says so."""

    def refuse(*_: object) -> Any:
        raise RuntimeError(reason)

    return Codec(name, modes, refuse, refuse, refuse, missing=reason)
