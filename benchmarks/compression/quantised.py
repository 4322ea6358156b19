"""A bound for coders that know none: samples rounded to the lattice of 2e + 1 first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from codec import BlockDecode, BlockEncode
    from numpy.typing import NDArray


def lattice(x: NDArray[np.int64], error: int) -> NDArray[np.int64]:
    """Numbers of the nearest lattice points."""
    return (x + error) // (2 * error + 1)


def unlattice(x: NDArray[np.int64], error: int) -> NDArray[np.int64]:
    """The lattice points of the numbers."""
    return x * (2 * error + 1)


def bounded(encode: BlockEncode, decode: BlockDecode) -> tuple[BlockEncode, BlockDecode]:
    """An exact coder, behind the lattice."""

    def encode_block(x: NDArray[np.int64], error: float) -> bytes:
        return encode(lattice(x, int(error)), error)

    def decode_block(data: bytes, count: int, error: float) -> NDArray[np.int64]:
        return unlattice(decode(data, count, error), int(error))

    return encode_block, decode_block
