"""What a source, a sink and a backend have to offer. Nothing else is asked of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from san_stream.types import Chunk, Event, Gap, StreamInfo


@runtime_checkable
class Source(Protocol):
    """Yields what a record or a device delivers, in order; a loss is data, not an error.

    Attributes:
        infos: one `StreamInfo` a stream (leads of one rate form one stream).
    """

    @property
    def infos(self) -> tuple[StreamInfo, ...]:
        """One `StreamInfo` a stream."""
        ...

    @property
    def info(self) -> StreamInfo:
        """The only stream; raises `SourceError` where there are several."""
        ...

    def __iter__(self) -> Iterator[Chunk | Gap | Event]: ...

    def close(self) -> None:
        """Give the record or device back; closing again does nothing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


@runtime_checkable
class Sink(Protocol):
    """Takes whole messages. `write` returns when the sink has taken charge of them."""

    def write(self, message: bytes) -> None:
        """Take one whole message."""
        ...

    def close(self) -> None:
        """Hand on what is held and give the output back; closing again does nothing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


@runtime_checkable
class Backend(Protocol):
    """Computes similarities; everything else of the encoder is shared.

    Attributes:
        name: as on the command line.
    """

    @property
    def name(self) -> str:
        """As on the command line."""
        ...

    def similarity(self, samples: NDArray[np.int64], taps: NDArray[np.int16]) -> NDArray[np.int64]:
        """s[i] = Σ_j taps[j] · samples[i + j], exact; length ``len(samples) - len(taps) + 1``.

        Args:
            samples: int64 ``[n]``, baseline already taken off, n >= len(taps).
            taps: int16 ``[m]``.
        """
        ...
