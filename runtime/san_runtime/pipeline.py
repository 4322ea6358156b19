"""The one way of a signal: source, pace, one encoder a stream, sinks."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from san_runtime.interrupt import Interrupt
from san_runtime.sinks import is_live, open_sink
from san_runtime.sinks.file import FileSink
from san_runtime.sinks.serve import ServingSink
from san_stream.errors import SanStreamError, SettingError, SinkError
from san_stream.types import Chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from fractions import Fraction
    from pathlib import Path

    from san_runtime.encoder import Encoder
    from san_stream.kernels import Kernels
    from san_stream.profiles import Profile
    from san_stream.protocols import Sink, Source
    from san_stream.types import StreamInfo


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """What may be chosen of an encoder, beside its profile; None: its default.

    Attributes:
        block, window: samples.
        delay: seconds from a sample to its message, in quality and bounded.
        reset: seconds between points where a decoder can start.
        resilient: so many of these that a loss costs seconds; not with `reset`.
        live: one message a block, whatever the sinks; None: live unless all are files.
        backend: computes the similarities.
        model: trained kernels with which leads of quality and bounded begin.
    """

    block: int | None = None
    window: int | None = None
    delay: float | None = None
    reset: float | None = None
    resilient: bool = False
    live: bool | None = None
    backend: str | None = None
    model: Kernels | None = None


@dataclass(slots=True)
class StreamSummary:
    """What became of one stream.

    Attributes:
        info: rate and leads.
        samples: samples a lead that the source gave.
        gaps, events: how many came.
        messages, bytes: written to each sink.
    """

    info: StreamInfo
    samples: int = 0
    gaps: int = 0
    events: int = 0
    messages: int = 0
    bytes: int = 0

    @property
    def seconds(self) -> float:
        """Signal time."""
        return float(self.samples / self.info.rate)

    @property
    def values(self) -> int:
        """Samples of all leads together."""
        return self.samples * len(self.info.leads)

    @property
    def raw_bits(self) -> int:
        """Bits at the declared ADC resolution."""
        return self.samples * self.info.raw_bits


@dataclass(slots=True)
class Summary:
    """What a run did.

    Attributes:
        streams: one a stream of the source.
        interrupted: exit status of the signal that ended it, or 0.
        dropped: messages that slow clients of serving sinks lost.
    """

    streams: list[StreamSummary] = field(default_factory=list)
    interrupted: int = 0
    dropped: int = 0

    @property
    def bytes(self) -> int:
        """Bytes written to each sink, all of them."""
        return sum(stream.bytes for stream in self.streams)

    @property
    def messages(self) -> int:
        """Messages written to each sink."""
        return sum(stream.messages for stream in self.streams)

    @property
    def seconds(self) -> float:
        """Signal time of the longest stream."""
        return max((stream.seconds for stream in self.streams), default=0.0)

    @property
    def bits_per_sample(self) -> float | None:
        """All bits over the samples of all leads; None without samples."""
        values = sum(stream.values for stream in self.streams)
        return 8 * self.bytes / values if values else None

    @property
    def compression_ratio(self) -> float | None:
        """Bits at the declared ADC resolution over all bits; None without samples."""
        raw = sum(stream.raw_bits for stream in self.streams)
        return raw / (8 * self.bytes) if raw and self.bytes else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "seconds": self.seconds,
            "bytes": self.bytes,
            "messages": self.messages,
            "bits_per_sample": self.bits_per_sample,
            "compression_ratio": self.compression_ratio,
            "dropped_messages": self.dropped,
            "interrupted": bool(self.interrupted),
            "streams": [
                {
                    "stream": stream.info.stream,
                    "rate": float(stream.info.rate),
                    "leads": [lead.name for lead in stream.info.leads],
                    "samples": stream.samples,
                    "gaps": stream.gaps,
                    "events": stream.events,
                    "messages": stream.messages,
                    "bytes": stream.bytes,
                }
                for stream in self.streams
            ],
        }


def run(
    source: Source,
    profile: Profile | Callable[[StreamInfo], Profile],
    urls: Sequence[str],
    *,
    settings: EncoderSettings | None = None,
    force: bool = False,
    insecure: bool = False,
    wait: bool = False,
    keep: bool = True,
    progress: Callable[[float], object] | None = None,
    opened: Callable[[str, Sink], object] | None = None,
) -> Summary:
    """Encode a source into sinks until it ends or a signal comes.

    On Ctrl-C or SIGTERM, and where the source or an encoder fails, the encoders are closed,
    so what was sent is a whole stream.

    Args:
        source: where samples come from; the caller closes it.
        profile: what to send, the same of every stream or by what it is.
        urls: sinks, at least one.
        settings: of the encoders.
        force: replace existing files.
        insecure: serve beyond the loopback address.
        wait: do not start before each serving sink has a client.
        keep: leave what a file holds where an error ends the run; else remove it.
        progress: called with the signal seconds done.
        opened: called with URL and sink when a sink is open.

    Raises:
        SanStreamError: what the source, an encoder or a sink says; all sinks are closed.
    """
    if not urls:
        raise SettingError("no output is given")
    settings = settings or EncoderSettings()
    live = any(map(is_live, urls)) if settings.live is None else settings.live
    encoders = {
        info.stream: _encoder(
            info, profile(info) if callable(profile) else profile, settings, live=live
        )
        for info in source.infos
    }
    summary = Summary([StreamSummary(info) for info in source.infos])
    with Interrupt() as interrupt, ExitStack() as stack:
        sinks = []
        for url in urls:
            sink = stack.enter_context(open_sink(url, force=force, insecure=insecure))
            _keep_apart(source, sink)
            sinks.append(sink)
            if opened is not None:
                opened(url, sink)
        try:
            try:
                if wait:
                    _wait(sinks, interrupt)
                _pump(source, encoders, sinks, summary, interrupt, progress)
            except KeyboardInterrupt:
                if interrupt.number is None:
                    raise
            for stream in summary.streams:
                _send(encoders[stream.info.stream].close(), sinks, stream)
        except (SanStreamError, OSError) as error:
            kept = [sink for sink in sinks if keep or not isinstance(sink, FileSink)]
            if not isinstance(error, SinkError):
                _end(encoders, kept, summary)
            for sink in sinks:
                if isinstance(sink, FileSink) and not keep:
                    sink.discard()
            raise
        summary.interrupted = interrupt.status
    summary.dropped = sum(sink.dropped for sink in sinks if isinstance(sink, ServingSink))
    return summary


def _wait(sinks: list[Sink], interrupt: Interrupt) -> None:
    with interrupt.raising():
        for sink in sinks:
            if isinstance(sink, ServingSink):
                sink.wait_for_client()


def _pump(
    source: Source,
    encoders: dict[int, Encoder],
    sinks: list[Sink],
    summary: Summary,
    interrupt: Interrupt,
    progress: Callable[[float], object] | None,
) -> None:
    streams = {stream.info.stream: stream for stream in summary.streams}
    items = iter(source)
    while True:
        with interrupt.raising():
            item = next(items, None)
        if item is None:
            return
        stream = streams[item.stream]
        if isinstance(item, Chunk):
            stream.samples += len(item)
        elif hasattr(item, "count"):
            stream.gaps += 1
        else:
            stream.events += 1
        _send(encoders[item.stream].push(item), sinks, stream)
        if progress is not None:
            progress(stream.seconds)


def _send(messages: list[bytes], sinks: list[Sink], stream: StreamSummary) -> None:
    for message in messages:
        for sink in sinks:
            sink.write(message)
        stream.messages += 1
        stream.bytes += len(message)


def _end(encoders: dict[int, Encoder], sinks: list[Sink], summary: Summary) -> None:
    """After an error: end what has begun, as far as encoders and sinks still can."""
    if not summary.messages:
        return
    for stream in summary.streams:
        messages: list[bytes] = []
        with suppress(SanStreamError):  # the first error is the one to tell
            messages = encoders[stream.info.stream].close()
        for sink in list(sinks):
            try:
                _send(messages, [sink], stream)
            except SinkError:
                sinks.remove(sink)


def _encoder(
    info: StreamInfo, profile: Profile, settings: EncoderSettings, *, live: bool
) -> Encoder:
    from san_runtime.encoder import Encoder

    options: dict[str, Any] = {
        "block": settings.block,
        "window": settings.window,
        "delay": settings.delay,
        "backend": settings.backend,
        "model": settings.model,
        "reset": None if settings.reset is None else _samples(info.rate, settings.reset),
        "pack": None if live else Encoder.file_pack(info),
    }
    if settings.resilient:
        if settings.reset is not None:
            raise SettingError(f"--resilient and --reset {settings.reset:g} exclude each other")
        options["reset"] = Encoder.resilient_reset(info, profile)
    given = {name: value for name, value in options.items() if value is not None}
    return Encoder(info, profile, **given)


def _samples(rate: Fraction, seconds: float) -> int:
    if not 0 < seconds < 2**31:
        raise SettingError(f"reset {seconds:g} s: must be above 0 and below 2^31")
    return max(1, round(seconds * float(rate)))


def _keep_apart(source: Source, sink: Sink) -> None:
    """Refuse to write over the record that is being read."""
    while hasattr(source, "source"):  # a paced source holds the record
        source = source.source
    paths: tuple[Path, ...] = getattr(source, "paths", ())
    if isinstance(sink, FileSink) and sink.path.exists():
        for path in paths:
            if path.exists() and path.samefile(sink.path):
                raise SinkError(f"output {str(sink.path)!r}: is a file of the record itself")
