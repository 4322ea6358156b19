"""Fixture `stream`: whole signals through `ExactLayer`, and back."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from san_runtime.compiled import compiled_core
from san_stream.coding.core import Core
from san_stream.coding.exact_layer import ExactLayer
from san_stream.coding.layers import Block, Wire
from san_stream.coding.range_coder import ERROR, STATE_SIZE
from san_stream.profiles import Preset
from san_stream.types import Lead


class Stream:
    """One direction of a stream; ``signal[t, lead]``."""

    def __init__(
        self,
        preset: Preset,
        bounds: Sequence[int],
        core: Core,
        *,
        block: int = 90,
        rate: int = 360,
        baseline: int = 0,
        trained: bool = False,
    ) -> None:
        leads = [Lead(str(i), baseline=baseline) for i in range(len(bounds))]
        self.core, self.block, self.bounds = core, block, bounds
        self.layer = ExactLayer(Fraction(rate), leads, block, bounds, preset, core, trained=trained)
        self.state = core.integers(STATE_SIZE, 0)
        self.reset()

    def reset(self) -> None:
        self.layer.reset()
        self.layer.restart()

    def encode(
        self,
        signal: np.ndarray,
        valid: np.ndarray | None = None,
        cuts: Sequence[int] = (),
        room: int | None = None,
    ) -> tuple[bytes, np.ndarray]:
        """The bytes of one message, and what the decoder will show."""
        core = self.core
        buffer = core.octets(room or 16 * signal.size + 4096)
        core.start_encoder(self.state)
        wire = Wire(core, self.state, buffer, False, True, True, {})
        shown = []
        for first, count in self._pieces(len(signal), cuts):
            block = Block(first, count)
            part = slice(first, first + count)
            block.samples = [core.listed([int(x) for x in lead]) for lead in signal[part].T]
            if valid is not None:
                block.valid = [core.listed([int(x) for x in lead]) for lead in valid[part].T]
            self.layer.code(block, wire)
            shown.append(self._shown(block))
        return bytes(buffer[: core.finish_encoder(self.state, buffer)]), np.concatenate(shown)

    def decode(
        self,
        data: bytes,
        length: int,
        valid: np.ndarray | None = None,
        cuts: Sequence[int] = (),
    ) -> np.ndarray:
        core = self.core
        buffer = core.loaded(data)
        core.start_decoder(self.state, buffer, len(data))
        wire = Wire(core, self.state, buffer, True, True, True, {})
        shown = []
        for first, count in self._pieces(length, cuts):
            block = Block(first, count)
            if valid is not None:
                part = valid[first : first + count]
                block.valid = [core.listed([int(x) for x in lead]) for lead in part.T]
            self.layer.code(block, wire)
            shown.append(self._shown(block))
        return np.concatenate(shown)

    @property
    def failed(self) -> bool:
        return bool(self.state[ERROR])

    def _pieces(self, length: int, cuts: Sequence[int]) -> list[tuple[int, int]]:
        ends = sorted({*range(0, length, self.block), *(c for c in cuts if c < length), length})
        return [(a, b - a) for a, b in pairwise(ends)]

    def _shown(self, block: Block) -> np.ndarray:
        return np.array([[int(x) for x in lead] for lead in block.samples], np.int64).T

    @classmethod
    def check(
        cls,
        signal: np.ndarray,
        preset: Preset,
        bound: int,
        valid: np.ndarray | None = None,
        **more: int,
    ) -> bytes:
        """Through the compiled coder and back: every valid sample inside the bound."""
        bounds = [bound] * signal.shape[1]
        data, shown = cls(preset, bounds, compiled_core(), **more).encode(signal, valid)
        decoder = cls(preset, bounds, compiled_core(), **more)
        assert (decoder.decode(data, len(signal), valid) == shown).all()
        assert not decoder.failed
        error = np.abs(shown - signal)
        assert (error if valid is None else error[valid == 1]).max(initial=0) <= bound
        return data


@pytest.fixture(scope="session")
def stream() -> type[Stream]:
    """The class."""
    return Stream
