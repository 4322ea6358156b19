"""san-stream: a live codec for ECG, EEG and other biosignals, with a figure for its quality.

What an application imports: the decoder, the types it hands out, kernels and profiles.
It needs numpy and the standard library only.
"""

from san_stream.decode import Counters, Decoder
from san_stream.errors import (
    FormatError,
    MissingExtraError,
    ModelError,
    SampleError,
    SanStreamError,
    SettingError,
    SinkError,
    SourceError,
)
from san_stream.files import open  # noqa: A004 - the name is the public contract
from san_stream.flithos import RunningMean, flithos, inverse_ratio
from san_stream.kernels import Kernel, Kernels, KernelSet
from san_stream.profiles import Bounded, Lossless, Quality, Spikes
from san_stream.reader import FrameReader
from san_stream.types import Beat, Chunk, Event, Gap, Lead, Signal, Spike, StreamInfo, Window

__version__ = "0.1.0"

__all__ = [
    "Beat",
    "Bounded",
    "Chunk",
    "Counters",
    "Decoder",
    "Event",
    "FormatError",
    "FrameReader",
    "Gap",
    "Kernel",
    "KernelSet",
    "Kernels",
    "Lead",
    "Lossless",
    "MissingExtraError",
    "ModelError",
    "Quality",
    "RunningMean",
    "SampleError",
    "SanStreamError",
    "SettingError",
    "Signal",
    "SinkError",
    "SourceError",
    "Spike",
    "Spikes",
    "StreamInfo",
    "Window",
    "__version__",
    "flithos",
    "inverse_ratio",
    "open",
]
