"""Whole streams through `QualityCoder`, block by block, for tests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from san_runtime.quality import BlockSearch
from san_stream.coding.core import PLAIN, Core
from san_stream.coding.quality import QualityCoder
from san_stream.coding.quality_state import Spike
from san_stream.coding.range_coder import ERROR, STATE_SIZE
from san_stream.types import INT32_MAX, INT32_MIN, Lead

LIMIT = 2**53


class Exact(int):
    """An integer that must stay where doubles are exact, in every intermediate too."""

    @staticmethod
    def _checked(value: int) -> Exact:
        assert -LIMIT < value < LIMIT, value
        return Exact(value)

    def __add__(self, other: int) -> Exact:
        return self._checked(int(self) + int(other))

    def __sub__(self, other: int) -> Exact:
        return self._checked(int(self) - int(other))

    def __rsub__(self, other: int) -> Exact:
        return self._checked(int(other) - int(self))

    def __mul__(self, other: int) -> Exact:
        return self._checked(int(self) * int(other))

    def __lshift__(self, other: int) -> Exact:
        return self._checked(int(self) << int(other))

    def __rlshift__(self, other: int) -> Exact:
        return self._checked(int(other) << int(self))

    def __rshift__(self, other: int) -> Exact:
        return Exact(int(self) >> int(other))

    def __floordiv__(self, other: int) -> Exact:
        return Exact(int(self) // int(other))

    def __rfloordiv__(self, other: int) -> Exact:
        return Exact(int(other) // int(self))

    def __mod__(self, other: int) -> Exact:
        return Exact(int(self) % int(other))

    def __neg__(self) -> Exact:
        return Exact(-int(self))

    def __abs__(self) -> Exact:
        return Exact(abs(int(self)))

    __radd__ = __add__
    __rmul__ = __mul__


def _exact_store(size: int, value: int) -> list[int]:
    return [Exact(value) for _ in range(size)]


def _exact_list(values: Any) -> list[int]:
    return [Exact(int(value)) for value in values]


CHECKED: Core = replace(PLAIN, integers=_exact_store, words=_exact_store, listed=_exact_list)
"""The plain functions on integers that refuse to leave ±2^53."""


@dataclass(frozen=True)
class Setting:
    """How a signal is coded.

    Attributes:
        rate: Hz. block, ahead, late: samples. steps: 1/16 ADC unit, of the leads in turn.
        restarts: blocks before which a run begins. resets: ... before which all is forgotten.
        trained: whether leads may start from learned tables.
        starts: the only one that the encoder tries, of each lead; empty: all.
    """

    rate: Fraction = Fraction(360)
    block: int = 512
    ahead: int = 396
    late: int = 108
    steps: tuple[int, ...] = (16 * 16,)
    restarts: tuple[int, ...] = ()
    resets: tuple[int, ...] = ()
    trained: bool = False
    starts: tuple[int, ...] = ()

    def coder(self, leads: int, core: Core) -> QualityCoder:
        """A coder of so many leads, ready."""
        lead = Lead("x", baseline=0, minimum=INT32_MIN, maximum=INT32_MAX)
        trained = self.trained or bool(self.starts)
        coder = QualityCoder(
            self.rate, (lead,) * leads, self.block, self.late, core, trained=trained
        )
        if self.starts:
            coder.starts = [(start,) for start in self.starts]
        coder.reset()
        coder.restart()
        return coder

    def begin(self, coder: QualityCoder, block: int) -> None:
        """What happens before a block."""
        if block in self.resets:
            coder.reset()
        if block in self.resets or block in self.restarts:
            coder.restart()


@dataclass
class Coded:
    """A coded signal: bytes, what the decoder shows, spikes of each block and lead."""

    data: bytes
    shown: NDArray[np.int64]
    spikes: list[list[list[Spike]]]


def encode(
    signal: NDArray[np.int64], setting: Setting, core: Core = PLAIN, *, advised: bool = True
) -> Coded:
    """Code ``[n, leads]``, seeing no more than the look-ahead; without `advised`, uncorrected."""
    count, leads = signal.shape
    coder = setting.coder(leads, core)
    search = BlockSearch(coder)
    state, buffer = core.integers(STATE_SIZE, 0), core.octets(16 * signal.size + 4096)
    core.start_encoder(state)
    shown, spikes = [], []
    steps = [setting.steps[lead % len(setting.steps)] for lead in range(leads)]
    for number, first in enumerate(range(0, count, setting.block)):
        setting.begin(coder, number)
        end = min(first + setting.block, count)
        known = signal[max(first - 2000, 0) : end + setting.ahead]
        beats = search.choose(known, min(first, 2000), end - first, steps)
        samples = [core.listed(column) for column in signal[first:end].T]
        advice = search if advised else None
        coder.code(state, buffer, end - first, steps, samples, beats, advice, decoding=False)
        assert state[ERROR] == 0
        shown.append(np.array(samples, np.int64).T)
        spikes.append([own.spikes for own in coder.states])
    length = core.finish_encoder(state, buffer)
    return Coded(bytes(buffer[:length]), np.concatenate(shown), spikes)


def decode(
    data: bytes, shape: tuple[int, ...], setting: Setting, core: Core = PLAIN
) -> Coded | None:
    """Decode ``[n, leads]`` again; None where the decoder finds the bytes wrong."""
    count, leads = shape
    coder = setting.coder(leads, core)
    state, buffer = core.integers(STATE_SIZE, 0), core.loaded(data)
    core.start_decoder(state, buffer, len(data))
    shown, spikes = [], []
    steps = [setting.steps[lead % len(setting.steps)] for lead in range(leads)]
    for number, first in enumerate(range(0, count, setting.block)):
        setting.begin(coder, number)
        size = min(setting.block, count - first)
        samples = [core.integers(size, 0) for _ in range(leads)]
        coder.code(state, buffer, size, steps, samples, None, None, decoding=True)
        if state[ERROR]:
            return None
        shown.append(np.array(samples, np.int64).T)
        spikes.append([own.spikes for own in coder.states])
    return Coded(data, np.concatenate(shown), spikes)


WAVES = ((-60, 12, 0.1), (-6, 4, -0.2), (0, 4, 1.0), (7, 5, -0.3), (90, 25, 0.3))
"""Place, width and height of the waves of a beat."""


def beating(count: int, seed: int = 0, *, gap: int = 290, size: float = 200.0) -> NDArray[np.int64]:
    """Beats with a little jitter in time and size, noise and wander; int64 ``[count]``."""
    rng = np.random.default_rng(seed)
    out = 10 * np.sin(np.arange(count) / 400) + rng.normal(0, 1.5, count)
    at = 150.0
    places = np.arange(count)
    while at < count:
        scale = size * rng.uniform(0.85, 1.15)
        for offset, width, height in (
            (-60, 12, 0.1),
            (-6, 4, -0.2),
            (0, 4, 1),
            (7, 5, -0.3),
            (90, 25, 0.3),
        ):
            out += scale * height * np.exp(-(((places - at - offset) / width) ** 2))
        at += gap * rng.uniform(0.9, 1.1)
    return np.rint(out).astype(np.int64)
