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
from typing import TYPE_CHECKING, Final

from san_stream.coding.core import PLAIN, Core
from san_stream.errors import FormatError, SanStreamError
from san_stream.fields import Scanner, optional, text, varint, zigzag
from san_stream.profile_fields import pack_profile, profile_number, unpack_profile
from san_stream.types import (
    MAX_LEADS,
    MAX_NAME_BYTES,
    MAX_POSITION,
    MAX_UNIT_BYTES,
    Lead,
    StreamInfo,
)

if TYPE_CHECKING:
    from san_stream.profiles import Profile

MAGIC: Final = b"SAN"
VERSION: Final = 0
MAX_BLOCK: Final = 32768
MAX_BLOCK_VALUES: Final = 32768
MIN_WINDOW: Final = 16
MAX_WINDOW: Final = 2**20
SPIKES: Final = 1
"""Number of the profile that has no tables to train."""
UNTRAINED: Final = 0
"""Initial tables: everything begins untrained."""
TRAINED: Final = 1
"""Initial tables: behind each RESET the stream says how each lead begins."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Header:
    """What a HEADER message says.

    Attributes:
        info: rate, leads, origin, stream.
        profile: what is sent.
        block, window: lengths in samples.
        start: first sample that it applies to.
        repeat: False where a stream begins.
        assignment: index of the kernel set of each lead; empty without trained kernels.
        late: samples by which spikes of adapted kernels may lie behind their block.
        tables: id of the initial tables, `UNTRAINED` or `TRAINED`.
    """

    info: StreamInfo
    profile: Profile
    block: int
    window: int
    start: int = 0
    repeat: bool = False
    assignment: tuple[int, ...] = ()
    late: int = 0
    tables: int = UNTRAINED

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
    out.append(bytes((profile_number(header.profile),)))
    out += [varint(header.block), varint(header.window), varint(header.tables)]
    out += pack_profile(header.profile, len(info.leads), header.assignment, header.late)
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
    block, window, tables = scan.varint(MAX_BLOCK), scan.varint(MAX_WINDOW), scan.varint()
    if block < 1 or block * len(leads) > MAX_BLOCK_VALUES:
        raise FormatError(f"block of {block} samples of {len(leads)} leads is outside the limits")
    if window < MIN_WINDOW:
        raise FormatError(f"window of {window} samples, at least {MIN_WINDOW} are needed")
    if tables not in (UNTRAINED, TRAINED) or (tables and number == SPIKES):
        raise FormatError(f"initial tables {tables} are not known to this release")
    profile, assignment, late = unpack_profile(number, scan, info, core)
    while scan.at < len(scan.data):
        kind = scan.varint()
        scan.octets(scan.varint(len(scan.data)))
        if kind % 2 == 0:
            raise FormatError(f"header extension {kind} is not known to this release")
    return Header(info, profile, block, window, start, repeat, assignment, late, tables)


def _unpack_lead(scan: Scanner) -> Lead:
    name, unit = scan.text(MAX_NAME_BYTES), scan.text(MAX_UNIT_BYTES)
    (gain,) = struct.unpack("<d", scan.octets(8))
    if not isfinite(gain):
        raise FormatError("gain is not finite")
    baseline, bits = scan.zigzag(), scan.octet()
    minimum, maximum = scan.zigzag(), scan.zigzag()
    return Lead(name, unit, gain, baseline, bits, minimum, maximum, scan.optional())
