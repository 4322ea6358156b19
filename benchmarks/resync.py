"""What damage costs a reader: frames lost, frames held back, wrong payloads accepted.

Each trial is a stream of 12 frames with one damage of 1 to 200 bytes somewhere: bits flipped, bytes
deleted, inserted, overwritten, zeroed or repeated. The reader gets it in reads of `--read` bytes. A
frame behind the damage is held back where a forged length made the reader wait for more bytes.

    python benchmarks/resync.py [--frames N] [--read N] [--seed N]
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import dataclass, field

from _machine import describe

from san_stream import FrameReader
from san_stream.reader import Damage
from san_stream.wire import MAX_PAYLOAD, OVERHEAD, Frame, pack_frame

FRAMES = 12
SIZES = (0, 12, 30, 60, 120, 250, 500, 1000, MAX_PAYLOAD)
POOL = 3000
LARGEST_DAMAGE = 200
KINDS = ("flip", "delete", "insert", "overwrite", "zero", "repeat")


@dataclass(slots=True)
class Tally:
    """Counts over all trials of one kind of damage.

    Attributes:
        frames, touched: frames in all, and those that the damage touched.
        lost: frames not touched that never came out. worst: most of them in one trial.
        wrong: frames that came out and were never written.
        held: bytes that frames behind the damage waited for beyond the read that completed them.
    """

    frames: int = 0
    touched: int = 0
    lost: int = 0
    worst: int = 0
    wrong: int = 0
    held: list[int] = field(default_factory=list)


def damage(rng: random.Random, kind: str, data: bytes, at: int, count: int) -> tuple[bytes, int]:
    """The damaged bytes, and how many of the old ones were touched (0: between two of them)."""
    count = min(count, len(data) - at)
    piece = data[at : at + count]
    match kind:
        case "flip":
            flipped = bytearray(piece)
            for i in range(count):
                flipped[i] ^= 1 << rng.randrange(8)
            new = bytes(flipped)
        case "delete":
            new = b""
        case "insert":
            return data[:at] + rng.randbytes(count) + data[at:], 0
        case "overwrite":
            new = rng.randbytes(count)
        case "zero":
            new = bytes(count)
        case _:
            return data[: at + count] + piece + data[at + count :], -count
    return data[:at] + new + data[at + count :], count


def untouched(ends: list[int], at: int, count: int) -> list[int]:
    """Frames that lie whole before or behind the damage of `count` bytes at `at`."""
    kept = []
    for i in range(FRAMES):
        first, end = ends[i], ends[i + 1]
        if count > 0:
            whole = end <= at or first >= at + count
        else:  # bytes came in, at `at` or behind a repeated piece
            whole = end <= at - count or first >= at - count
        if whole:
            kept.append(i)
    return kept


def trial(
    rng: random.Random, kind: str, pool: list[tuple[bytes, Frame]], read: int, tally: Tally
) -> None:
    """One stream: damaged, read, compared."""
    chosen = rng.sample(pool, FRAMES)
    ends = [0]
    for data, _ in chosen:
        ends.append(ends[-1] + len(data))
    at, count = rng.randrange(ends[-1]), rng.randint(1, LARGEST_DAMAGE)
    stream, touched = damage(rng, kind, b"".join(data for data, _ in chosen), at, count)
    grown = len(stream) - ends[-1]
    reader, seen, fed = FrameReader(), {}, 0
    for start in range(0, len(stream), read):
        fed = min(start + read, len(stream))
        for item in reader.push(stream[start:fed]):
            if not isinstance(item, Damage):
                seen[item.block] = (item, fed)
    for item in reader.close():
        if not isinstance(item, Damage):
            seen[item.block] = (item, len(stream))
    known = {frame.block: frame for _, frame in chosen}
    tally.wrong += sum(known.get(block) != frame for block, (frame, _) in seen.items())
    kept = untouched(ends, at, touched)
    tally.frames += FRAMES
    tally.touched += FRAMES - len(kept)
    lost = 0
    for i in kept:
        block = chosen[i][1].block
        if block not in seen:
            lost += 1
        elif ends[i] >= at:
            complete = ends[i + 1] + grown
            due = min(-(-complete // read) * read, len(stream))
            tally.held.append(seen[block][1] - due)
    tally.lost += lost
    tally.worst = max(tally.worst, lost)


def make_pool(rng: random.Random) -> list[tuple[bytes, Frame]]:
    """Frames of all sizes; the block number tells them apart."""
    pool = []
    for number in range(POOL):
        payload = rng.randbytes(rng.choice(SIZES))
        frame = Frame(rng.randrange(1, 9), rng.randrange(16), rng.randrange(4), number, payload)
        data = pack_frame(frame.kind, frame.flags, frame.stream, number, payload)
        pool.append((data, frame))
    return pool


def row(name: str, tally: Tally) -> str:
    """One line of the table."""
    held = sorted(tally.held)
    late = [x for x in held if x > 0]
    share = len(late) / max(len(held), 1)
    middle = late[len(late) // 2] if late else 0
    return (
        f"| {name} | {tally.frames} | {tally.touched} | {tally.lost} | {tally.worst} "
        f"| {tally.wrong} | {100 * share:.3f} % | {middle} | {late[-1] if late else 0} |"
    )


def main() -> None:
    """Run the trials and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=120_000)
    parser.add_argument("--read", type=int, default=64, help="bytes a read")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)  # noqa: S311 - trials, not secrets
    pool = make_pool(rng)
    tallies = {kind: Tally() for kind in KINDS}
    start = time.process_time()
    for number in range(-(-args.frames // FRAMES)):
        kind = KINDS[number % len(KINDS)]
        trial(rng, kind, pool, args.read, tallies[kind])
    spent = time.process_time() - start
    total = Tally()
    for tally in tallies.values():
        total.frames += tally.frames
        total.touched += tally.touched
        total.lost += tally.lost
        total.worst = max(total.worst, tally.worst)
        total.wrong += tally.wrong
        total.held += tally.held
    print(describe("numpy"))
    print(
        f"reads of {args.read} bytes, largest frame {OVERHEAD + MAX_PAYLOAD}, seed {args.seed}, "
        f"{spent:.0f} s"
    )
    print(
        "| damage | frames | touched | untouched, lost | most in a trial | wrong payloads "
        "| held back | median, bytes | most, bytes |"
    )
    print("| --- " * 9 + "|")
    for kind, tally in tallies.items():
        print(row(kind, tally))
    print(row("all", total))


if __name__ == "__main__":
    main()
