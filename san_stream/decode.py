"""`Decoder`: any bytes of any streams, in any pieces, to samples. It never raises on data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from san_stream.coding.core import PLAIN, Core
from san_stream.coding.stream import MAX_MODEL_BYTES, model_bytes
from san_stream.errors import FormatError
from san_stream.headers import Header, pack_header, unpack_header
from san_stream.news import News
from san_stream.payloads import STATISTICS
from san_stream.profiles import Lossless, Spikes
from san_stream.reader import Broken, Damage, Message, MessageReader
from san_stream.stream_decoder import StreamDecoder
from san_stream.wire import Kind

if TYPE_CHECKING:
    from san_stream.types import Signal


@dataclass(slots=True)
class Counters:
    """What went in and what became of it.

    Attributes:
        bytes_in: all bytes. damaged_bytes: in no undamaged frame. broken_bytes: in
            undamaged frames of messages that never became whole.
        dropped_bytes: of messages that were whole and of no use (no header, unknown kind).
        messages: whole messages.
        header_bits, model_bits: HEADER messages without, and their kernel sets.
        event_bits, gap_bits, end_bits: EVENTS, GAP and END messages, frames included.
        code_bits: CODE messages, frames included; of these layer_bits by layer number.
    """

    bytes_in: int = 0
    damaged_bytes: int = 0
    broken_bytes: int = 0
    dropped_bytes: int = 0
    messages: int = 0
    header_bits: int = 0
    model_bits: int = 0
    event_bits: int = 0
    gap_bits: int = 0
    end_bits: int = 0
    code_bits: int = 0
    layer_bits: dict[int, float] = field(default_factory=dict)

    @property
    def bits(self) -> dict[str, int]:
        """Whole bits by purpose; they sum to 8 · bytes_in.

        ``signal`` is samples, spikes, baseline and validity; ``statistics`` the loss
        indices; ``container`` frames, headers, gaps, end and message prefixes; ``model``
        the kernels; ``events`` the annotations; ``unused`` damaged or dropped bytes.
        """
        statistics = round(self.layer_bits.get(STATISTICS, 0.0))
        signal = round(sum(self.layer_bits.values())) - statistics
        unused = 8 * (self.damaged_bytes + self.broken_bytes + self.dropped_bytes)
        rest = statistics + signal + self.model_bits + self.event_bits + unused
        return {
            "signal": signal,
            "statistics": statistics,
            "container": 8 * self.bytes_in - rest,
            "model": self.model_bits,
            "events": self.event_bits,
            "unused": unused,
        }


class Decoder:
    """Decodes a file or a live connection, whatever streams are in it.

    Args:
        core: the coding functions; plain Python by default. `san_runtime` has them
            compiled (`san_runtime.compiled.compiled_core`), with the same results.

    Attributes:
        counters: bytes and bits so far.
        streams: the decoder of each stream number, with its position and losses.
        finished: decoders of segments that have ended or were replaced.
    """

    def __init__(self, core: Core = PLAIN) -> None:
        self.counters = Counters()
        self.streams: dict[int, StreamDecoder] = {}
        self.finished: list[StreamDecoder] = []
        self._core = core
        self._reader = MessageReader()
        self._unplaced = News()
        self._segments: dict[int, int] = {}
        self._closed = False

    def push(self, data: bytes | bytearray | memoryview) -> list[Signal]:
        """Take the next bytes; return what they complete, in order."""
        if self._closed:
            raise ValueError("push after close")
        self.counters.bytes_in += len(data)
        out: list[Signal] = []
        for item in self._reader.push(data):
            self._take(item, out)
        self._flush(out)
        return out

    def close(self) -> list[Signal]:
        """End of input: return what is left, with a notice for each stream without END."""
        if self._closed:
            return []
        self._closed = True
        out: list[Signal] = []
        for item in self._reader.close():
            self._take(item, out)
        for stream in self.streams.values():
            if not stream.ended:
                stream.complete = False
                stream.news.notice("the stream stops without END")
        self._flush(out)
        return out

    @property
    def notices(self) -> tuple[str, ...]:
        """What was noticed and belongs to no stream yet: the next `Signal` will tell it."""
        return tuple(self._unplaced.notices)

    # -- items -------------------------------------------------------------------------

    def _take(self, item: Message | Broken | Damage, out: list[Signal]) -> None:
        if isinstance(item, Damage):
            self.counters.damaged_bytes += item.count
            self._unplaced.notice(f"{item.count} damaged bytes at byte {item.offset}")
        elif isinstance(item, Broken):
            self.counters.broken_bytes += item.size
            self._unplaced.notice(f"incomplete message of stream {item.stream} dropped")
        else:
            self.counters.messages += 1
            self._message(item, out)

    def _message(self, message: Message, out: list[Signal]) -> None:
        bits = 8 * message.size
        if message.kind == Kind.HEADER and not message.ancillary:
            self._header(message, out)
            return
        stream = self.streams.get(message.stream)
        if message.ancillary:
            self.counters.dropped_bytes += message.size
            self._unplaced.notice(f"ancillary message of kind {message.kind} skipped")
        elif stream is None or stream.ended:
            self.counters.dropped_bytes += message.size
            when = "after END" if stream else "before any HEADER"
            self._unplaced.notice(f"message of stream {message.stream} {when} dropped")
        elif message.kind == Kind.CODE:
            self.counters.code_bits += bits
            before = dict(stream.usage)
            signal = stream.code(message)
            for layer, used in stream.usage.items():
                spent = used - before.get(layer, 0.0)
                self.counters.layer_bits[layer] = self.counters.layer_bits.get(layer, 0.0) + spent
            if signal is not None:
                out.append(signal)
        elif message.kind == Kind.GAP:
            self.counters.gap_bits += bits
            stream.gap(message)
        elif message.kind == Kind.EVENTS:
            self.counters.event_bits += bits
            stream.annotate(message)
        elif message.kind == Kind.END:
            self.counters.end_bits += bits
            stream.end(message)
        else:
            self.counters.dropped_bytes += message.size
            stream.lose_sync(f"message of unknown kind {message.kind}: wait for the next RESET")

    def _header(self, message: Message, out: list[Signal]) -> None:
        number = message.stream
        current = self.streams.get(number)
        try:
            header = unpack_header(message.content, number, self._core)
        except FormatError as error:
            self.counters.dropped_bytes += message.size
            self._unplaced.notice(f"HEADER of stream {number} refused: {error}")
            return
        if current is not None and not current.ended and current.header.same_stream(header):
            if header.repeat:
                self._count_header(header, message)
                current.ledger.add_overhead(8 * message.size)
                current.resume_at(header.start)
                return
            if not current.started and current.header.start == header.start:
                self._count_header(header, message)
                current.news.notice("duplicate HEADER dropped")
                return
        held = [s for n, s in self.streams.items() if n != number and not s.ended]
        if sum(model_bytes(s.header) for s in held) + model_bytes(header) > MAX_MODEL_BYTES:
            self.counters.dropped_bytes += message.size
            self._unplaced.notice(f"HEADER of stream {number} refused: too many models at once")
            return
        self._count_header(header, message)
        if current is not None:
            if not current.ended:
                current.complete = False
                current.news.notice("a new stream begins, the last one has no END")
            self._retire(current, out)
        self._segments[number] = self._segments.get(number, -1) + 1
        fresh = StreamDecoder(header, self._segments[number], self._core)
        fresh.ledger.add_overhead(8 * message.size)
        self.streams[number] = fresh

    def _count_header(self, header: Header, message: Message) -> None:
        model = _model_bytes(header)
        self.counters.model_bits += 8 * model
        self.counters.header_bits += 8 * (message.size - model)

    def _retire(self, stream: StreamDecoder, out: list[Signal]) -> None:
        if stream.news:
            out.append(stream.take())
        stream.release()
        self.finished.append(stream)

    def _flush(self, out: list[Signal]) -> None:
        for number in sorted(self.streams):
            stream = self.streams[number]
            if self._unplaced:
                for text in self._unplaced.notices:
                    stream.news.notice(text)
                self._unplaced = News()
            if stream.news:
                out.append(stream.take())


def _model_bytes(header: Header) -> int:
    """Bytes of a HEADER that describe kernels."""
    if not isinstance(header.profile, Spikes):
        return 0
    plain = Header(
        header.info, Lossless(), header.block, header.window, header.start, header.repeat
    )
    return len(pack_header(header)) - len(pack_header(plain))
