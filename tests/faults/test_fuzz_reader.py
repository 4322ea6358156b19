"""Damaged streams through `FrameReader`: every untouched frame comes out, no other ever does.

A frame counts where a mutation touched it; about as many more stay whole between them.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

import pytest

from san_stream import Decoder
from san_stream.reader import Damage, FrameReader
from san_stream.wire import MAX_PAYLOAD, OVERHEAD, SYNC, Frame, crc8, pack_frame

POOL = 4096
BATCH = 300
PIECE_COST = 0.050 / 65536  # s a byte: 50 ms in 64 KiB
SEED = 20240229


@dataclass
class Tally:
    """What a run did and met."""

    streams: int = 0
    frames: int = 0
    touched: int = 0
    size: int = 0
    lost: int = 0
    wrong: int = 0
    untold: int = 0
    slowest: float = 0.0  # s in 64 KiB
    spent: float = 0.0


def pool(rng: random.Random) -> tuple[list[bytes], list[Frame]]:
    """Frames of all sizes, most of them small; block and payload tell them apart."""
    packed, frames = [], []
    for number in range(POOL):
        size = rng.choice((0, 1, 7, 20, 20, 40, 40, 90))
        if number % 128 == 0:
            size = rng.choice((MAX_PAYLOAD, MAX_PAYLOAD - 1, 2000))
        payload = rng.randbytes(size)
        if number % 3 == 0:
            payload = payload.replace(payload[:1], bytes((SYNC,)))
        kind, flags, stream = rng.randrange(1, 16), rng.randrange(16), rng.randrange(256)
        packed.append(pack_frame(kind, flags, stream, number, payload))
        frames.append(Frame(kind, flags, stream, number, payload))
    return packed, frames


def forge(rng: random.Random, data: bytes) -> bytes:
    """Another length, kind, flags, stream or block, with a correct CRC-8 and the old rest."""
    head = bytearray(data[:7])
    head[rng.randrange(1, 7)] = rng.randrange(256)
    if rng.random() < 0.5:
        head[5:7] = rng.choice((0, 1, len(data), 4095, 4096, 4097, 65535)).to_bytes(2, "little")
    return bytes(head) + bytes((crc8(head),)) + data[8:]


def mutate(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """One damage to one frame; `other` is a whole frame to take pieces from."""
    size = len(data)
    at = rng.randrange(size)
    count = min(1 + int(rng.expovariate(0.1)), 200)
    match rng.randrange(11):
        case 0 | 1:
            damaged = bytearray(data)
            damaged[at] ^= 1 << rng.randrange(8)
            return bytes(damaged)
        case 2:
            return data[:at] + data[at + count :]
        case 3:
            return data[:at] + rng.randbytes(count) + data[at:]
        case 4:
            return data[:at] + rng.randbytes(count) + data[at + count :]
        case 5:
            return data[:at] + bytes(count) + data[at + count :]
        case 6:
            return data[:at] + data[max(at - count, 0) : at] + data[at:]
        case 7:
            return data[:at] + bytes((SYNC,)) * count + data[at:]
        case 8:
            return forge(rng, data)
        case 9:
            return data[:at] + forge(rng, other)[: 8 + rng.randrange(30)] + data[at:]
        case _:
            return data[: rng.randrange(1, 12)] + other + data[at:]


def damaged_stream(rng: random.Random, packed: list[bytes]) -> tuple[bytes, list[int], list[int]]:
    """Bytes, numbers of the frames in them, and of those among them that were not touched."""
    chosen = rng.sample(range(POOL), BATCH)
    parts, whole = [], []
    for number in chosen:
        data = packed[number]
        if rng.random() < 0.5:
            data = mutate(rng, data, packed[rng.choice(chosen)])
            if rng.random() < 0.05:  # the border to the frame before is lost with it
                data = data[rng.randrange(20) :]
        else:
            whole.append(number)
        parts.append(data)
    if rng.random() < 0.1:  # the stream stops within its last frame
        parts[-1] = parts[-1][: rng.randrange(len(parts[-1]) + 1)]
        whole = [number for number in whole if number != chosen[-1]]
    healed = set()
    for i, number in enumerate(chosen[:-1]):
        # A frame that lost its last byte, a sync, is whole again with the next one's sync: then
        # the same bytes say that the next frame lost its first byte.
        if parts[i] != packed[number] and (parts[i] + parts[i + 1][:1]).endswith(packed[number]):
            healed.add(chosen[i + 1])
    return b"".join(parts), chosen, [number for number in whole if number not in healed]


def check(rng: random.Random, packed: list[bytes], frames: list[Frame], tally: Tally) -> None:
    data, chosen, whole = damaged_stream(rng, packed)
    reader = FrameReader()
    start = time.process_time()
    if rng.random() < 0.5:
        items = reader.push(data)
    else:
        step = rng.choice((1000, 64, 4096, 333))
        items = [x for at in range(0, len(data), step) for x in reader.push(data[at : at + step])]
    items += reader.close()
    spent = time.process_time() - start
    tally.spent += spent
    tally.slowest = max(tally.slowest, spent * 65536 / max(len(data), 65536))
    tally.streams += 1
    tally.frames += len(chosen)
    tally.touched += len(chosen) - len(whole)
    tally.size += len(data)
    told = 0
    seen = []
    for item in items:
        if isinstance(item, Damage):
            told += item.count
        else:
            told += OVERHEAD + len(item.payload)
            seen.append(item.block)
            if item != frames[item.block % POOL]:
                tally.wrong += 1
    tally.untold += told != len(data)
    remaining = iter(seen)
    tally.lost += sum(number not in remaining for number in whole)


def run(touched: int, seed: int) -> Tally:
    rng = random.Random(seed)
    packed, frames = pool(rng)
    tally = Tally()
    while tally.touched < touched:
        check(rng, packed, frames, tally)
    return tally


def report(tally: Tally, seed: int) -> None:
    rates = tally.frames / tally.spent, tally.size / 2**20 / tally.spent
    print(  # noqa: T201
        f"\nFrameReader: {tally.touched} mutated of {tally.frames} frames in {tally.streams} "
        f"streams, {tally.size / 2**20:.0f} MiB; {rates[0]:.0f} frames/s, {rates[1]:.1f} MiB/s; "
        f"slowest 64 KiB {1000 * tally.slowest:.1f} ms; lost {tally.lost}, wrong {tally.wrong}; "
        f"seed {seed}"
    )


def accept(tally: Tally) -> None:
    assert (tally.lost, tally.wrong, tally.untold) == (0, 0, 0)


def test_a_hundred_thousand_frames() -> None:
    tally = run(100_000, SEED)
    report(tally, SEED)
    accept(tally)


@pytest.mark.fuzz
def test_five_million_frames(capsys: pytest.CaptureFixture[str]) -> None:
    tally = run(5_000_000, SEED + 1)
    with capsys.disabled():
        report(tally, SEED + 1)
    accept(tally)
    assert tally.slowest < 0.050


@pytest.mark.parametrize("seed", range(3))
def test_noise_holds_no_frame(seed: int) -> None:
    """Random bytes, bytes that are half sync, and nothing but forged heads."""
    rng = random.Random(seed)
    noise = rng.randbytes(2**18)
    syncs = bytes(SYNC if rng.random() < 0.5 else rng.randrange(256) for _ in range(2**17))
    frame = pack_frame(2, 3, 0, 0, b"payload")
    forged = b"".join(forge(rng, frame)[:8] for _ in range(2**14))
    for data in (noise, syncs, forged, bytes((SYNC,)) * 2**17):
        reader, decoder = FrameReader(), Decoder()
        items = reader.push(data) + reader.close()
        assert items == [Damage(0, len(data))]
        assert decoder.push(data) + decoder.close() == []
        assert decoder.counters.damaged_bytes == len(data)
