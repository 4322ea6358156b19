"""A decoder of whole undamaged ``.san`` files, written from docs/format.md and from nothing else.

Plain Python on the standard library, one sample at a time, with none of the product's code: what
it reads from a file is what the documents say that the file means. Its parts follow them:
spec_frames, spec_range and spec_sparse (docs/format.md); spec_predictive and what it imports
(docs/format-coding.md); spec_transform and what it imports (docs/format-transform.md).
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from fractions import Fraction

from tests.golden.spec_frames import (
    ANCILLARY,
    CODE,
    END,
    EVENTS,
    GAP,
    HEADER,
    RESET,
    Fields,
    messages,
)
from tests.golden.spec_predictive import PredictiveReader
from tests.golden.spec_range import Level, RangeDecoder, Source, Trend, model
from tests.golden.spec_sparse import KernelSet, Part, SpikesReader
from tests.golden.spec_transform import LeadFacts, TransformReader

LOSSLESS, SPIKES, BOUNDED, QUALITY = range(4)
PREDICTED_BOUND = 2


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

    def reset(self) -> None:
        self.validity = model(3)
        self.loss = Level(200)


@dataclass
class Stream:
    """Everything that one stream of the file says.

    Attributes:
        samples, valid: by sample, then lead. positions: of the samples.
        losses: loss indices by the window's first sample.
    """

    info: dict[str, object]
    leads: list[Lead]
    profile: int
    block: int
    window: int
    position: int
    by_spikes: list[SpikesReader] = field(default_factory=list)
    predicted: PredictiveReader | None = None
    transformed: TransformReader | None = None
    samples: list[list[int]] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    valid: list[list[int]] = field(default_factory=list)
    losses: dict[int, list[int]] = field(default_factory=dict)
    gaps: list[tuple[int, int, str]] = field(default_factory=list)
    events: list[tuple[int, int, str, int, int, int, str]] = field(default_factory=list)
    ended: bool = False

    @property
    def spikes(self) -> list[tuple[int, int]]:
        """(position, lead) of every spike."""
        return [(at, i) for i, lead in enumerate(self.by_spikes) for at, _, _ in lead.spikes]

    @property
    def layers(self) -> set[int]:
        """Layers that a CODE message must have."""
        if self.profile == SPIKES:
            return {1, 2, 6}
        if self.profile == LOSSLESS:
            return {3}
        if self.predicted:
            return {3, 6}
        return {2, 3, 6} if self.profile == QUALITY else {2, 3, 4, 6}

    @property
    def coder(self) -> PredictiveReader | TransformReader | None:
        """What reads all leads at once."""
        return self.predicted or self.transformed

    @property
    def readers(self) -> list[SpikesReader | PredictiveReader | TransformReader]:
        return [*self.by_spikes, *([self.coder] if self.coder else [])]

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
        assert {i for i in (1, 2, 3, 4, 6) if layers >> i & 1} == self.layers
        if flags & RESET or not self.samples:
            for one in (*self.leads, *self.readers):
                one.reset()
        begins = bool(layers & 1)
        if begins:
            for coder in self.readers:
                coder.restart()
        source = RangeDecoder(fields.data[fields.at :])
        fresh = begins or bool(flags & RESET)
        while self.position < first + count:
            whole = self.position // self.block * self.block
            end = min(whole + self.block, first + count)
            part = Part(self.position, end, whole, self.block, begins, fresh)
            self.read_part(source, part, validity=bool(layers & 32))
            fresh = begins = False

    def read_part(self, source: Source, part: Part, *, validity: bool) -> None:
        start, end = part.start, part.end
        valid = []
        for lead in self.leads:
            before, ok = 1, [1] * (end - start)
            if validity and not source.adaptive(lead.validity, 0):
                for i in range(end - start):
                    before = ok[i] = source.adaptive(lead.validity, 1 + before)
            valid.append(ok)
        if self.coder:
            columns = self.coder.read(source, valid)
        else:
            columns = [lead.read(source, part) for lead in self.by_spikes]
        for lead, column, oks in zip(self.leads, columns, valid, strict=True):
            blank = 0 if lead.invalid is None else lead.invalid
            column[:] = [x if ok else blank for x, ok in zip(column, oks, strict=True)]
        if self.profile != LOSSLESS:
            for close in range(self.window * (start // self.window + 1), end + 1, self.window):
                self.losses[close - self.window] = [lead.loss.read(source) for lead in self.leads]
        self.samples.extend(list(row) for row in zip(*columns, strict=True))
        self.valid.extend(list(row) for row in zip(*valid, strict=True))
        self.positions.extend(range(start, end))
        self.position = end

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
        name, unit, gain = fields.text(), fields.text(), fields.float64()
        baseline, bits = fields.zigzag(), fields.byte()
        low, high = fields.zigzag(), fields.zigzag()
        leads.append(Lead(name, unit, gain, baseline, bits, low, high, fields.optional()))
    profile, block, window = fields.byte(), fields.varint(), fields.varint()
    tables = fields.varint()
    assert tables < (1 if profile == SPIKES else 2)
    stream = Stream({"rate": rate, "origin": origin}, leads, profile, block, window, start)
    read_profile(fields, stream, Fraction(*rate), tables)
    while fields.at < len(content):
        assert fields.varint() % 2
        fields.take(fields.varint())
    return repeat, stream


def read_profile(fields: Fields, stream: Stream, rate: Fraction, tables: int) -> None:
    """The profile fields."""
    leads, info = stream.leads, stream.info
    if stream.profile == SPIKES:
        read_kernels(fields, stream)
        return
    bounds = [0] * len(leads)
    if stream.profile == BOUNDED:
        bounds = [fields.varint() for _ in leads]
        info["errors"] = tuple(bounds)
    if stream.profile == QUALITY:
        info["aim"] = fields.byte(), fields.float64()
    if stream.profile != QUALITY and max(bounds) <= PREDICTED_BOUND:
        info["preset"] = preset = fields.byte()
        baselines = [lead.baseline for lead in leads]
        stream.predicted = PredictiveReader(rate, bounds, preset, baselines, tables=tables)
        return
    info["late"] = late = fields.varint()
    assert late <= 4096
    facts = [
        LeadFacts(
            lead.baseline, lead.minimum, lead.maximum, bound if stream.profile == BOUNDED else None
        )
        for lead, bound in zip(leads, bounds, strict=True)
    ]
    stream.transformed = TransformReader(rate, stream.block, late, facts, tables=tables)


def read_kernels(fields: Fields, stream: Stream) -> None:
    """The profile fields of spikes."""
    convolution = bool(fields.byte())
    stream.info["delay"] = fields.byte()
    sets = []
    for _ in range(fields.varint()):
        scale, step, fixed = fields.byte(), fields.byte(), fields.optional()
        sizes = [(fields.varint(), fields.varint()) for _ in range(fields.varint())]
        source = RangeDecoder(fields.take(fields.varint()))
        tap, kernels = Trend(0), []
        for med, count in sizes:
            tap.restart(0)
            kernels.append((med, [tap.read(source) for _ in range(count)]))
        sets.append(KernelSet(kernels, fixed, 2 * scale - step))
    for lead in stream.leads:
        limits = lead.minimum, lead.maximum
        group = sets[fields.byte()]
        reader = SpikesReader(group, lead.baseline, limits, convolution=convolution)
        stream.by_spikes.append(reader)


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
