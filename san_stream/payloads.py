"""Contents of CODE, GAP, EVENTS and END messages, both directions (docs/format.md).

Each ``pack_*`` has its ``unpack_*``, which raises `FormatError` on whatever breaks a rule.
Positions come and go as absolute sample indices; `origin` is the first sample of the
message's block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from san_stream.errors import FormatError, SanStreamError
from san_stream.fields import Scanner, text, varint, zigzag
from san_stream.types import (
    MAX_EVENT_TEXT_BYTES,
    MAX_NAME_BYTES,
    MAX_POSITION,
    Event,
    Gap,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

BASELINE: Final = 1
SPIKES: Final = 2
RESIDUAL: Final = 3
CORRECTIONS: Final = 4
VALIDITY: Final = 5
STATISTICS: Final = 6
EXTENSIONS: Final = 7

MAX_MESSAGE_VALUES: Final = 2**18
MAX_PARTS: Final = 512
"""Most parts of a message of several blocks: bounds the time that one takes to decode."""
MAX_EXTENSIONS: Final = 16
MAX_EVENTS: Final = 2**12
DIGEST_SIZE: Final = 32
CRITICAL: Final = 0x80

Losses = tuple[int, ...] | None
"""Loss indices, one a lead, of a window that ends without a CODE message; or None."""


# -- CODE ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CodePrefix:
    """What stands before the coded bytes of a CODE message.

    Attributes:
        first: absolute index of the first sample. count: samples.
        run_begins: whether a run begins with the first sample.
        layers: the numbers of the layers in the coded bytes.
        coded: where the coded bytes begin in the content.
        skipped: ids of extensions that are not known and need not be.
        refusal: why the message cannot be decoded though its place is known, or None.
    """

    first: int
    count: int
    run_begins: bool
    layers: frozenset[int]
    coded: int
    skipped: tuple[int, ...] = ()
    refusal: str | None = None


def pack_code(
    first: int, count: int, block: int, layers: frozenset[int], coded: bytes, *, run_begins: bool
) -> bytes:
    """Content of a CODE message of the samples ``first`` to ``first + count - 1``."""
    offset = first % block
    if offset == 0 and count % block == 0:
        tiling = varint(2 * (count // block))
    else:
        tiling = varint(2 * offset + 1) + varint(count)
    mask = sum(1 << layer for layer in layers) | run_begins
    return tiling + bytes((mask,)) + coded


def unpack_code(content: bytes, origin: int, block: int, leads: int) -> CodePrefix:
    """Read what stands before the coded bytes."""
    scan = Scanner(content)
    tiling = scan.varint()
    if tiling % 2 == 0:
        first, count = origin, tiling // 2 * block
    else:
        offset = tiling // 2
        if offset >= block:
            raise FormatError(f"offset {offset} is not inside a block of {block}")
        first, count = origin + offset, scan.varint()
    if count < 1 or count * leads > MAX_MESSAGE_VALUES:
        raise FormatError(f"message of {count} samples of {leads} leads is outside the limits")
    if first + count >= MAX_POSITION:
        raise FormatError(f"samples to {first + count}, positions must be below 2^62")
    mask = scan.octet()
    skipped = []
    refusal = None
    if mask >> EXTENSIONS & 1:
        for _ in range(scan.varint(MAX_EXTENSIONS)):
            number = scan.octet()
            scan.octets(scan.varint(len(content)))
            if number & CRITICAL:
                refusal = f"layer extension {number & 127} is not known to this release"
            else:
                skipped.append(number)
    layers = frozenset(i for i in range(1, EXTENSIONS) if mask >> i & 1)
    return CodePrefix(first, count, mask & 1 == 1, layers, scan.at, tuple(skipped), refusal)


# -- GAP -------------------------------------------------------------------------------


def _pack_losses(losses: Losses) -> bytes:
    return b"\0" if losses is None else b"\1" + bytes(losses)


def _unpack_losses(scan: Scanner, leads: int) -> Losses:
    return tuple(scan.octets(leads)) if scan.flag() else None


def pack_gap(gap: Gap, origin: int, losses: Losses) -> bytes:
    """Content of a GAP message."""
    head = varint(gap.first - origin) + varint(gap.count) + text(gap.reason)
    return head + _pack_losses(losses)


def unpack_gap(
    content: bytes, origin: int, block: int, leads: int, stream: int
) -> tuple[Gap, Losses]:
    """Read a GAP message."""
    scan = Scanner(content)
    offset = scan.varint()
    if offset >= block:
        raise FormatError(f"offset {offset} is not inside a block of {block}")
    count, reason = scan.varint(), scan.text(MAX_NAME_BYTES)
    losses = _unpack_losses(scan, leads)
    scan.end()
    if origin + offset + count >= MAX_POSITION:
        raise FormatError(f"gap to {origin + offset + count}, positions must be below 2^62")
    try:
        return Gap(origin + offset, count, reason, stream), losses
    except SanStreamError as error:
        raise FormatError(str(error)) from None


# -- EVENTS ----------------------------------------------------------------------------


def pack_events(events: Sequence[Event], before: int, origin: int) -> bytes:
    """Content of an EVENTS message; `before` events of the stream were sent already."""
    out = [varint(before), varint(len(events))]
    last = origin
    for event in events:
        out += [zigzag(event.sample - last), varint(event.lead + 1), text(event.symbol)]
        last = event.sample
        flags = bool(event.subtype) | bool(event.num) << 1 | bool(event.duration) << 2
        flags |= bool(event.text) << 3
        out.append(bytes((flags,)))
        if event.subtype:
            out.append(event.subtype.to_bytes(1, signed=True))
        if event.num:
            out.append(event.num.to_bytes(1, signed=True))
        if event.duration:
            out.append(varint(event.duration))
        if event.text:
            out.append(text(event.text))
    return b"".join(out)


def unpack_events(
    content: bytes, origin: int, leads: int, stream: int
) -> tuple[tuple[Event, ...], int]:
    """Read an EVENTS message: the events, and how many came before in the stream."""
    scan = Scanner(content)
    before = scan.varint()
    events = []
    last = origin
    for _ in range(scan.varint(MAX_EVENTS)):
        last += scan.zigzag()
        lead, symbol, flags = scan.varint(leads) - 1, scan.text(8), scan.octet()
        if flags > 15:
            raise FormatError(f"event flags {flags}, must be below 16")
        subtype = int.from_bytes(scan.octets(1), signed=True) if flags & 1 else 0
        number = int.from_bytes(scan.octets(1), signed=True) if flags & 2 else 0
        duration = scan.varint() if flags & 4 else 0
        note = scan.text(MAX_EVENT_TEXT_BYTES) if flags & 8 else ""
        try:
            event = Event(last, symbol, lead, subtype, number, duration, note, stream)
        except SanStreamError as error:
            raise FormatError(str(error)) from None
        events.append(event)
    scan.end()
    return tuple(events), before


# -- END -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class End:
    """What an END message says.

    Attributes:
        position: index behind the last sample of the stream (behind a gap at its end).
        samples: rows decoded in all. gaps, events: how many the stream had.
        losses: of the window still open at the end.
        digest: SHA-256 of all decoded samples as int32, time-major, little-endian.
    """

    position: int
    samples: int
    gaps: int
    events: int
    losses: Losses
    digest: bytes


def pack_end(end: End) -> bytes:
    """Content of an END message."""
    counts = (end.position, end.samples, end.gaps, end.events)
    return b"".join(map(varint, counts)) + _pack_losses(end.losses) + end.digest


def unpack_end(content: bytes, leads: int) -> End:
    """Read an END message."""
    scan = Scanner(content)
    position, samples, gaps, events = (scan.varint(MAX_POSITION - 1) for _ in range(4))
    losses = _unpack_losses(scan, leads)
    digest = scan.octets(DIGEST_SIZE)
    scan.end()
    return End(position, samples, gaps, events, losses, digest)
