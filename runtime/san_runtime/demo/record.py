"""The bundled minute of ECG and the kernels for it (see demo_data/NOTICE.txt)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from san_runtime.sources import open_source
from san_stream.kernels import Kernels
from san_stream.types import Chunk, Event

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from san_stream.types import StreamInfo

FOLDER: Final = Path(__file__).parents[1] / "demo_data"
RECORD: Final = FOLDER / "100_1min"
MODEL: Final = FOLDER / "100_kernels.json"
TITLE: Final = "MIT-BIH Arrhythmia Database, record 100, minute 10"


@dataclass(frozen=True, slots=True, eq=False)
class DemoRecord:
    """The recording as it is, to compare with.

    Attributes:
        info: rate and leads.
        samples: ADC values, int32 ``[n, leads]``.
        beats: the annotations of the database.
        kernels: the model.
    """

    info: StreamInfo
    samples: NDArray[np.int32]
    beats: tuple[Event, ...]
    kernels: Kernels


def load_record() -> DemoRecord:
    """Read record and model.

    Raises:
        SanStreamError: a file is missing or damaged, or wfdb is not installed.
    """
    chunks, beats = [], []
    with open_source(f"wfdb:{RECORD}", annotator="atr") as source:
        info = source.info
        for item in source:
            if isinstance(item, Chunk):
                chunks.append(item.samples)
            elif isinstance(item, Event):
                beats.append(item)
    return DemoRecord(info, np.concatenate(chunks), tuple(beats), Kernels.load(MODEL))
