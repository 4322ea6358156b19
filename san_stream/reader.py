"""Bytes to frames and messages: any bytes, in any pieces. No I/O, no exception on data.

`FrameReader` finds undamaged frames, `MessageReader` joins them. What was damaged comes
out as `Damage`, in its place. The rules are docs/format.md, "Reading".
"""

from __future__ import annotations

from dataclasses import dataclass, field

from san_stream.wire import (
    ANCILLARY,
    FIRST,
    HEADER_SIZE,
    LAST,
    MAX_FRAMES,
    OVERHEAD,
    RESET,
    SYNC,
    Frame,
    check_frame,
    parse_head,
)

MAX_UNFINISHED = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that belong to no undamaged frame.

    Attributes:
        offset: where they begin, counted from the first byte fed.
        count: how many.
    """

    offset: int
    count: int


class FrameReader:
    """Finds the undamaged frames in a stream of bytes.

    Holds back at most one frame (4,108 bytes) plus what one `push` brought.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._offset = 0  # of the buffer's first byte
        self._bad_from = -1  # where the damage not yet reported begins

    def push(self, data: bytes | bytearray | memoryview) -> list[Frame | Damage]:
        """Take bytes (any number), return the frames and damages that are now certain."""
        self._buffer += data
        return self._scan(final=False)

    def close(self) -> list[Frame | Damage]:
        """End of input: an incomplete frame is damage like any other, and is searched."""
        return self._scan(final=True)

    def _scan(self, *, final: bool) -> list[Frame | Damage]:
        out: list[Frame | Damage] = []
        data, at, size = self._buffer, 0, len(self._buffer)
        while at < size:
            start = data.find(SYNC, at)
            if start != at:
                self._mark(at)
                if start < 0:
                    at = size
                    break
                at = start
            if size - at < HEADER_SIZE:
                if not final:
                    break
                head = None
            else:
                head = parse_head(data, at)
            if head is not None:
                kind, flags, stream, block, length = head
                if size - at < OVERHEAD + length:
                    if not final:
                        break
                elif check_frame(data, at, length):
                    self._report(out, at)
                    begin = at + HEADER_SIZE
                    payload = bytes(data[begin : begin + length])
                    out.append(Frame(kind, flags, stream, block, payload))
                    at += OVERHEAD + length
                    continue
            self._mark(at)
            at += 1
        if final:
            self._report(out, at)
        self._offset += at
        del data[:at]
        return out

    def _mark(self, at: int) -> None:
        if self._bad_from < 0:
            self._bad_from = self._offset + at

    def _report(self, out: list[Frame | Damage], at: int) -> None:
        if self._bad_from >= 0:
            out.append(Damage(self._bad_from, self._offset + at - self._bad_from))
            self._bad_from = -1


@dataclass(frozen=True, slots=True)
class Message:
    """One whole message.

    Attributes:
        kind, stream, block: as in its frames.
        reset: the RESET flag. ancillary: the ANCILLARY flag.
        content: the joined payloads.
        size: its bytes on the wire, frames included.
    """

    kind: int
    stream: int
    block: int
    reset: bool
    ancillary: bool
    content: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Broken:
    """Frames of a message that never became whole.

    Attributes:
        stream: whose message. size: bytes on the wire of the frames that were there.
    """

    stream: int
    size: int


@dataclass(slots=True)
class _Partial:
    head: Frame
    parts: list[bytes] = field(default_factory=list)
    size: int = 0


class MessageReader:
    """Joins frames into messages. Critical and ancillary messages may interleave.

    Unfinished messages of all streams may hold 4 MiB together; beyond, the oldest is broken.
    """

    def __init__(self) -> None:
        self._frames = FrameReader()
        self._open: dict[tuple[int, bool], _Partial] = {}
        self._held = 0  # bytes of all unfinished messages

    def push(self, data: bytes | bytearray | memoryview) -> list[Message | Broken | Damage]:
        """Take bytes, return what is now certain, in order."""
        return self._join(self._frames.push(data))

    def close(self) -> list[Message | Broken | Damage]:
        """End of input."""
        out = self._join(self._frames.close())
        while self._open:
            self._drop_oldest(out)
        return out

    def _join(self, items: list[Frame | Damage]) -> list[Message | Broken | Damage]:
        out: list[Message | Broken | Damage] = []
        for item in items:
            if isinstance(item, Damage):
                out.append(item)
            else:
                self._take(item, out)
        return out

    def _take(self, frame: Frame, out: list[Message | Broken | Damage]) -> None:
        key = (frame.stream, bool(frame.flags & ANCILLARY))
        partial = self._open.pop(key, None)
        self._held -= partial.size if partial is not None else 0
        if frame.flags & FIRST:
            if partial is not None:
                out.append(Broken(frame.stream, partial.size))
            if frame.flags & LAST:
                out.append(_message(frame, frame.payload, frame.size))
                return
            partial = _Partial(frame)
        elif partial is None:
            out.append(Broken(frame.stream, frame.size))
            return
        number = frame.payload[0] if frame.payload else -1
        expected = len(partial.parts)
        same = (frame.kind, frame.block) == (partial.head.kind, partial.head.block)
        if number != expected or not same or expected >= MAX_FRAMES:
            out.append(Broken(frame.stream, partial.size + frame.size))
            return
        partial.parts.append(frame.payload[1:])
        partial.size += frame.size
        if frame.flags & LAST:
            out.append(_message(partial.head, b"".join(partial.parts), partial.size))
        else:
            self._open[key] = partial
            self._held += partial.size
            while self._held > MAX_UNFINISHED:
                self._drop_oldest(out)

    def _drop_oldest(self, out: list[Message | Broken | Damage]) -> None:
        key = next(iter(self._open))
        partial = self._open.pop(key)
        self._held -= partial.size
        out.append(Broken(key[0], partial.size))


def _message(head: Frame, content: bytes, size: int) -> Message:
    return Message(
        kind=head.kind,
        stream=head.stream,
        block=head.block,
        reset=bool(head.flags & RESET),
        ancillary=bool(head.flags & ANCILLARY),
        content=content,
        size=size,
    )
