"""HEADER messages: what a stream is, both directions (docs/format.md, "HEADER").

Unpacking raises `FormatError` on whatever breaks a rule, after checking every limit and
before allocating anything of a stated size.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import gcd, isfinite
from typing import Final

from san_stream.coding.core import PLAIN, Core
from san_stream.coding.numbers import EVEN
from san_stream.coding.range_coder import ERROR, STATE_SIZE
from san_stream.coding.side import TREND_MEMORY, TREND_SIZE, restart_trend
from san_stream.errors import FormatError, SanStreamError
from san_stream.fields import Scanner, optional, text, varint, zigzag
from san_stream.kernels import (
    MAX_KERNELS,
    MAX_MODEL_TAPS,
    MAX_PLACED,
    MAX_SETS,
    MAX_TAPS,
    Kernel,
    Kernels,
    KernelSet,
)
from san_stream.profiles import Lossless, Profile, Spikes
from san_stream.types import (
    MAX_LEADS,
    MAX_NAME_BYTES,
    MAX_POSITION,
    MAX_UNIT_BYTES,
    Lead,
    StreamInfo,
)

MAGIC: Final = b"SAN"
VERSION: Final = 0
MAX_BLOCK: Final = 32768
MAX_BLOCK_VALUES: Final = 32768
MIN_WINDOW: Final = 16
MAX_WINDOW: Final = 2**20
DELAY_FACTOR: Final = 4
"""`max_delay` of every kernel is this many times its minimum distance."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIES: Final = ("adjoint", "convolution")


@dataclass(frozen=True, slots=True)
class Header:
    """What a HEADER message says.

    Attributes:
        info: rate, leads, origin, stream.
        profile: what is sent.
        block, window: lengths in samples.
        start: first sample that it applies to.
        repeat: False where a stream begins.
        assignment: index of the kernel set of each lead; empty without kernels.
    """

    info: StreamInfo
    profile: Profile
    block: int
    window: int
    start: int = 0
    repeat: bool = False
    assignment: tuple[int, ...] = ()

    def same_stream(self, other: Header) -> bool:
        """Equal but for position and repetition."""
        return replace(self, start=0, repeat=False) == replace(other, start=0, repeat=False)


def pack_header(header: Header) -> bytes:
    """Content of a HEADER message."""
    info = header.info
    origin = None
    if info.origin is not None:
        origin = (info.origin - _EPOCH) // timedelta(microseconds=1)
    out = [MAGIC, bytes((VERSION, header.repeat)), varint(header.start)]
    out += [varint(info.rate.numerator), varint(info.rate.denominator), optional(origin)]
    out.append(varint(len(info.leads)))
    for lead in info.leads:
        out += [text(lead.name), text(lead.unit), struct.pack("<d", lead.gain)]
        out += [zigzag(lead.baseline), bytes((lead.bits,))]
        out += [zigzag(lead.minimum), zigzag(lead.maximum), optional(lead.invalid)]
    spikes = isinstance(header.profile, Spikes)
    out += [bytes((spikes,)), varint(header.block), varint(header.window), varint(0)]
    if isinstance(header.profile, Spikes):
        out.append(_pack_kernels(header.profile.kernels))
        out.append(bytes(header.assignment))
    return b"".join(out)


def unpack_header(content: bytes, stream: int, core: Core = PLAIN) -> Header:
    """Read a HEADER message of the stream of this number.

    Raises:
        FormatError: it breaks a rule of the format, or is of another version.
    """
    scan = Scanner(content)
    if scan.octets(3) != MAGIC:
        raise FormatError("no san-stream header")
    version = scan.octet()
    if version != VERSION:
        raise FormatError(f"format version {version}, this release reads {VERSION}")
    try:
        return _unpack_header(scan, stream, core)
    except FormatError:
        raise
    except (SanStreamError, OverflowError) as error:
        raise FormatError(f"header: {error}") from None


def _unpack_header(scan: Scanner, stream: int, core: Core) -> Header:
    repeat = scan.flag()
    start = scan.varint(MAX_POSITION - 1)
    numerator, denominator = scan.varint(2**31 - 1), scan.varint(2**31 - 1)
    if denominator == 0 or gcd(numerator, denominator) != 1:
        raise FormatError(f"rate {numerator}/{denominator} is not in lowest terms")
    microseconds = scan.optional()
    origin = None
    if microseconds is not None:
        origin = _EPOCH + timedelta(microseconds=microseconds)
    count = scan.varint(MAX_LEADS)
    leads = tuple(_unpack_lead(scan) for _ in range(count))
    info = StreamInfo(Fraction(numerator, denominator), leads, origin, stream)
    number = scan.octet()
    if number > 1:
        raise FormatError(f"profile {number} is not known to this release")
    block, window, tables = scan.varint(MAX_BLOCK), scan.varint(MAX_WINDOW), scan.varint()
    if block < 1 or block * len(leads) > MAX_BLOCK_VALUES:
        raise FormatError(f"block of {block} samples of {len(leads)} leads is outside the limits")
    if window < MIN_WINDOW:
        raise FormatError(f"window of {window} samples, at least {MIN_WINDOW} are needed")
    if tables != 0:
        raise FormatError(f"initial tables {tables} are not known to this release")
    profile: Profile = Lossless()
    assignment: tuple[int, ...] = ()
    if number == 1:
        kernels = _unpack_kernels(scan, info, core)
        assignment = tuple(scan.octets(count))
        if max(assignment) >= len(kernels.sets):
            raise FormatError(f"kernel set {max(assignment)} of {len(kernels.sets)}")
        placed = sum(len(kernels.sets[i].kernels) for i in assignment)
        if placed > MAX_PLACED:
            raise FormatError(f"{placed} kernels over all leads, at most {MAX_PLACED} are allowed")
        profile = Spikes(kernels)
    while scan.at < len(scan.data):
        kind = scan.varint()
        scan.octets(scan.varint(len(scan.data)))
        if kind % 2 == 0:
            raise FormatError(f"header extension {kind} is not known to this release")
    return Header(info, profile, block, window, start, repeat, assignment)


def _unpack_lead(scan: Scanner) -> Lead:
    name, unit = scan.text(MAX_NAME_BYTES), scan.text(MAX_UNIT_BYTES)
    (gain,) = struct.unpack("<d", scan.octets(8))
    if not isfinite(gain):
        raise FormatError("gain is not finite")
    baseline, bits = scan.zigzag(), scan.octet()
    minimum, maximum = scan.zigzag(), scan.zigzag()
    return Lead(name, unit, gain, baseline, bits, minimum, maximum, scan.optional())


def _pack_kernels(kernels: Kernels) -> bytes:
    out = [bytes((_TIES.index(kernels.tie), DELAY_FACTOR)), varint(len(kernels.sets))]
    for group in kernels.sets:
        out += [bytes((group.scale, group.step)), optional(group.baseline)]
        out.append(varint(len(group.kernels)))
        for kernel in group.kernels:
            out += [varint(kernel.med), varint(len(kernel.taps))]
        coded = _code_taps([list(kernel.taps) for kernel in group.kernels], None)
        out += [varint(len(coded)), coded]
    return b"".join(out)


def _unpack_kernels(scan: Scanner, info: StreamInfo, core: Core) -> Kernels:
    tie, delay = scan.octet(), scan.octet()
    if tie > 1 or delay != DELAY_FACTOR:
        raise FormatError(f"tie {tie}, delay {delay}: not known to this release")
    sets = []
    total = 0
    for _ in range(scan.varint(MAX_SETS)):
        scale, step = scan.octet(), scan.octet()
        baseline = scan.optional()
        sizes = [(scan.varint(), scan.varint(MAX_TAPS)) for _ in range(scan.varint(MAX_KERNELS))]
        total += sum(size for _, size in sizes)
        if total > MAX_MODEL_TAPS:
            raise FormatError(f"{total} taps in all, at most {MAX_MODEL_TAPS} are allowed")
        taps = [[0] * size for _, size in sizes]
        _code_taps(taps, scan.octets(scan.varint(MAX_TAPS * MAX_KERNELS * 8)), core)
        group = [Kernel(tuple(t), med) for t, (med, _) in zip(taps, sizes, strict=True)]
        sets.append(KernelSet(tuple(group), scale, step, baseline))
    units = {lead.unit for lead in info.leads}
    unit = units.pop() if len(units) == 1 else ""
    return Kernels(tuple(sets), info.rate, unit, tie="adjoint" if tie == 0 else "convolution")


def _code_taps(kernels: list[list[int]], coded: bytes | None, core: Core = PLAIN) -> bytes:
    """Taps of a set as trend numbers in one interval of the range coder, in place.

    Encodes where `coded` is None, and returns the bytes; else decodes.
    """
    state, memory = core.integers(STATE_SIZE, 0), core.integers(TREND_MEMORY, 0)
    model = core.integers(TREND_SIZE, EVEN), core.integers(TREND_SIZE, 0)
    if coded is None:
        buffer = core.octets(8 * MAX_TAPS * MAX_KERNELS)
        core.start_encoder(state)
    else:
        buffer = core.loaded(coded)
        core.start_decoder(state, buffer, len(coded))
    for taps in kernels:
        restart_trend(memory, 0)
        for j, tap in enumerate(taps):
            taps[j] = int(core.code_trend(state, buffer, *model, 0, memory, tap))
            if state[ERROR]:
                raise FormatError("coded taps break a rule")
    return coded if coded is not None else bytes(buffer[: core.finish_encoder(state, buffer)])
