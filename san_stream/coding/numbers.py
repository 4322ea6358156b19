"""Adaptive bits and numbers on top of the range coder (docs/format.md, "Numbers").

A model is two lists (or int64 arrays) of equal length: `probability` of a 1 in 1/65536
and `count` of bits seen. The functions address it by an offset. Encoding returns the
value given; decoding ignores it and returns the value read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.range_coder import DECODING, ERROR, code_bit

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

EVEN: Final = 32768  # probability one half
COUNT_LIMIT: Final = 255
FLOOR: Final = 32  # probabilities used stay in 32 to 65536 - 32
NUMBER_BITS: Final = 36  # classes of magnitude: numbers up to 2^35
TREE: Final = 3  # contexts of the two highest bits behind the leading one, a class
NUMBER_SIZE: Final = NUMBER_BITS * (1 + TREE)  # model entries that one number takes


def code_adaptive(
    state: Integers,
    buffer: Octets,
    probability: Integers,
    count: Integers,
    index: int,
    bit: int,
) -> int:
    """One bit with the adaptive probability at `index`, which then moves towards it."""
    p = probability[index]
    used = p
    if used < FLOOR:
        used = FLOOR
    elif used > 65536 - FLOOR:
        used = 65536 - FLOOR
    bit = code_bit(state, buffer, used, bit)
    n = count[index]
    # step 1 / (n + 1.5): the mean of what was seen, with half a bit of doubt at the start
    if bit == 1:
        probability[index] = p + ((65535 - p) * 2) // (2 * n + 3)
    else:
        probability[index] = p - (p * 2) // (2 * n + 3)
    if n < COUNT_LIMIT:
        count[index] = n + 1
    return bit


def code_plain(state: Integers, buffer: Octets, value: int, bits: int) -> int:
    """`bits` bits of `value`, highest first, each at probability one half."""
    result = 0
    for i in range(bits - 1, -1, -1):
        result = result * 2 + code_bit(state, buffer, 32768, (value >> i) & 1)
    return result


def code_unsigned(
    state: Integers,
    buffer: Octets,
    probability: Integers,
    count: Integers,
    base: int,
    value: int,
) -> int:
    """A number 0 to 2^35 - 2: unary class of value + 1, then its lower bits.

    Exponential-Golomb binarisation; the class and the two highest lower bits adapt.
    """
    size = 0
    if state[DECODING] == 0:
        while (value + 1) >> (size + 1) > 0:
            size += 1
    k = 0
    while True:
        more = code_adaptive(state, buffer, probability, count, base + k, 1 if k < size else 0)
        if more == 0:
            break
        k += 1
        if k >= NUMBER_BITS - 1:
            if state[DECODING] == 1 or size > k:
                state[ERROR] = 1
            break
    number = value + 1
    result = 1
    node = 0
    for i in range(k - 1, -1, -1):
        bit = (number >> i) & 1
        if i >= k - 2:
            index = base + NUMBER_BITS + TREE * k + node
            bit = code_adaptive(state, buffer, probability, count, index, bit)
            node = 1 + bit
        else:
            bit = code_bit(state, buffer, 32768, bit)
        result = result * 2 + bit
    return result - 1


def code_signed(
    state: Integers,
    buffer: Octets,
    probability: Integers,
    count: Integers,
    base: int,
    value: int,
) -> int:
    """A signed number as an unsigned one: 0, -1, 1, -2, 2, ... become 0, 1, 2, 3, 4, ..."""
    folded = 2 * value if value >= 0 else -2 * value - 1
    folded = code_unsigned(state, buffer, probability, count, base, folded)
    return folded // 2 if folded % 2 == 0 else -(folded // 2) - 1


def bit_length(value: int) -> int:
    """Bits of a number >= 0: 0 for 0, else 1 + floor(log2)."""
    size = 0
    while value >> size > 0:
        size += 1
    return size
