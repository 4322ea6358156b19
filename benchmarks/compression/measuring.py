"""One measurement: encode, decode, compare, and a row of figures."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from san_stream import metrics

if TYPE_CHECKING:
    from codec import Codec, Decoded, Mode
    from datasets import Signal

OK: Final = "ok"
ROUNDING: Final = 1e-6
"""Of decoders that give floats."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What is measured: one codec at one setting on one lead.

    Attributes:
        codec: its name. mode, parameter: see `codec.Mode`.
        record, lead: of the signal. minutes: of it, at most.
        block: ``"whole"``, or seconds as in ``"4s"``.
    """

    codec: str
    mode: Mode
    parameter: float
    record: str
    lead: int
    minutes: float
    block: str

    @property
    def key(self) -> str:
        """The same cell has the same key in every run."""
        return (
            f"{self.codec}|{self.mode}|{self.parameter:.6g}|{self.record}|{self.lead}"
            f"|{self.minutes:g}|{self.block}"
        )


def block_samples(block: str, rate: float) -> int:
    """Samples of ``"4s"``; 0 for ``"whole"``.

    Raises:
        ValueError: neither of the two.
    """
    if block == "whole":
        return 0
    match = re.fullmatch(r"([0-9.]+)s", block)
    if match is None:
        raise ValueError(f"block {block!r}: must be 'whole' or seconds such as '4s'")
    return max(round(float(match[1]) * rate), 1)


def measure(codec: Codec, cell: Cell, signal: Signal) -> dict[str, Any]:
    """Encode, decode and compare.

    Returns:
        The row: the cell, `status` (``"ok"`` or what went wrong), sizes in bytes, bits a
        sample, distortion, seconds and the delay in seconds.
    """
    row: dict[str, Any] = {name: getattr(cell, name) for name in Cell.__slots__}
    row["version"] = codec.version
    block = block_samples(cell.block, signal.rate)
    count = len(signal.samples)
    try:
        begun = time.perf_counter()
        data = codec.encode(signal, cell.mode, cell.parameter, block)
        encoded = time.perf_counter()
        decoded = codec.decode(data, cell.mode, count, block)
        ended = time.perf_counter()
        delay = codec.delay(signal, cell.mode, cell.parameter, block)
    except Exception as error:  # noqa: BLE001 - whatever a peer stumbles over is its row
        return row | {"status": f"failed: {type(error).__name__}: {str(error)[:200]}"}
    size = len(data) if decoded.size is None else decoded.size
    return row | {
        "status": _status(cell, signal, decoded),
        "samples": count,
        "bits": signal.bits,
        "rate": signal.rate,
        "bytes": size,
        "bps": 8 * size / count,
        "payload_bps": decoded.payload_bits / count,
        **distortion(signal, decoded),
        "encode_seconds": encoded - begun,
        "decode_seconds": ended - encoded,
        "delay_seconds": delay / signal.rate,
    }


def distortion(signal: Signal, decoded: Decoded) -> dict[str, float]:
    """Figures of what was lost, each by its definition in `san_stream.metrics`."""
    x, y = signal.samples, decoded.samples
    if len(x) != len(y):
        return {}
    return {
        "prdn": metrics.prdn(x, y),
        "prd_offset": metrics.prd_offset(x, y, signal.baseline),
        "prd": metrics.prd(x, y),
        "rmse": metrics.rmse(x, y),
        "max_error": metrics.max_error(x, y),
    }


def _status(cell: Cell, signal: Signal, decoded: Decoded) -> str:
    if len(decoded.samples) != len(signal.samples):
        return f"wrong: {len(decoded.samples)} samples of {len(signal.samples)}"
    worst = metrics.max_error(signal.samples, decoded.samples)
    if cell.mode == "lossless" and worst > 0:
        return f"wrong: not lossless, error {worst:g}"
    if cell.mode == "bound" and worst > cell.parameter + ROUNDING:
        return f"wrong: error {worst:g} above the bound {cell.parameter:g}"
    return OK
