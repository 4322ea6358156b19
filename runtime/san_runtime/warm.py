"""Compile all that the codec needs and keep it in the cache, before anybody waits for it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from san_runtime.compiled import compiled_core
from san_runtime.encoder import Encoder
from san_stream.decode import Decoder
from san_stream.kernels import Kernel, Kernels, KernelSet
from san_stream.profiles import PRESETS, Bounded, Lossless, Quality, Spikes
from san_stream.types import Chunk, Gap, Lead, StreamInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from san_stream.profiles import Profile

RATE: Final = 250
SECONDS: Final = 60
"""Long enough for kernels to be born, taught and corrected."""
MISSING: Final = -2048
MISSES: Final = slice(5000, 5004)


def profiles() -> list[Profile]:
    """One of each kind that runs code of its own."""
    taps = np.rint(90 * np.cos(2 * np.pi * np.arange(41) / 41)).astype(int)
    taps[20] -= taps.sum()
    model = Kernels((KernelSet((Kernel(tuple(taps.tolist()), 40),), 8, 6),), Fraction(RATE))
    exact: list[Profile] = [Lossless(preset) for preset in PRESETS]
    return [*exact, Bounded(1, "fast"), Bounded(2), Bounded(8), Quality(prdn=9), Spikes(model)]


def signal() -> NDArray[np.int32]:
    """Two leads of a beat with noise, int32 ``[n, 2]``; a few samples are missing."""
    rng = np.random.default_rng(0)
    t = np.arange(SECONDS * RATE)
    beat = 300 * np.exp(-(((t % 211 - 90) / 4.0) ** 2)) + 60 * np.sin(t / 40)
    x = np.rint(np.stack([beat, -beat / 2], 1) + rng.normal(0, 5, (len(t), 2))).astype(np.int32)
    x[MISSES] = MISSING
    return x


def warm() -> int:
    """Encode and decode a minute of each profile; what was compiled stays in the cache.

    Returns:
        The bytes that came out.
    """
    samples = signal()
    valid = samples != MISSING
    leads = tuple(
        Lead(name, bits=12, minimum=-2048, maximum=2047, invalid=MISSING) for name in ("I", "II")
    )
    info = StreamInfo(Fraction(RATE), leads)
    size = 0
    for profile in profiles():
        encoder = Encoder(info, profile)
        messages = encoder.push(Chunk(0, samples, valid))
        messages += encoder.push(Gap(len(samples), RATE, "warming"))
        messages += encoder.push(samples[: 10 * RATE]) + encoder.close()
        data = b"".join(messages)
        decoder = Decoder(core=compiled_core())
        decoder.push(data)
        decoder.close()
        size += len(data)
    return size
