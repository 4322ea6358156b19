"""The coded bytes of CODE messages: models and memories of a stream, both directions.

`StreamCoder` walks the blocks of a message in the order of docs/format.md ("CODE"):
validity, the layers of the profile, statistics. Encoder and decoder share every line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from san_stream.coding.layers import Block, Wire
from san_stream.coding.make import layer_memory, make_layer, placed_kernels, weight_of
from san_stream.coding.numbers import EVEN
from san_stream.coding.range_coder import ERROR, PENDING, POSITION, STATE_SIZE, spent_bits
from san_stream.coding.side import LEVEL_MEMORY, LEVEL_SIZE, VALIDITY_SIZE, restart_level
from san_stream.coding.sparse import SparseCoder
from san_stream.errors import FormatError
from san_stream.loss import NO_SIGNAL
from san_stream.payloads import MAX_MESSAGE_VALUES, MAX_PARTS, STATISTICS, VALIDITY
from san_stream.profiles import is_exact
from san_stream.wire import MAX_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from san_stream.coding.core import Core
    from san_stream.headers import Header
    from san_stream.kernels import KernelSet

MAX_MODEL_BYTES: Final = 2**28
"""Most memory that the models of all open streams of a decoder may take."""
FIRST_LOSS: Final = 200  # loss index before the first window: L̃ = 0.35
MARGIN: Final = 2**18  # room in the buffer for the block that is being coded


def window_ends(first: int, count: int, window: int) -> range:
    """Numbers of the windows that end in (first, first + count]."""
    return range(first // window, (first + count) // window)


@dataclass(frozen=True, slots=True)
class Work:
    """What a message costs to decode; the format bounds it (docs/format.md, "CODE").

    Attributes:
        values: samples times kernels of all leads (times leads where there are none),
            times the weight of the profile.
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
    leads = len(header.info.leads)
    placed = placed_kernels(header)
    windows = len(window_ends(first, count, header.window))
    return Work(count * placed * weight_of(header), blocks * placed + windows * leads, blocks)


def model_bytes(header: Header) -> int:
    """About what the stores of a stream take in memory."""
    leads = len(header.info.leads)
    return 16 * leads * (VALIDITY_SIZE + LEVEL_SIZE) + layer_memory(header)


class StreamCoder:
    """Codes the blocks of one stream; holds all that is learned.

    Args:
        header: what the stream is.
        core: the coding functions, plain or compiled; both give the same bytes.

    Attributes:
        layers: that every CODE message of the stream has.
        layer: the coder of the profile's own layers.
        sets, offsets: kernels of each lead, and from their footprints' start to the spike;
            empty but for the spikes profile.
        usage: bits of each layer in the last message read.
    """

    def __init__(self, header: Header, core: Core) -> None:
        self.header = header
        self.core = core
        self.leads = header.info.leads
        self.layer = make_layer(header, core)
        self.layers = self.layer.layers
        if not is_exact(header.profile):
            self.layers |= {STATISTICS}
        self.sets: tuple[KernelSet, ...] = ()
        self.offsets: list[list[int]] = [[] for _ in self.leads]
        if isinstance(self.layer, SparseCoder):
            self.sets, self.offsets = self.layer.sets, self.layer.offsets
        self._state = core.integers(STATE_SIZE, 0)
        self.usage: dict[int, float] = {}
        self.fresh = self.run_begins = False
        self.release()

    # -- state -------------------------------------------------------------------------

    def release(self) -> None:
        """Free models, memories and buffer: nothing is coded before the next `reset`."""
        self._validity: list[tuple[Any, Any]] = []
        self._loss: list[tuple[Any, Any]] = []
        self._loss_memory: list[Any] = []
        self._buffer = self.core.octets(0)
        self.layer.release()

    def reset(self) -> None:
        """Return all models and memories to their initial values."""
        make, leads = self.core.integers, range(len(self.leads))
        self._validity = [self._model(VALIDITY_SIZE) for _ in leads]
        self._loss = [self._model(LEVEL_SIZE) for _ in leads]
        self._loss_memory = [make(LEVEL_MEMORY, 0) for _ in leads]
        for memory in self._loss_memory:
            restart_level(memory, FIRST_LOSS)
        self.layer.reset()
        self.restart()
        self.run_begins = False  # a reset alone does not begin a run

    def restart(self) -> None:
        """A run begins: forget the signal, keep what was learned."""
        self.layer.restart()
        self.fresh = True
        self.run_begins = True

    def _model(self, size: int) -> tuple[Any, Any]:
        return self.core.integers(size, EVEN), self.core.integers(size, 0)

    def stretch(self, lead: int, kernel: int, block: Block) -> tuple[int, int]:
        """First sample and length of the stretch in which footprints of `block` start."""
        if not isinstance(self.layer, SparseCoder):
            raise TypeError("only the spikes profile places trained kernels")
        return self.layer.stretch(lead, kernel, block, begins=self.run_begins)

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

    @property
    def bits(self) -> int:
        """Bits of the open message so far, without what the coder can still squeeze out."""
        return int(spent_bits(self._state))

    def write(self, block: Block, settle: Callable[[], None]) -> None:
        """Append one block to the open message.

        Args:
            block: what to write; its samples become those that the decoder will show.
            settle: called behind the samples; it fills in the block's loss indices.

        Raises:
            FormatError: the message would outgrow the limit of the format.
        """
        wire = self._wire(decoding=False)
        self._code_samples(block, wire)
        settle()
        self._code_statistics(block, wire)
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
                wire = self._wire(decoding=True)
                self._code_samples(block, wire)
                self._code_statistics(block, wire)
                if self._state[ERROR]:
                    raise FormatError(f"coded bytes of the block at {first} break a rule")
                blocks.append(block)
        finally:
            self._buffer = encoder_buffer
        return blocks

    # -- parts -------------------------------------------------------------------------

    def _wire(self, *, decoding: bool) -> Wire:
        return Wire(
            self.core,
            self._state,
            self._buffer,
            decoding,
            self.fresh,
            self.run_begins,
            self.usage,
        )

    def _code_samples(self, block: Block, wire: Wire) -> None:
        if block.valid is not None:
            cost = wire.cost()
            for model, valid in zip(self._validity, block.valid, strict=True):
                self.core.code_validity(wire.state, wire.buffer, *model, 0, valid)
            wire.note(VALIDITY, cost)
        self.layer.code(block, wire)
        self.fresh = self.run_begins = False

    def _code_statistics(self, block: Block, wire: Wire) -> None:
        if STATISTICS not in self.layers:
            return
        cost = wire.cost()
        for i in range(len(window_ends(block.first, block.count, self.header.window))):
            if wire.decoding:
                block.losses.append([0] * len(self.leads))
            for lead, index in enumerate(block.losses[i]):
                model, memory = self._loss[lead], self._loss_memory[lead]
                block.losses[i][lead] = int(
                    self.core.code_level(wire.state, wire.buffer, *model, 0, memory, index)
                )
                if not 0 <= block.losses[i][lead] <= NO_SIGNAL:
                    wire.state[ERROR] = 1
        wire.note(STATISTICS, cost)
