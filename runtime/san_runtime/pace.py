"""A source at the pace of its own clock: a record replayed as if it were live.

Each piece waits for the moment at which its last sample would have been taken. All moments
are counted from one start of the monotonic clock, so nothing drifts.
"""

from __future__ import annotations

import time
from math import isfinite
from typing import TYPE_CHECKING, Self

from san_stream.errors import SettingError
from san_stream.types import Chunk, Gap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from san_stream.protocols import Source
    from san_stream.types import Event, StreamInfo

MAX_SPEED = 1e9


def check_speed(speed: float | str) -> None:
    """Refuse a speed that is not ``"max"`` or a number above 0.

    Raises:
        SettingError: naming the value.
    """
    if speed == "max":
        return
    if isinstance(speed, str) or not isfinite(speed) or not 0 < speed <= MAX_SPEED:
        raise SettingError(f"speed {speed!r}: must be 'max' or above 0 and at most {MAX_SPEED:g}")


class PacedSource:
    """Yields what another source yields, each piece when it is due.

    A piece that ends with sample n of a stream of rate r is due (n - n0) / (r · speed)
    seconds after the first request; n0 is the first sample of that stream.

    Attributes:
        infos: those of the source.
    """

    def __init__(
        self,
        source: Source,
        speed: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Wrap a source.

        Args:
            source: what to slow down.
            speed: signal seconds in a second, above 0.
            clock, sleep: the time that counts.

        Raises:
            SettingError: speed is not a number above 0.
        """
        check_speed(speed)
        self.source = source
        self._speed = speed
        self._clock = clock
        self._sleep = sleep

    @property
    def infos(self) -> tuple[StreamInfo, ...]:
        """What is known of each stream."""
        return self.source.infos

    @property
    def info(self) -> StreamInfo:
        """The only stream; raises `SourceError` where there are several."""
        return self.source.info

    def __iter__(self) -> Iterator[Chunk | Gap | Event]:
        rates = {info.stream: float(info.rate) * self._speed for info in self.source.infos}
        firsts: dict[int, int] = {}
        start = self._clock()
        for item in self.source:
            if isinstance(item, Chunk | Gap):
                first = item.first_sample if isinstance(item, Chunk) else item.first
                count = len(item) if isinstance(item, Chunk) else item.count
                n0 = firsts.setdefault(item.stream, first)
                due = start + (first + count - n0) / rates[item.stream]
                while (wait := due - self._clock()) > 0:
                    self._sleep(wait)
            yield item

    def close(self) -> None:
        """Close the source."""
        self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
