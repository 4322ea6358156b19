"""Integer signals and whole files for tests, from integers and a recording: the same for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import san_runtime
from san_runtime.encoder import Encoder
from san_stream.kernels import Kernel, Kernels, KernelSet, Tie
from san_stream.profiles import Profile
from san_stream.types import Chunk, Event, Gap, Lead, StreamInfo

Item = Chunk | Gap | Event
Samples = NDArray[np.int32]


def lcg(seed: int) -> Iterator[int]:
    """Numbers of 31 bits: the linear congruential generator of Knuth's MMIX, upper bits."""
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield state >> 33


@cache
def beats(n: int, leads: int, seed: int = 1) -> Samples:
    """Something like an ECG: slow triangle, narrow peaks at uneven distances, noise."""
    draw = lcg(seed)
    out = np.zeros((n, leads), np.int32)
    for lead in range(leads):
        at, due = 0, 20 + lead
        for t in range(n):
            wander = abs((t + 100 * lead) % 800 - 400) // 8
            noise = next(draw) % 5 - 2
            if t == due:
                at, due = t, t + 60 + next(draw) % 25
            age = t - at
            peak = (0, 60, 190, 310, 150, -80, -40)[age] if at and age < 7 else 0
            out[t, lead] = wander + noise + (peak if lead % 2 == 0 else -peak // 2)
    out.flags.writeable = False
    return out


def two_shapes(n: int, leads: int, seed: int = 4) -> Samples:
    """Beats, in the end every third broad and both ways; a lead has them later than the last."""
    draw = lcg(seed)
    out = np.array([[next(draw) % 7 - 3 for _ in range(leads)] for _ in range(n)], np.int32)
    at, number = 40, 0
    while at + 12 + leads < n:
        for lead in range(leads):
            for j in range(-9, 10):
                narrow = 150 * max(4 - abs(j), 0)
                broad = 130 * max(5 - abs(j + 4), 0) - 130 * max(5 - abs(j - 4), 0)
                out[at + lead + j, lead] += broad if number > 4 and number % 3 == 2 else narrow
        at, number = at + 72 + next(draw) % 17, number + 1
    out.flags.writeable = False
    return out


def recording(n: int) -> Samples:
    """The first samples of the bundled record: two leads of an ECG, 360 Hz, 11 bits."""
    path = Path(san_runtime.__file__).with_name("demo_data") / "100_1min.dat"
    octets = np.frombuffer(path.read_bytes()[: 3 * n], np.uint8).astype(np.int32).reshape(-1, 3)
    # Format 212 of PhysioNet: two numbers of 12 bits in three bytes.
    low, middle, high = octets.T
    pairs = np.stack((low | (middle & 15) << 8, high | (middle >> 4) << 8), axis=1)
    return (pairs ^ 2048) - 2048


@cache
def rhythm(n: int, leads: int, seed: int = 5) -> Samples:
    """Something like an EEG: a resonance of some nine samples driven by noise."""
    draw = lcg(seed)
    out = np.zeros((n, leads), np.int32)
    for lead in range(leads):
        last = older = 0
        for t in range(n):
            # two poles at radius 0.97: 2 · 0.97 · cos(40°), 0.97²
            new = (1522 * last - 963 * older) // 1024 + next(draw) % 41 - 20
            out[t, lead] = new
            older, last = last, new
    return out


def noise(n: int, leads: int, seed: int = 2, bits: int = 16) -> Samples:
    """Numbers of so many bits, none like the next: no model helps."""
    draw = lcg(seed)
    values = [next(draw) * 2 + next(draw) % 2 - 2**31 for _ in range(n * leads)]
    return (np.array(values, np.int64).reshape(n, leads) >> (32 - bits)).astype(np.int32)


def mixtures(n: int, leads: int, seed: int = 3) -> Samples:
    """Leads that are alike by threes, with noise of their own: lead i is like i − 3."""
    draw = lcg(seed)
    out = np.zeros((n, leads), np.int32)
    walks = [0, 0, 0]
    for t in range(n):
        walks = [walk + next(draw) % 81 - 40 for walk in walks]
        out[t] = [walks[lead % 3] * (1 + lead % 2) + next(draw) % 7 - 3 for lead in range(leads)]
    out.flags.writeable = False
    return out


def extremes(n: int, leads: int) -> Samples:
    """The ends of int32 by turns, and runs of each."""
    low, high = -(2**31), 2**31 - 1
    pattern = [low, high, low, high, 0, -1, high, high, high, low, low, 1]
    values = [pattern[(t * (lead + 1)) % 12] for t in range(n) for lead in range(leads)]
    return np.array(values, np.int64).reshape(n, leads).astype(np.int32)


def zero_sum_kernels(tie: Tie = "adjoint", rate: int = 100) -> Kernels:
    """Two kernels of different length and distance, for any lead."""
    peak = (-60, -31, 22, 93, 160, 95, 13, -87, -65, -40)
    narrow = (-30, 61, -31)
    taps = Kernel(tuple(8 * (w - (sum(peak) if i == 0 else 0)) for i, w in enumerate(peak)), 20)
    return Kernels((KernelSet((taps, Kernel(narrow, 11)), 10, 8),), Fraction(rate), tie=tie)


def fixed_kernels(tie: Tie = "adjoint", rate: int = 100) -> Kernels:
    """One kernel that keeps its sum, with a declared baseline; another set for lead "L1"."""
    smooth = KernelSet((Kernel((5, 20, 40, 51, 40, 21, 5), 5),), 7, 6, baseline=20)
    blunt = KernelSet((Kernel((40,), 3), Kernel((1, 30, 60, -91), 9)), 8, 9, -3, ("L1",))
    return Kernels((smooth, blunt), Fraction(rate), tie=tie)


def stream_info(leads: int = 2, rate: int = 100, stream: int = 0, **lead: Any) -> StreamInfo:
    """A stream of leads L0, L1, …; `lead` is what all of them share."""
    shared = {"minimum": -(2**31), "maximum": 2**31 - 1, "bits": 32} | lead
    return StreamInfo(
        Fraction(rate), tuple(Lead(f"L{i}", **shared) for i in range(leads)), stream=stream
    )


def encode(
    items: Iterable[Item | Samples], info: StreamInfo, profile: Profile, **options: Any
) -> bytes:
    """A whole file."""
    return b"".join(encode_messages(items, info, profile, **options))


def encode_messages(
    items: Iterable[Item | Samples], info: StreamInfo, profile: Profile, **options: Any
) -> list[bytes]:
    """A whole file, message by message."""
    encoder = Encoder(info, profile, **options)
    out = [message for item in items for message in encoder.push(item)]
    return out + encoder.close()


def invalid_where(shape: tuple[int, ...], rule: Callable[[int, int], bool]) -> NDArray[np.bool_]:
    """Validity that is False where the rule says so of (sample, lead)."""
    return np.array([[not rule(t, lead) for lead in range(shape[1])] for t in range(shape[0])])
