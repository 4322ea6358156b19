"""Peers that are Python packages, at their strongest: pcodec, brotli, libaec, JPEG XL, SZ3."""

from __future__ import annotations

import struct
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from codec import Codec, blockwise, unavailable
from quantised import bounded

if TYPE_CHECKING:
    from codec import BlockDecode, BlockEncode, Mode
    from numpy.typing import NDArray

PCODEC_LEVEL: Final = 12
BROTLI_QUALITY: Final = 11
ESCAPE: Final = 255
FAR_ESCAPE: Final = 0xFFFF
AEC_BLOCK: Final = 16
AEC_INTERVAL: Final = 128
AEC_OFFSET: Final = 2**15
JPEG_ROW: Final = 360
JPEG_EFFORT: Final = 9
SZ_MARGIN: Final = 0.499
"""Added to SZ3's bound: its floats are rounded to integers behind it."""

EXACT: Final[tuple[Mode, ...]] = ("lossless",)
BOTH: Final[tuple[Mode, ...]] = ("lossless", "bound")


def _int16(x: NDArray[np.int64]) -> NDArray[np.int16]:
    info = np.iinfo(np.int16)
    if x.min() < info.min or x.max() > info.max:
        raise ValueError("samples do not fit 16 bits")
    return np.ascontiguousarray(x, np.int16)


def _pcodec() -> tuple[BlockEncode, BlockDecode]:
    from pcodec import ChunkConfig, standalone

    config = ChunkConfig(compression_level=PCODEC_LEVEL)

    def encode(x: NDArray[np.int64], _: float) -> bytes:
        return bytes(standalone.simple_compress(_int16(x), config))

    def decode(data: bytes, _count: int, _: float) -> NDArray[np.int64]:
        return np.asarray(standalone.simple_decompress(data), np.int64)

    return encode, decode


def byte_deltas(x: NDArray[np.int64]) -> bytes:
    """Differences, their sign in the lowest bit, in one byte each.

    Large ones take 255 and two bytes, very large ones these at 65535 and eight bytes more.
    """
    d = np.diff(x, prepend=0)
    folded = np.where(d >= 0, 2 * d, -2 * d - 1)
    if (folded < ESCAPE).all():
        return folded.astype(np.uint8).tobytes()
    out = bytearray()
    for value in folded.tolist():
        if value < ESCAPE:
            out.append(value)
        elif value < FAR_ESCAPE:
            out += struct.pack("<BH", ESCAPE, value)
        else:
            out += struct.pack("<BHQ", ESCAPE, FAR_ESCAPE, value)
    return bytes(out)


def from_byte_deltas(data: bytes, count: int) -> NDArray[np.int64]:
    """The samples of `byte_deltas`."""
    folded = np.frombuffer(data, np.uint8).astype(np.int64)
    if len(folded) != count:
        values, at = np.empty(count, np.int64), 0
        for i in range(count):
            values[i] = data[at]
            at += 1
            if values[i] == ESCAPE:
                values[i] = struct.unpack_from("<H", data, at)[0]
                at += 2
            if values[i] == FAR_ESCAPE:
                values[i] = struct.unpack_from("<Q", data, at)[0]
                at += 8
        folded = values
    return np.cumsum(np.where(folded & 1, -(folded + 1) // 2, folded // 2))


def _brotli() -> tuple[BlockEncode, BlockDecode]:
    import brotli

    def encode(x: NDArray[np.int64], _: float) -> bytes:
        return bytes(brotli.compress(byte_deltas(x), quality=BROTLI_QUALITY))

    def decode(data: bytes, count: int, _: float) -> NDArray[np.int64]:
        return from_byte_deltas(brotli.decompress(data), count)

    return encode, decode


def _aec() -> tuple[BlockEncode, BlockDecode]:
    import imagecodecs

    settings: dict[str, Any] = {
        "bitspersample": 16,
        "blocksize": AEC_BLOCK,
        "rsi": AEC_INTERVAL,
        "flags": imagecodecs.AEC.FLAG.DATA_PREPROCESS,
    }

    def encode(x: NDArray[np.int64], _: float) -> bytes:
        raw = (_int16(x).astype(np.int64) + AEC_OFFSET).astype("<u2").tobytes()
        return bytes(imagecodecs.aec_encode(raw, out=4 * len(x) + 1024, **settings))

    def decode(data: bytes, count: int, _: float) -> NDArray[np.int64]:
        # It restores whole blocks of samples.
        raw = imagecodecs.aec_decode(data, out=2 * count + 64, **settings)
        return np.frombuffer(raw, "<u2")[:count].astype(np.int64) - AEC_OFFSET

    return encode, decode


def _jpeg_xl() -> tuple[BlockEncode, BlockDecode]:
    """Rows of 360 samples, about one beat, as an image; the least value apart."""
    import imagecodecs

    def encode(x: NDArray[np.int64], _: float) -> bytes:
        least = int(x.min())
        width = min(JPEG_ROW, len(x))
        image = np.pad(x - least, (0, -len(x) % width), mode="edge").astype(np.uint16)
        coded = imagecodecs.jpegxl_encode(
            image.reshape(-1, width), lossless=True, effort=JPEG_EFFORT, numthreads=1
        )
        return struct.pack("<i", least) + bytes(coded)

    def decode(data: bytes, count: int, _: float) -> NDArray[np.int64]:
        image = imagecodecs.jpegxl_decode(data[4:], numthreads=1)
        least = struct.unpack_from("<i", data)[0]
        return np.asarray(np.ravel(image)[:count] + np.int64(least), np.int64)

    return bounded(encode, decode)


def _sz3() -> tuple[BlockEncode, BlockDecode]:
    import pysz

    config = pysz.szConfig()
    config.errorBoundMode = pysz.szErrorBoundMode.ABS
    config.cmprAlgo = pysz.szAlgorithm.INTERP_LORENZO

    def encode(x: NDArray[np.int64], error: float) -> bytes:
        config.absErrorBound = error + SZ_MARGIN
        return bytes(pysz.sz.compress(x.astype(np.float32), config)[0])

    def decode(data: bytes, count: int, _: float) -> NDArray[np.int64]:
        out = pysz.sz.decompress(np.frombuffer(data, np.uint8), np.float32, (count,))[0]
        return np.asarray(np.rint(out), np.int64)

    return encode, decode


def _quantised_pcodec() -> tuple[BlockEncode, BlockDecode]:
    return bounded(*_pcodec())


_PEERS: Final = (
    ("pcodec 12", BOTH, "pcodec", _quantised_pcodec),
    ("brotli 11, byte deltas", EXACT, "brotli", _brotli),
    ("libaec (CCSDS 121)", EXACT, "imagecodecs", _aec),
    ("JPEG XL e9", BOTH, "imagecodecs", _jpeg_xl),
    ("SZ3", BOTH, "pysz", _sz3),
)


def libraries() -> list[Codec]:
    """All of them; a package that is not installed gives a codec that says so."""
    out = []
    for name, modes, package, make in _PEERS:
        try:
            import_module(package)
        except ImportError:
            out.append(unavailable(name, modes, f"package {package} is not installed"))
            continue
        out.append(blockwise(name, modes, *make(), version=f"{package} {version(package)}"))
    return out
