"""How long an encoder makes the frames of a block: as long as costs least."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from san_stream.coding.frame_block import MOST_HALVINGS
from san_stream.coding.range_coder import STATE_SIZE

if TYPE_CHECKING:
    from san_stream.coding.core import Core

TRIAL_BYTES: Final = (8, 4096)
"""Of a buffer that nobody reads and that must not run full: a sample, in all."""


def cheapest_halvings(
    target: Any,
    longest: int,
    step: int,
    strength: int,
    models: tuple[Any, ...],
    work: tuple[Any, ...],
    core: Core,
) -> int:
    """Code a block in every way, into nothing; the one with the least error plus λ times bits.

    Args:
        target: the block, int ``[n]``. longest, step, strength: as `code_cosine_block` takes
            them. models: of the lead; they stay as they are. work: room.
    """
    length = len(target)
    state = core.integers(STATE_SIZE, 0)
    buffer = core.octets(TRIAL_BYTES[0] * length + TRIAL_BYTES[1])
    output = core.integers(length, 0)
    costs = []
    for halvings in range(MOST_HALVINGS + 1):
        core.start_encoder(state)
        before = core.spent_bits(state)
        distortion = core.code_cosine_block(
            state, buffer, target, longest, halvings, step, strength, output,
            *(store.copy() for store in models), *work,
        )  # fmt: skip
        costs.append(int(distortion) + strength * int(core.spent_bits(state) - before))
    return costs.index(min(costs))
