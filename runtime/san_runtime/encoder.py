"""`Encoder`: samples of one stream in, messages out; the same bytes for every chunking."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

import numpy as np

from san_runtime.assembler import FAR_BLOCKS, Assembler, Pace
from san_runtime.backends import get_backend
from san_runtime.blocks import ExactMaker, SpikesMaker
from san_runtime.compiled import compiled_core
from san_runtime.latency import Latency, plan
from san_runtime.rate_control import make_control
from san_runtime.transform_blocks import TransformMaker
from san_stream.coding.stream import MAX_MODEL_BYTES, StreamCoder, model_bytes
from san_stream.coding.transform_layer import TransformLayer
from san_stream.errors import SampleError, SettingError
from san_stream.headers import (
    MAX_BLOCK_VALUES,
    MAX_WINDOW,
    MIN_WINDOW,
    TRAINED,
    UNTRAINED,
    Header,
)
from san_stream.profiles import (
    Bounded,
    Lossless,
    Profile,
    Spikes,
    is_predicted,
    is_transformed,
)
from san_stream.types import INT32_MAX, INT32_MIN, MAX_POSITION, Chunk, Event, Gap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from san_stream.coding.core import Core
    from san_stream.kernels import Kernels
    from san_stream.types import StreamInfo, Window

BLOCK_SECONDS: Final = 1
MIN_DEFAULT_BLOCK: Final = 32
RESET_SECONDS: Final = 300
EXACT_RESILIENT_SECONDS: Final = 5
RESILIENT_SECONDS: Final = 20
HEADER_SECONDS: Final = 3600
PACK_SECONDS: Final = 60
MAX_INTERVAL: Final = 2**40


class Encoder:
    """Encodes one stream, live.

    The messages are a function of the samples, the gaps, the events and the settings
    alone, provided that an event is pushed before the chunk that holds its sample.

    Args:
        info: the stream's rate and leads.
        profile: what to send; `Lossless()` by default.
        block: coded unit in samples; default one second, at least 32 samples; not to be
            given where the delay decides it.
        delay: seconds from a sample to the message that holds it, 0.5 to 8, default 4.3;
            for `Quality`, and `Bounded` above 2.
        window: unit of the quality figures in samples, 16 to 2^20.
        reset: samples between points where a decoder can start; rounded up to whole
            blocks; default 300 s.
        pack: most samples a message, for files; None sends each block at once.
        first_sample: index of the first sample; None takes it from the first item.
        backend: where similarities are computed, "numba" or "reference".
        core: the coding functions; by default the compiled ones.
        trained: let leads start from what ECGs have taught, where that is cheaper; without
            it decoders need no start tables.
        model: trained kernels with which leads of `Quality`, and `Bounded` above 2, begin,
            where the signal is like them; else they learn their beats from none.

    Raises:
        SettingError: an option is outside its limits.
        ModelError: the kernels do not fit the stream.

    Attributes:
        position: index of the next sample to push.
    """

    def __init__(
        self,
        info: StreamInfo,
        profile: Profile | None = None,
        *,
        block: int | None = None,
        window: int = 1000,
        delay: float | None = None,
        reset: int | None = None,
        pack: int | None = None,
        first_sample: int | None = None,
        backend: str = "numba",
        core: Core | None = None,
        trained: bool = True,
        model: Kernels | None = None,
    ) -> None:
        profile = Lossless() if profile is None else profile
        if isinstance(profile, Bounded):
            profile = Bounded(profile.errors(len(info.leads)), profile.preset)
        most = MAX_BLOCK_VALUES // len(info.leads)
        assignment: tuple[int, ...] = ()
        if isinstance(profile, Spikes):
            assignment = profile.kernels.assign(info)
            placed = sum(len(profile.kernels.sets[i].kernels) for i in assignment)
            most = min(most, MAX_BLOCK_VALUES // placed)  # the densest code fits a message
        latency = None
        if is_transformed(profile):
            latency = _latency(info, delay, block, most)
            block = latency.block
        elif delay is not None:
            raise SettingError(f"delay {delay:g} s: profile {profile.name} has that of its block")
        if model is not None and latency is None:
            raise SettingError(
                f"model to begin with: for quality and bounds above 2, not for {profile.name}"
            )
        if block is None:
            block = min(max(round(BLOCK_SECONDS * info.rate), MIN_DEFAULT_BLOCK), most)
        if reset is None:
            reset = ceil(RESET_SECONDS * info.rate)
        _check("block", block, 1, most)
        _check("window", window, MIN_WINDOW, MAX_WINDOW)
        _check("reset", reset, 1, MAX_INTERVAL)
        _check("pack", 1 if pack is None else pack, 1, MAX_INTERVAL)
        _check("first sample", first_sample or 0, 0, MAX_POSITION - 1)
        start = first_sample or 0
        late = latency.late if latency else 0
        tables = TRAINED if trained and not isinstance(profile, Spikes) else UNTRAINED
        header = Header(info, profile, block, window, start, False, assignment, late, tables)
        if model_bytes(header) > MAX_MODEL_BYTES:
            raise SettingError(
                f"models of {len(info.leads)} leads take {model_bytes(header) >> 20} MiB, decoders "
                f"allow {MAX_MODEL_BYTES >> 20}; a lighter preset or fewer leads would do"
            )
        self._coder = StreamCoder(header, core or compiled_core())
        self._maker: ExactMaker | SpikesMaker | TransformMaker
        layer = self._coder.layer
        if isinstance(profile, Spikes):
            self._maker = SpikesMaker(header, self._coder, get_backend(backend))
        elif latency is not None and isinstance(layer, TransformLayer):
            control = make_control(profile, info.leads, info.rate, self._coder.core)
            sets = [] if model is None else [model.sets[i] for i in model.assign(info)]
            begun = [group.kernels for group in sets]
            self._maker = TransformMaker(header, self._coder, layer, latency, control, begun)
        else:
            self._maker = ExactMaker(header, self._coder)
        header_samples = min(ceil(HEADER_SECONDS * info.rate), FAR_BLOCKS * block)
        pace = Pace(pack, -(-reset // block), header_samples)
        self._assembler = Assembler(header, self._coder, pace)
        self._info = info
        self._ranged = isinstance(profile, Spikes)
        self.position = start
        self._placed = first_sample is not None
        self._in_run = False
        self._closed = False

    @staticmethod
    def file_pack(info: StreamInfo) -> int:
        """The `pack` for files: 60 s in samples."""
        return max(round(PACK_SECONDS * info.rate), 1)

    @staticmethod
    def resilient_reset(info: StreamInfo, profile: Profile) -> int:
        """The `reset` for lossy links: 5 s where samples are predicted, else 20 s."""
        seconds = EXACT_RESILIENT_SECONDS if is_predicted(profile) else RESILIENT_SECONDS
        return ceil(seconds * info.rate)

    @property
    def header(self) -> Header:
        """What the stream's HEADER says."""
        return self._assembler.header

    @property
    def decided(self) -> int:
        """Every sample before this index has been coded."""
        return self._assembler.decided

    def header_message(self) -> bytes:
        """A repeated HEADER for whoever joins now; it is not part of the stream's bytes."""
        return self._assembler.joining_header()

    def take_windows(self) -> list[Window]:
        """Quality figures of the windows completed since the last call."""
        windows, self._assembler.windows = self._assembler.windows, []
        return windows

    def push(self, item: Chunk | Gap | Event | NDArray[np.int32]) -> list[bytes]:
        """Take the next item; return the messages that are now certain (whole, in order).

        Args:
            item: a `Chunk` of any length, a `Gap`, an `Event`, or int32 ``[n, leads]``.

        Raises:
            SampleError: it does not continue the stream, or has the wrong shape, type or
                range. The encoder is then as it was.
            ValueError: after `close`.
        """
        if self._closed:
            raise ValueError("push after close")
        if isinstance(item, np.ndarray):
            item = Chunk(self.position, item, stream=self._info.stream)
        if item.stream != self._info.stream:
            what = type(item).__name__.lower()
            raise SampleError(
                f"{what} of stream {item.stream}, this encoder is for {self._info.stream}"
            )
        if isinstance(item, Event):
            if item.lead >= len(self._info.leads):
                raise SampleError(
                    f"event of lead {item.lead}, the stream has {len(self._info.leads)}"
                )
            self._assembler.add_event(item)
            return []
        if isinstance(item, Gap):
            self._place(item.first, item.count, "gap")
            out = self._assembler.begin(item.first) + self._end_run()
            self.position = item.first + item.count
            return out + self._assembler.gap(item)
        samples, valid = self._checked(item)
        self._place(item.first_sample, len(samples), "chunk")
        out = self._assembler.begin(item.first_sample)
        if not len(samples):
            return out
        if not self._in_run:
            self._in_run = True
            self._maker.start_run(self.position)
            self._coder.restart()
        self._maker.push(samples, valid)
        self.position += len(samples)
        return out + self._drain()

    def close(self) -> list[bytes]:
        """End the stream: the rest of the samples and END. A second call gives nothing."""
        if self._closed:
            return []
        self._closed = True
        return self._assembler.begin(self.position) + self._end_run() + self._assembler.end()

    # -- parts -------------------------------------------------------------------------

    def _end_run(self) -> list[bytes]:
        if not self._in_run:
            return []
        self._in_run = False
        self._maker.end_run()
        return self._drain() + self._assembler.flush()

    def _drain(self) -> list[bytes]:
        """Code all blocks that are certain."""
        out: list[bytes] = []
        while self._maker.ready():
            out += self._assembler.prepare()
            out += self._assembler.write(self._maker.draft())
        return out

    def _place(self, first: int, count: int, what: str) -> None:
        if first + count >= MAX_POSITION:
            raise SampleError(f"{what} ends at {first + count}, positions must be below 2^62")
        if not self._placed:
            if first < 0:
                raise SampleError(f"{what} begins at {first}, must be 0 or more")
            self._placed = True
            self.position = first
        if first != self.position:
            hint = "; push a Gap for what is missing" if first > self.position else ""
            raise SampleError(f"{what} begins at {first}, expected {self.position}{hint}")

    def _checked(self, chunk: Chunk) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Samples as int32 and their validity; refuses what could not be coded."""
        samples = chunk.samples
        if samples.shape[1] != len(self._info.leads):
            raise SampleError(
                f"samples have {samples.shape[1]} leads, expected {len(self._info.leads)}"
            )
        if samples.dtype.kind not in "iu":
            raise SampleError(f"samples are {samples.dtype}, expected int32 ADC values")
        valid = np.ones(samples.shape, np.bool_) if chunk.valid is None else chunk.valid
        limits = [(INT32_MIN, INT32_MAX)] * len(self._info.leads)
        if self._ranged:  # the similarities are exact for the declared range
            limits = [(lead.minimum, lead.maximum) for lead in self._info.leads]
        if self._ranged or samples.dtype != np.int32:
            low, high = np.array(limits, np.int64).T
            wrong = valid & ((samples < low) | (samples > high))
            if wrong.any():
                row, lead = (int(i[0]) for i in np.nonzero(wrong))
                raise SampleError(
                    f"lead {self._info.leads[lead].name!r}, sample {chunk.first_sample + row}: "
                    f"{samples[row, lead]} is outside {limits[lead][0]} to {limits[lead][1]}"
                )
            samples = np.where(valid, samples, 0).astype(np.int32)
        return samples, valid


def _latency(info: StreamInfo, delay: float | None, block: int | None, most: int) -> Latency:
    if block is not None:
        raise SettingError(f"block of {block} samples: the delay decides it in this profile")
    return plan(info.rate, delay, most)


def _check(what: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise SettingError(f"{what} of {value} samples: must be {low} to {high}")
