"""A 32-bit binary range coder with carry, one function for both directions.

The state is a list (or int64 array) of eight integers, so that this file runs as plain
Python and, compiled, as machine code, with the same bytes. All values stay below 2^53.
The coder is the classic one with a carry counter (Martin 1979; the variant of LZMA); it
uses full 16-bit probabilities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

# Places in the state.
LOW: Final = 0  # encoder: lower end of the interval, up to 33 bits; decoder: code - low
RANGE: Final = 1  # width of the interval, 2^24 to 2^32 - 1 between bits
CACHE: Final = 2  # encoder: last byte not yet written, because a carry may raise it
PENDING: Final = 3  # encoder: 0xFF bytes behind it that a carry would turn over
POSITION: Final = 4  # bytes written or read
DECODING: Final = 5  # 0 encoder, 1 decoder
STARTED: Final = 6  # encoder: 0 until the first byte is cached (it never reaches the wire)
ERROR: Final = 7  # not 0: the data cannot be right, or the buffer is full
STATE_SIZE: Final = 8

TOP: Final = 1 << 24
MASK: Final = 0xFFFFFFFF
OVERRUN: Final = 8  # zero bytes that a decoder may read past the end (see finish)


def start_encoder(state: Integers) -> None:
    """Begin a message: empty interval, nothing written."""
    state[LOW] = 0
    state[RANGE] = MASK
    state[CACHE] = 0
    state[PENDING] = 0
    state[POSITION] = 0
    state[DECODING] = 0
    state[STARTED] = 0
    state[ERROR] = 0


def start_decoder(state: Integers, buffer: Octets, length: int) -> None:
    """Begin to read a message of `length` bytes at the start of `buffer`."""
    code = 0
    for i in range(4):
        code = code << 8
        if i < length:
            code += int(buffer[i])
    state[LOW] = code
    state[RANGE] = MASK
    state[CACHE] = length
    state[PENDING] = 0
    state[POSITION] = 4
    state[DECODING] = 1
    state[STARTED] = 1
    state[ERROR] = 0


def shift_low(state: Integers, buffer: Octets) -> None:
    """Move the top byte of `low` towards the output; a carry runs through pending bytes."""
    low = state[LOW]
    if low < 0xFF000000 or low > MASK:
        carry = low >> 32
        position = state[POSITION]
        if position + state[PENDING] + 2 > len(buffer):
            state[ERROR] = 1
            state[PENDING] = 0
        else:
            if state[STARTED] == 1:
                buffer[position] = (state[CACHE] + carry) & 0xFF
                position += 1
            for _ in range(state[PENDING]):
                buffer[position] = (0xFF + carry) & 0xFF
                position += 1
            state[PENDING] = 0
            state[POSITION] = position
        state[STARTED] = 1
        state[CACHE] = (low >> 24) & 0xFF
    else:
        state[PENDING] += 1
    state[LOW] = (low << 8) & MASK


def code_bit(state: Integers, buffer: Octets, probability: int, bit: int) -> int:
    """Encode `bit`, or decode and return one.

    `probability` of a 1 is in 1/65536, 1 to 65535.
    """
    width = state[RANGE]
    bound = (width * probability) >> 16
    low = state[LOW]
    if state[DECODING] == 0:
        if bit == 1:
            width = bound
        else:
            state[LOW] = low + bound
            width -= bound
        while width < TOP:
            width <<= 8
            shift_low(state, buffer)
        state[RANGE] = width
        return bit
    if low < bound:
        width = bound
        bit = 1
    else:
        low -= bound
        width -= bound
        bit = 0
    if width < TOP:
        position = state[POSITION]
        end = state[CACHE]
        while width < TOP:
            width <<= 8
            low <<= 8
            if position < end:
                low += int(buffer[position])
            elif position >= end + OVERRUN:
                state[ERROR] = 1
            position += 1
        state[POSITION] = position
    state[LOW] = low
    state[RANGE] = width
    return bit


def finish_encoder(state: Integers, buffer: Octets) -> int:
    """End the interval with as few bytes as decode; returns the length.

    A value with many trailing zero bytes is chosen inside the interval; trailing zeros
    are not sent, since a decoder reads zeros past the end, as far as `OVERRUN` allows.
    """
    # A decoder will have read four bytes more than there were shifts, one of them unwritten.
    least = state[POSITION] + state[PENDING] + 5 - OVERRUN
    low = state[LOW]
    value = low
    for shift in (24, 16, 8):
        mask = (1 << shift) - 1
        rounded = (low + mask) - ((low + mask) & mask)
        if rounded < low + state[RANGE]:
            value = rounded
            break
    state[LOW] = value
    for _ in range(5):
        shift_low(state, buffer)
    length = state[POSITION]
    while length > max(least, 0) and buffer[length - 1] == 0:
        length -= 1
    return length


def spent_bits(state: Integers) -> int:
    """Whole bits written so far, up to a constant: bytes, and how far the interval shrank."""
    width = state[RANGE]
    size = 0
    while width > 0:
        width >>= 1
        size += 1
    return 8 * (state[POSITION] + state[PENDING]) + 32 - size
