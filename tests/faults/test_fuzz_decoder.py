"""Mutated message contents with correct checksums through `Decoder`, with the compiled core.

Two kinds of damage. Only coded bytes: the decoder cannot tell in every case, but whatever comes
before them, and all from the next RESET on, must be exact. Any content, kind and flag: what comes
before must be exact, and nothing may raise, take long or take memory.
"""

from __future__ import annotations

import random
import time
import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest

from san_runtime.compiled import compiled_core
from san_stream import Bounded, Decoder, Lossless, Quality, Signal, Spikes
from san_stream.coding.layers import Block
from san_stream.coding.stream import StreamCoder
from san_stream.fields import varint
from san_stream.headers import Header, pack_header
from san_stream.payloads import pack_code, unpack_code
from san_stream.profiles import Profile
from san_stream.reader import Message, MessageReader
from san_stream.types import Chunk, Event, Gap
from san_stream.wire import ANCILLARY, RESET, Kind, pack_message
from tests.golden import signals

SEED = 20240301
BLOCK, PERIOD = 25, 100
LIMIT = 0.5  # s a message: the heaviest coder may have 2^15 samples to decode
MEMORY = 16 * 2**20

Rows = dict[int, tuple[int, ...]]


@dataclass(frozen=True)
class Original:
    """A stream, its messages, and what it decodes to."""

    messages: list[Message]
    packed: list[bytes]
    rows: Rows
    reach: int
    block: int


@dataclass
class Tally:
    """What a run did and met."""

    streams: int = 0
    mutated: int = 0
    slowest: float = 0.0
    what: str = ""


PREDICTED = (Lossless("tiny"), Lossless("fast"), Lossless("lean"), Lossless("max"), Bounded(1))
TRANSFORMED = (Quality(step=6), Quality(prdn=20), Bounded(4))
TRAINED = tuple(map(Spikes, (signals.zero_sum_kernels(), signals.fixed_kernels("convolution"))))


def compile_all() -> None:
    """Decode streams of noise: their blocks go raw, which those of `originals` do not."""
    rng = random.Random(0)
    noise = np.array([[rng.randrange(-(2**31), 2**31)] for _ in range(200)], np.int32)
    for profile in (*PREDICTED, *TRANSFORMED):
        packed = signals.encode_messages([Chunk(0, noise)], signals.stream_info(1), profile)
        decode(packed, None)


def originals() -> list[Original]:
    """All profiles, live and packed, with gaps, invalid samples and events."""
    found = []
    x = signals.beats(500, 2)
    valid = signals.invalid_where(x.shape, lambda t, lead: t % 61 < 3 and lead == 0)
    items = [
        Event(3, "N"),
        Chunk(0, x[:130], valid[:130]),
        Gap(130, 41, "off"),
        Event(350, "V", 1, 2, -3, 4, "note"),
        Chunk(171, x[171:], valid[171:]),
    ]
    info = signals.stream_info(2, minimum=-1000, maximum=1000, invalid=-1001)
    for profile in (*PREDICTED, *TRANSFORMED, *TRAINED):
        length = {"delay": 0.5} if profile in TRANSFORMED else {"block": BLOCK}
        for pack in (None, 100):
            packed = signals.encode_messages(
                items, info, profile, **length, window=40, reset=PERIOD, pack=pack
            )
            reader = MessageReader()
            messages = [m for m in reader.push(b"".join(packed)) if isinstance(m, Message)]
            assert len(messages) == len(packed)
            decoder = Decoder(compiled_core())
            rows = collect(decoder.push(b"".join(packed)) + decoder.close())
            assert decoder.streams[0].digest_ok is True
            reach = 9 if isinstance(profile, Spikes) else 0
            block = decoder.streams[0].header.block
            found.append(Original(messages, packed, rows, reach, block))
    return found


def collect(got: list[Signal], segment: int = 0) -> Rows:
    return {
        signal.first_sample + i: tuple(row)
        for signal in got
        if signal.segment == segment and signal.stream == 0
        for i, row in enumerate(signal.digital.tolist())
    }


def damage(rng: random.Random, content: bytes, first: int) -> bytes:
    """Another content; nothing changes before the byte `first`."""
    head, data = content[:first], bytearray(content[first:])
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(9):
            case 0 | 1 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 2 if at < len(data):
                data[at] = rng.choice((0, 1, 127, 128, 254, 255))
            case 3:
                del data[at:]
            case 4:
                data[at:at] = rng.randbytes(rng.choice((1, 2, 9, 60)))
            case 5:
                del data[at : at + rng.randrange(1, 9)]
            case 6:
                size = rng.choice((0, 1, 127, 2**14, 2**16 - 1, 2**32 - 1, 2**62, 2**63 - 1))
                piece = varint(size)
                data[at : at + len(piece)] = piece
            case 7:
                data = bytearray(rng.choice((b"\0", b"\xff", b"\x55")) * len(data))
            case _:
                data[at:at] = data[max(at - 12, 0) : at]
    return head + bytes(data)


def place(message: Message, block: int) -> tuple[int, int]:
    """First sample of an undamaged CODE message, and the sample behind its last."""
    prefix = unpack_code(message.content, message.block * block, block, 2)
    return prefix.first, prefix.first + prefix.count


def coded_bytes(message: Message, block: int) -> int:
    """Where the coded bytes of an undamaged CODE message begin."""
    return unpack_code(message.content, message.block * block, block, 2).coded


def mutated(
    rng: random.Random, original: Original, *, strict: bool
) -> tuple[list[bytes], set[int]]:
    """The stream with about a third of its messages mutated, and which."""
    packed, hit = list(original.packed), set()
    for i, message in enumerate(original.messages):
        code = message.kind == Kind.CODE
        if rng.random() > 0.35 or (strict and not code) or (i == 0 and rng.random() < 0.9):
            continue
        kind, flags, block = message.kind, RESET if message.reset else 0, message.block
        if not strict:
            if rng.random() < 0.1:
                kind = rng.randrange(1, 16)
            if rng.random() < 0.1:
                flags ^= rng.choice((RESET, ANCILLARY))
            if rng.random() < 0.1:
                block = rng.choice((0, block + 1, 32767, 65535))
        content = damage(
            rng, message.content, coded_bytes(message, original.block) if strict else 0
        )
        packed[i] = pack_message(kind, flags, 0, block, content)
        hit.add(i)
    return packed, hit


def decode(packed: list[bytes], tally: Tally | None) -> list[Signal]:
    decoder = Decoder(compiled_core())
    got = []
    for data in packed:
        start = time.process_time()
        got += decoder.push(data)
        spent = time.process_time() - start
        if tally is not None and spent > tally.slowest:
            tally.slowest, tally.what = spent, data[:64].hex()
    return got + decoder.close()


def check(original: Original, got: list[Signal], hit: set[int], *, strict: bool) -> None:
    rows = collect(got)
    first_hit = min(hit, default=len(original.messages))
    clean, behind = True, False  # since the last RESET; and whether all before it was clean
    for i, message in enumerate(original.messages):
        if message.kind != Kind.CODE:
            continue
        start, end = place(message, original.block)
        if message.reset:
            behind, clean = not clean, True
            start += original.reach if behind else 0
        clean = clean and i not in hit
        if i < first_hit or (strict and clean):
            for t in range(start, end):
                assert rows[t] == original.rows[t]
    if strict:
        told = [t for s in got for g in s.gaps for t in range(g.first, g.first + g.count)]
        assert sorted([*told, *rows]) == list(range(500))


def run(count: int, seed: int) -> Tally:
    compile_all()
    rng = random.Random(seed)
    sources = originals()
    tally = Tally()
    while tally.mutated < count:
        original = rng.choice(sources)
        strict = rng.random() < 0.5
        packed, hit = mutated(rng, original, strict=strict)
        watched = tally if tally.streams >= 200 else None  # the first ones compile and warm up
        check(original, decode(packed, watched), hit, strict=strict)
        tally.streams += 1
        tally.mutated += len(hit)
    return tally


def report(tally: Tally, seed: int) -> None:
    print(  # noqa: T201
        f"\nDecoder: {tally.mutated} mutated messages in {tally.streams} streams, slowest "
        f"{1000 * tally.slowest:.1f} ms ({tally.what}); seed {seed}"
    )


def test_five_thousand_messages() -> None:
    report(run(5000, SEED), SEED)


@pytest.mark.fuzz
def test_two_hundred_thousand_messages(capsys: pytest.CaptureFixture[str]) -> None:
    tally = run(200_000, SEED + 1)
    with capsys.disabled():
        report(tally, SEED + 1)
    assert tally.slowest < LIMIT


def name_of(profile: Profile) -> str:
    return f"{profile.name} {getattr(profile, 'preset', '')}".strip()


@pytest.mark.parametrize("profile", [*PREDICTED, *TRANSFORMED, *TRAINED], ids=name_of)
def test_the_longest_message_of_few_bytes(profile: Profile) -> None:
    """They may stand for as many samples as the format allows in one message."""
    info = signals.stream_info(1, minimum=-1000, maximum=1000)
    weight = len(profile.kernels.sets[0].kernels) if isinstance(profile, Spikes) else 8
    count = 2**18 // weight
    length = {"delay": 8} if profile in TRANSFORMED else {"block": min(count, 2**15 // weight)}
    packed = signals.encode_messages(
        [np.zeros((count, 1), np.int32)],
        info,
        profile,
        **length,
        window=2**20,
        reset=2**30,
        pack=count,
    )
    tally = Tally()
    assert sum(map(len, decode(packed, None))) == count
    decode(packed, tally)
    assert max(map(len, packed)) < 4096
    assert tally.slowest < LIMIT


@pytest.mark.parametrize("profile", PREDICTED, ids=name_of)
def test_the_longest_message_of_many_bytes(profile: Profile) -> None:
    """No encoder of ours makes it so long: its samples need many decisions each."""
    info = signals.stream_info(1)
    profile = Bounded((profile.max_error,), "max") if isinstance(profile, Bounded) else profile
    header = Header(info, profile, 2**15, 2**20)
    coder = StreamCoder(header, compiled_core())
    coder.reset()
    coder.restart()
    coder.begin_message()
    noise = signals.noise(2**15, 1, bits=16).astype(np.int64)[:, 0]
    coder.write(Block(0, 2**15, samples=[coder.core.listed(noise)]), lambda: None)
    content = pack_code(0, 2**15, 2**15, coder.layers, coder.end_message(), run_begins=True)
    packed = [
        pack_message(Kind.HEADER, 0, 0, 0, pack_header(header)),
        pack_message(Kind.CODE, RESET, 0, 0, content),
    ]
    tally = Tally()
    assert sum(map(len, decode(packed, tally))) == 2**15
    assert len(packed[1]) > 2**15
    assert tally.slowest < LIMIT
    print(f"\n{name_of(profile)}: {1000 * tally.slowest:.0f} ms")  # noqa: T201


def test_memory() -> None:
    """Whatever a stream of small messages declares, decoding it takes no 16 MiB."""
    rng = random.Random(SEED)
    sources = originals()
    largest = 0
    for _ in range(200):
        packed, _ = mutated(rng, rng.choice(sources), strict=False)
        tracemalloc.start()
        decode(packed, None)
        largest = max(largest, tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert largest < MEMORY
