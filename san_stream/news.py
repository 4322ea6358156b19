"""What a decoder has to tell besides samples, until the next `Signal` carries it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from san_stream.types import Event, Gap, Signal, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from san_stream.types import StreamInfo

MAX_NOTICES = 100


def _joined(parts: list[NDArray[np.int64]], columns: int) -> NDArray[np.int64]:
    return np.concatenate([np.zeros((0, columns), np.int64), *parts])


@dataclass(slots=True)
class News:
    """What waits for the next `Signal`."""

    gaps: list[Gap] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    spikes: list[NDArray[np.int64]] = field(default_factory=list)
    beats: list[NDArray[np.int64]] = field(default_factory=list)

    def notice(self, text: str) -> None:
        """Add a notice; beyond the hundredth only that there were more."""
        if len(self.notices) < MAX_NOTICES:
            self.notices.append(text)
        elif len(self.notices) == MAX_NOTICES:
            self.notices.append("further notices left out")

    def drop_codes(self) -> None:
        """Spikes and beats whose samples are lost."""
        self.spikes.clear()
        self.beats.clear()

    def signal(
        self,
        info: StreamInfo,
        first: int,
        samples: tuple[NDArray[np.int32], NDArray[np.bool_]] | None,
        segment: int,
    ) -> Signal:
        """All of it, with samples and their validity, or without any."""
        leads = len(info.leads)
        rows, valid = samples or (np.zeros((0, leads), np.int32), np.zeros((0, leads), np.bool_))
        return Signal(
            info=info,
            first_sample=first,
            digital=rows,
            valid=valid,
            gaps=tuple(self.gaps),
            windows=tuple(self.windows),
            events=tuple(self.events),
            notices=tuple(self.notices),
            segment=segment,
            code=_joined(self.spikes, 4),
            beat_code=_joined(self.beats, 5),
        )

    def __bool__(self) -> bool:
        return bool(self.gaps or self.windows or self.events or self.notices)
