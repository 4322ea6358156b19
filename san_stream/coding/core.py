"""The coding functions as one set: plain Python here, compiled by whoever has numba.

Every function of this package is written in a subset of Python that runs as it is, on
lists of integers, and that numba compiles, on int64 arrays. `PLAIN` is the first form.
Both give the same bytes; a test holds them to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from san_stream.coding import numbers, range_coder, residual, side, spikes

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Core:
    """Functions that read and write messages, and the storage they work on.

    Attributes:
        name: "plain" or "compiled".
        integers: a store of so many integers, all of one value.
        listed: an array's (or list's) integers as such a store.
        octets: a writable store of so many bytes. loaded: given bytes, to read from.
        others: the functions of the same name in this package.
    """

    name: str
    integers: Callable[[int, int], Any]
    listed: Callable[[Any], Any]
    octets: Callable[[int], Any]
    loaded: Callable[[bytes], Any]
    start_encoder: Callable[..., None]
    start_decoder: Callable[..., None]
    finish_encoder: Callable[..., int]
    code_adaptive: Callable[..., int]
    code_plain: Callable[..., int]
    code_validity: Callable[..., None]
    code_trend: Callable[..., int]
    code_level: Callable[..., int]
    code_spikes: Callable[..., int]
    code_residual: Callable[..., None]
    code_raw: Callable[..., None]
    raw_width: Callable[..., tuple[int, int]]


def _integers(size: int, value: int) -> list[int]:
    return [value] * size


def _listed(values: Any) -> list[int]:
    return list(values.tolist() if hasattr(values, "tolist") else values)


PLAIN = Core(
    name="plain",
    integers=_integers,
    listed=_listed,
    octets=bytearray,
    loaded=bytes,
    start_encoder=range_coder.start_encoder,
    start_decoder=range_coder.start_decoder,
    finish_encoder=range_coder.finish_encoder,
    code_adaptive=numbers.code_adaptive,
    code_plain=numbers.code_plain,
    code_validity=side.code_validity,
    code_trend=side.code_trend,
    code_level=side.code_level,
    code_spikes=spikes.code_spikes,
    code_residual=residual.code_residual,
    code_raw=residual.code_raw,
    raw_width=residual.raw_width,
)
