"""Extrema on a live similarity: a chain of records, decided in one pass.

The rule is `san_stream.reference.select` with `max_delay`; this is its streaming form,
O(1) amortised a sample. Records rise in magnitude, so the greedy choice among them is
read off backwards: the newest is the largest and is kept, all within `med` before it are
dropped, the next that is left is the largest of the rest, and so on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from san_runtime.jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Fields of a selection's state, int64. Positions count from the start of the run.
SEEN = 0  # similarities seen; the last of them waits for its right neighbour
BEFORE = 1  # similarity before the one that waits
WAITING = 2  # similarity that waits
HEAD = 3  # place of the chain's oldest record
TAIL = 4  # place behind its newest
FIELDS = 5

# Rows of the chain, int64 [2, capacity].
POSITION = 0
VALUE = 1


def new_state() -> NDArray[np.int64]:
    """State at the start of a run."""
    return np.zeros(FIELDS, dtype=np.int64)


def new_chain(max_delay: int) -> NDArray[np.int64]:
    """An empty chain.

    Its records lie within `max_delay` of each other. The store is twice as long, so that
    moving them to its front is rare.
    """
    return np.empty((2, 2 * (max_delay + 2)), dtype=np.int64)


def most_kept(n: int, med: int, max_delay: int) -> int:
    """Most positions that one call of `select` with n similarities can keep.

    They lie within n + max_delay samples and are more than med apart.
    """
    return (n + max_delay) // (med + 1) + 2


@jit
def close(
    chain: NDArray[np.int64], head: int, tail: int, med: int, kept: NDArray[np.int64], count: int
) -> int:
    """Decide all records of a chain; returns the new count of kept positions."""
    chosen = 0
    for again in range(2):
        # First how many are kept, then which, written in ascending order.
        place = count + chosen
        behind = np.int64(2**62)
        for i in range(tail - 1, head - 1, -1):
            if behind - chain[POSITION, i] > med:
                behind = chain[POSITION, i]
                if again == 0:
                    chosen += 1
                else:
                    place -= 1
                    kept[POSITION, place] = chain[POSITION, i]
                    kept[VALUE, place] = chain[VALUE, i]
    return count + chosen


@jit
def first_kept(chain: NDArray[np.int64], head: int, tail: int, med: int) -> int:
    """Place of the first record that the chain, decided as it stands, keeps."""
    first = tail - 1
    for i in range(tail - 2, head - 1, -1):
        if chain[POSITION, first] - chain[POSITION, i] > med:
            first = i
    return first


@jit
def select(
    similarity: NDArray[np.int64],
    ending: int,
    med: int,
    max_delay: int,
    state: NDArray[np.int64],
    chain: NDArray[np.int64],
    kept: NDArray[np.int64],
) -> int:
    """Feed similarities; write the positions that are now decided as kept.

    Args:
        similarity: int64 ``[n]``, the next of the run; n may be 0.
        ending: 1 if the run ends with them, so that all is decided, else 0.
        med: minimum extrema distance, at least 1.
        max_delay: at least 2 · `med`.
        state: from `new_state`, changed in place.
        chain: from `new_chain`, changed in place.
        kept: int64 ``[2, most_kept(n, med, max_delay)]``: positions, ascending, and
            their similarities.

    Returns:
        How many positions were written.
    """
    seen, before, waiting = state[SEEN], state[BEFORE], state[WAITING]
    head, tail = state[HEAD], state[TAIL]
    count = 0
    for i in range(len(similarity) + ending):
        last = i == len(similarity)
        following = waiting if last else similarity[i]
        if seen > 0:
            now = seen - 1
            rises_right = (not last) and following > waiting
            no_rise_left = now == 0 or waiting <= before
            not_positive = waiting <= 0
            candidate = rises_right == no_rise_left and no_rise_left == not_positive
            if candidate and (head == tail or abs(waiting) > abs(chain[VALUE, tail - 1])):
                if tail == chain.shape[1]:
                    for j in range(head, tail):
                        chain[POSITION, j - head] = chain[POSITION, j]
                        chain[VALUE, j - head] = chain[VALUE, j]
                    head, tail = 0, tail - head
                chain[POSITION, tail] = now
                chain[VALUE, tail] = waiting
                tail += 1
            if head < tail and now >= chain[POSITION, tail - 1] + med:
                count = close(chain, head, tail, med, kept, count)
                head = tail = 0
            while head < tail and now - chain[POSITION, head] >= max_delay:
                first = first_kept(chain, head, tail, med)
                position = chain[POSITION, first]
                kept[POSITION, count] = position
                kept[VALUE, count] = chain[VALUE, first]
                count += 1
                while head < tail and chain[POSITION, head] - position <= med:
                    head += 1
        before, waiting = waiting, following
        seen += 1
    if ending:
        count = close(chain, head, tail, med, kept, count)
        head = tail = 0
    state[SEEN], state[BEFORE], state[WAITING] = seen, before, waiting
    state[HEAD], state[TAIL] = head, tail
    return count


def horizon(state: NDArray[np.int64], chain: NDArray[np.int64]) -> int:
    """All positions before it are decided; it depends on the samples seen alone."""
    if state[HEAD] < state[TAIL]:
        return int(chain[POSITION, state[HEAD]])
    return max(int(state[SEEN]) - 1, 0)
