"""The coded bytes of CODE messages: models and memories of a stream, both directions.

`StreamCoder` walks the blocks of a message in the order of docs/format.md ("CODE") and
calls the layers. Encoder and decoder share every line but the raw decision of layer 3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log2
from typing import TYPE_CHECKING, Any, Final

from san_stream.coding.numbers import EVEN
from san_stream.coding.range_coder import ERROR, PENDING, POSITION, RANGE, STATE_SIZE
from san_stream.coding.residual import (
    RAW_FLAG,
    RESIDUAL_MEMORY,
    RESIDUAL_SIZE,
    restart_residual,
)
from san_stream.coding.side import (
    LEVEL_MEMORY,
    LEVEL_SIZE,
    TREND_MEMORY,
    TREND_SIZE,
    VALIDITY_SIZE,
    restart_level,
    restart_trend,
)
from san_stream.coding.spikes import SPIKES_MEMORY, SPIKES_SIZE, restart_spikes
from san_stream.errors import FormatError
from san_stream.kernels import KernelSet, footprint_offset
from san_stream.loss import NO_SIGNAL
from san_stream.payloads import (
    BASELINE,
    MAX_MESSAGE_VALUES,
    MAX_PARTS,
    RESIDUAL,
    SPIKES,
    STATISTICS,
    VALIDITY,
)
from san_stream.profiles import Spikes
from san_stream.types import INT32_MAX, INT32_MIN
from san_stream.wire import MAX_MESSAGE

if TYPE_CHECKING:
    from san_stream.coding.core import Core
    from san_stream.headers import Header

FIRST_LOSS: Final = 200  # loss index before the first window: L̃ = 0.35
RAW_MARGIN: Final = 2  # bytes that a modelled block may cost more than a raw one
MARGIN: Final = 2**17  # room in the buffer for the block that is being coded

SpikeList = tuple[Any, Any]
"""Footprint starts (offsets in the block's stretch) and amplitudes, of one kernel."""


@dataclass(slots=True)
class Block:
    """One block (or a part of one) in the form in which it is coded.

    Attributes:
        first, count: its samples.
        valid: 0 or 1 a sample, a list a lead; None: all valid.
        samples: values a lead (lossless).
        baselines: numbers of layer 1 a lead: three where the state is fresh, else one;
            none for a lead with a fixed baseline.
        spikes: a list of `SpikeList` a lead, one a kernel.
        losses: loss indices of each window that ends in it, one a lead.
    """

    first: int
    count: int
    valid: list[Any] | None = None
    samples: list[Any] = field(default_factory=list)
    baselines: list[list[int]] = field(default_factory=list)
    spikes: list[list[SpikeList]] = field(default_factory=list)
    losses: list[list[int]] = field(default_factory=list)


def window_ends(first: int, count: int, window: int) -> range:
    """Numbers of the windows that end in (first, first + count]."""
    return range(first // window, (first + count) // window)


@dataclass(frozen=True, slots=True)
class Work:
    """What a message costs to decode; the format bounds it (docs/format.md, "CODE").

    Attributes:
        values: samples times kernels of all leads (times leads where there are none).
        parts: blocks times the same, and loss indices.
        blocks: blocks or parts of blocks.
    """

    values: int
    parts: int
    blocks: int

    @property
    def allowed(self) -> bool:
        """Whether it is inside the limits; a single block may have more parts."""
        return self.values <= MAX_MESSAGE_VALUES and (self.parts <= MAX_PARTS or self.blocks == 1)


def message_work(header: Header, first: int, count: int) -> Work:
    """Work of a message of `count` samples from `first`."""
    blocks = -(-(first + count) // header.block) - first // header.block
    leads = placed = len(header.info.leads)
    if isinstance(header.profile, Spikes):
        sets = header.profile.kernels.sets
        placed = sum(len(sets[i].kernels) for i in header.assignment)
    windows = len(window_ends(first, count, header.window))
    return Work(count * placed, blocks * placed + windows * leads, blocks)


def model_bytes(header: Header) -> int:
    """About what the models of a stream take in memory, 8 bytes an entry and count."""
    leads = len(header.info.leads)
    entries = leads * VALIDITY_SIZE
    if isinstance(header.profile, Spikes):
        sets = header.profile.kernels.sets
        placed = sum(len(sets[i].kernels) for i in header.assignment)
        entries += leads * (TREND_SIZE + LEVEL_SIZE) + placed * SPIKES_SIZE
    else:
        entries += leads * RESIDUAL_SIZE
    return 16 * entries


def profile_layers(header: Header) -> frozenset[int]:
    """The layers that every CODE message of this profile has."""
    if isinstance(header.profile, Spikes):
        return frozenset((BASELINE, SPIKES, STATISTICS))
    return frozenset((RESIDUAL,))


class StreamCoder:
    """Codes the blocks of one stream; holds all that is learned.

    Args:
        header: what the stream is.
        core: the coding functions, plain or compiled; both give the same bytes.
    """

    def __init__(self, header: Header, core: Core) -> None:
        self.header = header
        self.core = core
        self.leads = header.info.leads
        self.layers = profile_layers(header)
        self.sets: tuple[KernelSet, ...] = ()
        self.offsets: list[list[int]] = [[] for _ in self.leads]
        if isinstance(header.profile, Spikes):
            kernels = header.profile.kernels
            self.sets = tuple(kernels.sets[i] for i in header.assignment)
            self.offsets = [
                [footprint_offset(kernel, kernels.tie) for kernel in s.kernels] for s in self.sets
            ]
        self._size = RESIDUAL_SIZE if RESIDUAL in self.layers else 0
        self._state = core.integers(STATE_SIZE, 0)
        self.usage: dict[int, float] = {}
        self.fresh = self.run_begins = False
        self.release()

    # -- state -------------------------------------------------------------------------

    def release(self) -> None:
        """Free models, memories and buffer: nothing is coded before the next `reset`."""
        self._validity: list[tuple[Any, Any]] = []
        self._residual: list[tuple[Any, Any]] = []
        self._baseline: list[tuple[Any, Any]] = []
        self._loss: list[tuple[Any, Any]] = []
        self._spikes: list[list[tuple[Any, Any]]] = []
        self._residual_memory: list[Any] = []
        self._baseline_memory: list[Any] = []
        self._loss_memory: list[Any] = []
        self._spikes_memory: list[list[Any]] = []
        self._buffer = self.core.octets(0)

    def reset(self) -> None:
        """Return all models and memories to their initial values."""
        make, leads = self.core.integers, range(len(self.leads))
        self._validity = [self._model(VALIDITY_SIZE) for _ in leads]
        self._residual = [self._model(self._size) for _ in leads]
        self._baseline = [self._model(TREND_SIZE) for _ in leads] if self.sets else []
        self._loss = [self._model(LEVEL_SIZE) for _ in leads] if self.sets else []
        self._spikes = [[self._model(SPIKES_SIZE) for _ in s.kernels] for s in self.sets]
        self._residual_memory = [make(RESIDUAL_MEMORY, 0) for _ in leads]
        self._baseline_memory = [make(TREND_MEMORY, 0) for _ in leads]
        self._spikes_memory = [[make(SPIKES_MEMORY, 0) for _ in s.kernels] for s in self.sets]
        self._loss_memory = [make(LEVEL_MEMORY, 0) for _ in leads]
        for memory in self._loss_memory:
            restart_level(memory, FIRST_LOSS)
        self.restart()
        self.run_begins = False  # a reset alone does not begin a run

    def restart(self) -> None:
        """A run begins: forget the signal, keep what was learned."""
        for lead, memory in zip(self.leads, self._residual_memory, strict=False):
            restart_residual(memory, lead.baseline)
        for lead, memory in zip(self.leads, self._baseline_memory, strict=False):
            restart_trend(memory, lead.baseline)
        for memories in self._spikes_memory:
            for memory in memories:
                restart_spikes(memory)
        self.fresh = True
        self.run_begins = True

    def _model(self, size: int) -> tuple[Any, Any]:
        return self.core.integers(size, EVEN), self.core.integers(size, 0)

    def stretch(self, lead: int, kernel: int, block: Block) -> tuple[int, int]:
        """First sample and length of the stretch in which footprints of `block` start."""
        reach = self.offsets[lead][kernel] if self.run_begins else 0
        return block.first - reach, block.count + reach

    # -- messages ----------------------------------------------------------------------

    def begin_message(self) -> None:
        """Start the coded bytes of a message."""
        if not len(self._buffer):
            self._buffer = self.core.octets(MAX_MESSAGE + MARGIN)
        self.core.start_encoder(self._state)

    @property
    def written(self) -> int:
        """Bytes of the open message so far."""
        return int(self._state[POSITION] + self._state[PENDING])

    def write(self, block: Block) -> None:
        """Append one block to the open message.

        Raises:
            FormatError: the message would outgrow the limit of the format.
        """
        self._code(block, decoding=False)
        if self._state[ERROR]:
            raise FormatError(f"message is longer than {MAX_MESSAGE} bytes")

    def end_message(self) -> bytes:
        """Close the coded bytes and return them."""
        length = self.core.finish_encoder(self._state, self._buffer)
        return bytes(self._buffer[:length])

    def read(self, coded: bytes, pieces: list[tuple[int, int]], *, validity: bool) -> list[Block]:
        """Decode the coded bytes of a message.

        Args:
            coded: the bytes. pieces: first sample and count of each block.
            validity: whether layer 5 is in them.

        Raises:
            FormatError: the bytes break a rule; the state is then worth nothing until `reset`.
        """
        buffer = self.core.loaded(coded)
        self.core.start_decoder(self._state, buffer, len(coded))
        self.usage = dict.fromkeys(sorted(self.layers | ({VALIDITY} if validity else set())), 0.0)
        blocks = []
        encoder_buffer, self._buffer = self._buffer, buffer
        try:
            for first, count in pieces:
                block = Block(first, count)
                if validity:
                    block.valid = [self.core.integers(count, 0) for _ in self.leads]
                self._code(block, decoding=True)
                if self._state[ERROR]:
                    raise FormatError(f"coded bytes of the block at {first} break a rule")
                blocks.append(block)
        finally:
            self._buffer = encoder_buffer
        return blocks

    def _cost(self) -> float:
        """Bits consumed so far, exact to a constant; for reports only."""
        return 8.0 * int(self._state[POSITION] + self._state[PENDING]) - log2(
            int(self._state[RANGE])
        )

    def _code(self, block: Block, *, decoding: bool) -> None:
        cost = self._cost()
        if block.valid is not None:
            for lead in range(len(self.leads)):
                model = self._validity[lead]
                self.core.code_validity(self._state, self._buffer, *model, 0, block.valid[lead])
            cost = self._note(VALIDITY, cost)
        for lead in range(len(self.leads)):
            if self.sets:
                if self.sets[lead].baseline is None:
                    self._code_baseline(block, lead, decoding=decoding)
                elif decoding:
                    block.baselines.append([])
                cost = self._note(BASELINE, cost)
                self._code_spikes(block, lead, decoding=decoding)
                cost = self._note(SPIKES, cost)
            else:
                self._code_residual(block, lead, decoding=decoding)
                cost = self._note(RESIDUAL, cost)
        if STATISTICS in self.layers:
            for i in range(len(window_ends(block.first, block.count, self.header.window))):
                if decoding:
                    block.losses.append([0] * len(self.leads))
                for lead, index in enumerate(block.losses[i]):
                    model, memory = self._loss[lead], self._loss_memory[lead]
                    block.losses[i][lead] = int(
                        self.core.code_level(self._state, self._buffer, *model, 0, memory, index)
                    )
                    if not 0 <= block.losses[i][lead] <= NO_SIGNAL:
                        self._state[ERROR] = 1
            self._note(STATISTICS, cost)
        self.fresh = self.run_begins = False

    def _note(self, layer: int, before: float) -> float:
        now = self._cost()
        self.usage[layer] = self.usage.get(layer, 0.0) + now - before
        return now

    def _code_baseline(self, block: Block, lead: int, *, decoding: bool) -> None:
        model, memory = self._baseline[lead], self._baseline_memory[lead]
        if decoding:
            block.baselines.append([0] * (3 if self.fresh else 1))
        for i, value in enumerate(block.baselines[lead]):
            block.baselines[lead][i] = int(
                self.core.code_trend(self._state, self._buffer, *model, 0, memory, value)
            )
            if not INT32_MIN <= block.baselines[lead][i] <= INT32_MAX:
                self._state[ERROR] = 1

    def _code_spikes(self, block: Block, lead: int, *, decoding: bool) -> None:
        if decoding:
            block.spikes.append([])
        for i, kernel in enumerate(self.sets[lead].kernels):
            _, length = self.stretch(lead, i, block)
            number = 0
            if decoding:
                room = length // (kernel.med + 1) + 2
                starts, amplitudes = self.core.integers(room, 0), self.core.integers(room, 0)
            else:
                starts, amplitudes = block.spikes[lead][i]
                number = len(starts)
            found = self.core.code_spikes(
                self._state,
                self._buffer,
                *self._spikes[lead][i],
                0,
                self._spikes_memory[lead][i],
                kernel.med,
                length,
                starts,
                amplitudes,
                number,
            )
            if decoding:
                block.spikes[lead].append((starts[:found], amplitudes[:found]))

    def _code_residual(self, block: Block, lead: int, *, decoding: bool) -> None:
        core, state, buffer = self.core, self._state, self._buffer
        model, memory = self._residual[lead], self._residual_memory[lead]
        valid = core.integers(block.count, 1) if block.valid is None else block.valid[lead]
        if decoding:
            samples = core.integers(block.count, 0)
            block.samples.append(samples)
            if core.code_adaptive(state, buffer, *model, RAW_FLAG, 0):
                width = core.code_plain(state, buffer, 0, 6) + 1
                if width > 32:
                    state[ERROR] = 1
                    return
                core.code_raw(state, buffer, memory, samples, valid, width)
            else:
                core.code_residual(state, buffer, *model, 0, memory, samples, valid)
            return
        samples = block.samples[lead]
        saved = state[:], model[0][:], model[1][:], memory[:]
        if not isinstance(state, list):
            saved = tuple(part.copy() for part in saved)
        width, number = core.raw_width(samples, valid)
        core.code_adaptive(state, buffer, *model, RAW_FLAG, 0)
        core.code_residual(state, buffer, *model, 0, memory, samples, valid)
        limit = (width * number + 6) // 8 + RAW_MARGIN
        before = int(saved[0][POSITION] + saved[0][PENDING])
        if self.written - before > limit or state[ERROR]:
            for part, old in zip((state, model[0], model[1], memory), saved, strict=True):
                part[:] = old
            core.code_adaptive(state, buffer, *model, RAW_FLAG, 1)
            core.code_plain(state, buffer, width - 1, 6)
            core.code_raw(state, buffer, memory, samples, valid, width)
