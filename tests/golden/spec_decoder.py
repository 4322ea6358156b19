"""A decoder of whole undamaged ``.san`` files, written from docs/format.md and from nothing else.

Plain Python on the standard library, one sample at a time, with none of the product's code: what
it reads from a file is what the document says that the file means.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass, field

HEADER, CODE, GAP, EVENTS, STATE, INDEX, END, SESSION = range(1, 9)
FIRST, LAST, RESET, ANCILLARY = 1, 2, 4, 8


def crc8(data: bytes) -> int:
    """Polynomial 0x2F, initial 0xFF, final XOR 0xFF, not reflected."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ (0x12F if crc & 0x80 else 0)
    return crc ^ 0xFF


def messages(data: bytes) -> list[tuple[int, int, int, int, bytes]]:
    """Messages of undamaged bytes as (kind, flags of the first frame, stream, block, content)."""
    found = []
    parts: dict[int, list[bytes]] = {}
    at = 0
    while at < len(data):
        sync, kind_flags, stream, block, length, check = struct.unpack_from("<BBBHHB", data, at)
        end = at + 8 + length
        assert sync == 0xD3
        assert length <= 4096
        assert crc8(data[at : at + 7]) == check
        assert struct.unpack_from("<I", data, end)[0] == zlib.crc32(data[at:end])
        kind, flags = kind_flags >> 4, kind_flags & 15
        payload = data[at + 8 : end]
        at = end + 4
        if flags & 3 == 3:
            found.append((kind, flags, stream, block, payload))
            continue
        if flags & FIRST:
            parts[stream] = []
            first_flags = flags
        assert payload[0] == len(parts[stream])
        parts[stream].append(payload[1:])
        if flags & LAST:
            found.append((kind, first_flags, stream, block, b"".join(parts[stream])))
    return found


class Fields:
    """The field types, read one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        assert self.at + count <= len(self.data)
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def zigzag(self) -> int:
        value = self.varint()
        return value // 2 if value % 2 == 0 else -(value + 1) // 2

    def optional(self) -> int | None:
        return self.zigzag() if self.byte() else None

    def text(self) -> str:
        return self.take(self.varint()).decode()


class Bits:
    """The range decoder, and the numbers that are coded with it."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.range = data, 4, 0xFFFFFFFF
        self.code = int.from_bytes(data[:4].ljust(4, b"\0"), "big")

    def bit(self, probability: int = 32768) -> int:
        bound = (self.range * probability) >> 16
        value = int(self.code < bound)
        if value:
            self.range = bound
        else:
            self.code -= bound
            self.range -= bound
        while self.range < 1 << 24:
            following = self.data[self.at] if self.at < len(self.data) else 0
            self.code = (self.code << 8) | following
            self.range <<= 8
            self.at += 1
        return value

    def plain(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = 2 * value + self.bit()
        return value

    def adaptive(self, models: Models, entry: int) -> int:
        p, n = models.get(entry, (32768, 0))
        value = self.bit(min(max(p, 32), 65504))
        p += 2 * (65535 - p) // (2 * n + 3) if value else -(2 * p // (2 * n + 3))
        models[entry] = (p, min(n + 1, 255))
        return value

    def unsigned(self, models: Models, entry: int) -> int:
        k = 0
        while self.adaptive(models, entry + k):
            k += 1
            assert k < 35
        value, node = 1, 0
        for i in range(k):
            bit = self.adaptive(models, entry + 36 + 3 * k + node) if i < 2 else self.bit()
            node = 1 + bit
            value = 2 * value + bit
        return value - 1

    def signed(self, models: Models, entry: int) -> int:
        value = self.unsigned(models, entry)
        return value // 2 if value % 2 == 0 else -(value + 1) // 2


Models = dict[int, tuple[int, int]]


@dataclass
class Trend:
    """Memory and models of a number that is sent as its change."""

    value: int
    change: int = 0
    models: Models = field(default_factory=dict)

    def read(self, bits: Bits) -> int:
        change = bits.signed(self.models, 144 * min((self.change + 1) >> 1, 5))
        self.change = abs(change).bit_length()
        self.value += change
        return self.value


@dataclass
class Level:
    """Memory and models of a number that is sent as its distance from a running mean."""

    value: int
    models: Models = field(default_factory=dict)

    def read(self, bits: Bits) -> int:
        new = ((self.value + 8) >> 4) + bits.signed(self.models, 0)
        self.value += (16 * new - self.value) >> 2
        return new


@dataclass
class Kernel:
    """One kernel of one lead: what is fixed, its models and its memory."""

    med: int
    taps: list[int]
    models: Models = field(default_factory=dict)
    seen: int = 0
    since: int = 0
    gap: int = 0
    amplitude: int = 0
    change: int = 0

    def restart(self) -> None:
        self.seen = self.since = self.gap = self.amplitude = self.change = 0

    def context(self) -> int:
        if self.seen < 2:
            return 48 + min(self.since.bit_length(), 15)
        d = self.since - (self.gap >> 2)
        s = d if d >= 0 else -1 - d
        bits = s.bit_length()
        band = s >> 1 if s < 16 else min(8 + 4 * (bits - 5) + ((s >> (bits - 3)) & 3), 23)
        return 24 + band if d >= 0 else 23 - band

    def read(self, bits: Bits, first: int, end: int) -> list[tuple[int, int]]:
        """(start of the footprint, amplitude) of the spikes in a stretch."""
        spikes = []
        for t in range(first, end):
            starts = not (self.seen > 0 and self.since <= self.med) and bits.adaptive(
                self.models, self.context()
            )
            if not starts:
                self.since += 1
                continue
            difference = bits.signed(self.models, 64 + 144 * min(self.change, 5))
            if self.seen == 1:
                self.gap = 4 * self.since
            elif self.seen == 2:
                self.gap += (4 * self.since - self.gap) >> 1
            self.seen = min(self.seen + 1, 2)
            self.change = (abs(difference).bit_length() + 1) >> 1
            self.amplitude += difference
            self.since = 1
            spikes.append((t, self.amplitude))
        return spikes


@dataclass
class Residual:
    """Models and memory of the lossless layer of one lead."""

    last: int
    before: int
    models: Models = field(default_factory=dict)
    fast: int = 64
    slow: int = 64
    e1: int = 0
    e2: int = 0
    raws: int = 0  # raw blocks so far

    def restart(self, baseline: int) -> None:
        self.last = self.before = baseline
        self.fast = self.slow = 64
        self.e1 = self.e2 = 0

    def read(self, bits: Bits, valid: list[int]) -> list[int]:
        """Samples of the block; an invalid one stands as the sample before it."""
        raw = bits.adaptive(self.models, 0)
        width = bits.plain(6) + 1 if raw else 0
        self.raws += raw
        out = []
        for ok in valid:
            if not ok:
                x = self.last
            elif raw:
                x = bits.plain(width) - (1 << (width - 1))
            else:
                x = 2 * self.last - self.before + self.difference(bits)
            self.before, self.last = self.last, x
            out.append(x)
        return out

    def difference(self, bits: Bits) -> int:
        level = 2 * self.fast + self.slow + 16 * abs(self.e1)
        n = level.bit_length()
        second = (level >> (n - 2)) & 1 if n >= 2 else 0
        context = min(max(2 * n + second - 8, 0), 23)
        size = bits.unsigned(self.models, 10 + 144 * context)
        sign = [(e > 0) + 2 * (e < 0) for e in (self.e1, self.e2)]
        negative = size and bits.adaptive(self.models, 1 + 3 * sign[0] + sign[1])
        self.fast += (16 * size - self.fast) >> 2
        self.slow += (16 * size - self.slow) >> 4
        self.e2, self.e1 = self.e1, -size if negative else size
        return self.e1


@dataclass
class Lead:
    """A lead as the HEADER declares it, and its state."""

    name: str
    unit: str
    gain: float
    baseline: int
    bits: int
    minimum: int
    maximum: int
    invalid: int | None
    kernels: list[tuple[int, list[int]]] = field(default_factory=list)
    fixed: int | None = None
    shift: int = 0

    def reset(self) -> None:
        self.validity: Models = {}
        self.trend = Trend(self.baseline)
        self.bank = [Kernel(med, taps) for med, taps in self.kernels]
        self.residual = Residual(self.baseline, self.baseline)
        self.loss = Level(16 * 200)

    def restart(self) -> None:
        self.trend.value, self.trend.change = self.baseline, 0
        self.residual.restart(self.baseline)
        for kernel in self.bank:
            kernel.restart()


@dataclass
class Stream:
    """Everything that one stream of the file says."""

    info: dict[str, object]
    leads: list[Lead]
    profile: int
    block: int
    window: int
    position: int
    convolution: bool = False
    samples: list[list[int]] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    valid: list[list[int]] = field(default_factory=list)
    spikes: list[tuple[int, int, int, int]] = field(default_factory=list)
    losses: dict[int, list[int]] = field(default_factory=dict)
    gaps: list[tuple[int, int, str]] = field(default_factory=list)
    events: list[tuple[int, int, str, int, int, int, str]] = field(default_factory=list)
    ended: bool = False

    def full_block(self, low: int) -> int:
        """The block number with these low 16 bits that is nearest to where the stream stands."""
        here = self.position // self.block
        return here + ((low - here + 32768) & 0xFFFF) - 32768

    def code(self, block: int, flags: int, content: bytes) -> None:
        fields = Fields(content)
        tiling = fields.varint()
        first = self.full_block(block) * self.block
        count = tiling // 2 * self.block
        if tiling % 2:
            first += (tiling - 1) // 2
            count = fields.varint()
        layers = fields.byte()
        if layers & 128:
            for _ in range(fields.varint()):
                assert fields.byte() < 128
                fields.take(fields.varint())
        assert first == self.position
        assert layers & 0x5E == (8 if self.profile == 0 else 0x46)
        if flags & RESET or not self.samples:
            for lead in self.leads:
                lead.reset()
        begins = bool(layers & 1)
        if begins:
            self.run = first
            self.tracks: list[dict[int, int]] = [{} for _ in self.leads]
            for lead in self.leads:
                lead.restart()
        bits = Bits(fields.data[fields.at :])
        fresh = begins or bool(flags & RESET)
        while self.position < first + count:
            end = min((self.position // self.block + 1) * self.block, first + count)
            self.part(bits, end, validity=bool(layers & 32), fresh=fresh, begins=begins)
            fresh = begins = False
        assert bits.at <= len(bits.data) + 8

    def part(self, bits: Bits, end: int, *, validity: bool, fresh: bool, begins: bool) -> None:
        start, size = self.position, end - self.position
        valid = []
        for lead in self.leads:
            before, ok = 1, [1] * size
            if validity and not bits.adaptive(lead.validity, 0):
                for i in range(size):
                    before = ok[i] = bits.adaptive(lead.validity, 1 + before)
            valid.append(ok)
        columns = []
        for index, lead in enumerate(self.leads):
            if self.profile == 0:
                column = lead.residual.read(bits, valid[index])
            else:
                column = self.spiked(bits, index, end, fresh=fresh, begins=begins)
            blank = 0 if lead.invalid is None else lead.invalid
            columns.append([x if ok else blank for x, ok in zip(column, valid[index], strict=True)])
        if self.profile == 1:
            for close in range(self.window * (start // self.window + 1), end + 1, self.window):
                self.losses[close - self.window] = [lead.loss.read(bits) for lead in self.leads]
        self.samples.extend(list(row) for row in zip(*columns, strict=True))
        self.valid.extend(list(row) for row in zip(*valid, strict=True))
        self.positions.extend(range(start, end))
        self.position = end

    def spiked(self, bits: Bits, index: int, end: int, *, fresh: bool, begins: bool) -> list[int]:
        lead, start = self.leads[index], self.position
        whole, length = start // self.block * self.block, self.block
        if lead.fixed is None:
            if fresh:
                lead.means = [lead.trend.read(bits) for _ in range(3)]
            else:
                lead.means = [*lead.means[1:], lead.trend.read(bits)]
        track = self.tracks[index]
        for number, kernel in enumerate(lead.bank):
            m = len(kernel.taps)
            ahead = (m - 1) // 2
            ahead = m - 1 - ahead if self.convolution else ahead
            for at, amplitude in kernel.read(bits, start - ahead if begins else start, end):
                self.spikes.append((at + ahead, index, number, amplitude))
                for j, tap in enumerate(kernel.taps):
                    t = at + (m - 1 - j if self.convolution else j)
                    track[t] = track.get(t, 0) + amplitude * tap
        out = []
        for t in range(start, end):
            if lead.fixed is None:
                before, this, following = lead.means
                u = 2 * (t - whole) + 1
                if u < length:
                    b = before + ((this - before) * (u + length) + length) // (2 * length)
                else:
                    b = this + ((following - this) * (u - length) + length) // (2 * length)
            else:
                b = lead.fixed
            half = 1 << (lead.shift - 1) if lead.shift else 0
            x = b + ((track.pop(t, 0) + half) >> lead.shift)
            out.append(min(max(x, lead.minimum), lead.maximum))
        return out

    def close_window(self, fields: Fields) -> None:
        if fields.byte():
            start = (self.position - 1) // self.window * self.window
            self.losses[start] = list(fields.take(len(self.leads)))

    def gap(self, block: int, content: bytes) -> None:
        fields = Fields(content)
        first = self.full_block(block) * self.block + fields.varint()
        count, reason = fields.varint(), fields.text()
        assert first == self.position
        self.close_window(fields)
        self.gaps.append((first, count, reason))
        self.position += count

    def annotate(self, block: int, content: bytes) -> None:
        fields = Fields(content)
        assert fields.varint() == len(self.events)
        sample = self.full_block(block) * self.block
        for _ in range(fields.varint()):
            sample += fields.zigzag()
            lead, symbol, has = fields.varint() - 1, fields.text(), fields.byte()
            subtype, num = (
                int.from_bytes(fields.take(1), signed=True) if has & bit else 0 for bit in (1, 2)
            )
            duration = fields.varint() if has & 4 else 0
            text = fields.text() if has & 8 else ""
            self.events.append((sample, lead, symbol, subtype, num, duration, text))

    def end(self, content: bytes) -> None:
        fields = Fields(content)
        assert fields.varint() == self.position
        assert fields.varint() == len(self.samples)
        assert fields.varint() == len(self.gaps)
        assert fields.varint() == len(self.events)
        self.close_window(fields)
        values = [x for row in self.samples for x in row]
        digest = hashlib.sha256(struct.pack(f"<{len(values)}i", *values)).digest()
        assert fields.take(32) == digest
        self.ended = True


def header(content: bytes) -> tuple[int, Stream]:
    """(repeat, the stream that a HEADER begins)."""
    fields = Fields(content)
    assert fields.take(3) == b"SAN"
    assert fields.byte() == 0
    repeat, start = fields.byte(), fields.varint()
    rate = (fields.varint(), fields.varint())
    origin = fields.optional()
    leads = []
    for _ in range(fields.varint()):
        name, unit, gain = fields.text(), fields.text(), struct.unpack("<d", fields.take(8))[0]
        baseline, bits = fields.zigzag(), fields.byte()
        low, high = fields.zigzag(), fields.zigzag()
        leads.append(Lead(name, unit, gain, baseline, bits, low, high, fields.optional()))
    profile, block, window, tables = (
        fields.byte(), fields.varint(), fields.varint(), fields.varint(),
    )  # fmt: skip
    assert tables == 0
    stream = Stream({"rate": rate, "origin": origin}, leads, profile, block, window, start)
    if profile == 1:
        stream.convolution = bool(fields.byte())
        stream.info["delay"] = fields.byte()
        sets = []
        for _ in range(fields.varint()):
            scale, step, fixed = fields.byte(), fields.byte(), fields.optional()
            sizes = [(fields.varint(), fields.varint()) for _ in range(fields.varint())]
            bits = Bits(fields.take(fields.varint()))
            tap, kernels = Trend(0), []
            for med, count in sizes:
                tap.value = tap.change = 0
                kernels.append((med, [tap.read(bits) for _ in range(count)]))
            sets.append((kernels, fixed, 2 * scale - step))
        for lead in leads:
            lead.kernels, lead.fixed, lead.shift = sets[fields.byte()]
    while fields.at < len(content):
        assert fields.varint() % 2
        fields.take(fields.varint())
    return repeat, stream


def decode(data: bytes) -> list[Stream]:
    """All streams of a file, in the order in which they begin."""
    streams: list[Stream] = []
    open_streams: dict[int, Stream] = {}
    for kind, flags, number, block, content in messages(data):
        if kind == HEADER:
            repeat, begun = header(content)
            if number in open_streams and repeat:
                assert begun.position == open_streams[number].position
            else:
                begun.info["number"] = number
                open_streams[number] = begun
                streams.append(begun)
            continue
        if flags & ANCILLARY:
            continue
        stream = open_streams[number]
        if kind == CODE:
            stream.code(block, flags, content)
        elif kind == GAP:
            stream.gap(block, content)
        elif kind == EVENTS:
            stream.annotate(block, content)
        else:
            assert kind == END
            stream.end(content)
    return streams
