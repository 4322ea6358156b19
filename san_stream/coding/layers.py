"""What a block is while it is coded, and what every coder of a profile's layers offers."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log2
from typing import TYPE_CHECKING, Any, Protocol

from san_stream.coding.range_coder import PENDING, POSITION, RANGE

if TYPE_CHECKING:
    from san_stream.coding.core import Core

SpikeList = tuple[Any, Any]
"""Footprint starts (offsets in the block's stretch) and amplitudes, of one kernel."""


@dataclass(slots=True)
class Block:
    """One block (or a part of one) in the form in which it is coded.

    Attributes:
        first, count: its samples.
        valid: 0 or 1 a sample, a list a lead; None: all valid.
        samples: values a lead: those of the source before a block is written, those that
            the decoder shows behind it. Not used by the spikes profile.
        baselines: numbers of layer 1 a lead: three where the state is fresh, else one;
            none for a lead with a fixed baseline.
        spikes: a list of `SpikeList` a lead, one a kernel.
        steps: index of the quantiser's step a lead (transform coding).
        beats: spikes of adapted kernels a lead (transform coding).
        losses: loss indices of each window that ends in it, one a lead.
        parts: once written, bits of each lead's corrections and of all else (bounded).
    """

    first: int
    count: int
    valid: list[Any] | None = None
    samples: list[Any] = field(default_factory=list)
    baselines: list[list[int]] = field(default_factory=list)
    spikes: list[list[SpikeList]] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    beats: list[Any] = field(default_factory=list)
    losses: list[list[int]] = field(default_factory=list)
    parts: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())


@dataclass(slots=True)
class Wire:
    """The open message: where layers are written to or read from.

    Attributes:
        core: the coding functions.
        state: of the range coder. buffer: the coded bytes.
        decoding: the direction.
        fresh: nothing was coded since the last reset or the start of a run.
        run_begins: the block is the first one of a run.
        usage: bits of each layer so far.
    """

    core: Core
    state: Any
    buffer: Any
    decoding: bool
    fresh: bool
    run_begins: bool
    usage: dict[int, float]

    def cost(self) -> float:
        """Bits used so far, exact to a constant; for reports only."""
        state = self.state
        return 8.0 * int(state[POSITION] + state[PENDING]) - log2(int(state[RANGE]))

    def note(self, layer: int, before: float) -> float:
        """Book the bits since `before` for a layer; return the bits used so far."""
        now = self.cost()
        self.usage[layer] = self.usage.get(layer, 0.0) + now - before
        return now


class LayerCoder(Protocol):
    """Codes the layers of one profile, for all leads of a stream, in both directions.

    Attributes:
        layers: numbers of the layers that every CODE message of the profile has.
    """

    layers: frozenset[int]

    def release(self) -> None:
        """Free all stores: nothing is coded before the next `reset`."""

    def reset(self) -> None:
        """Return to the initial tables; the caller restarts too."""

    def restart(self) -> None:
        """A run begins: forget the signal, keep what was learned."""

    def code(self, block: Block, wire: Wire) -> None:
        """Write a block, or read it and fill it in."""
