"""What a newcomer to a live stream is handed, so that it decodes at once.

A decoder can start where a CODE message says RESET. So of each stream are kept the messages
since the last one, behind a HEADER that says at which sample they begin.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from san_stream.errors import FormatError
from san_stream.headers import pack_header, unpack_header
from san_stream.payloads import unpack_code, unpack_gap
from san_stream.reader import Message, MessageReader
from san_stream.wire import BLOCK_MODULUS, Kind, pack_message

if TYPE_CHECKING:
    from san_stream.headers import Header

MAX_BYTES = 16 * 2**20
"""Kept of one stream; where a reset is further back, a newcomer waits for the next one."""


@dataclass(slots=True)
class _Tail:
    """One stream: its HEADER, and the messages since a decoder could last start.

    Attributes:
        start: first sample of `messages`. position: sample after the last message.
        whole: `messages` go back to `start`.
    """

    header: Header
    start: int
    position: int
    messages: list[bytes] = field(default_factory=list)
    size: int = 0
    whole: bool = True

    def restart(self, start: int) -> None:
        """A decoder can start here."""
        self.start, self.whole = start, True
        self.messages.clear()
        self.size = 0

    def keep(self, data: bytes) -> None:
        """Keep one message, unless there are too many."""
        if self.whole and self.size + len(data) <= MAX_BYTES:
            self.messages.append(data)
            self.size += len(data)
        else:
            self.messages.clear()
            self.whole = False

    def origin(self, block: int) -> int:
        """First sample of the block of this number modulo 2^16, at or after `position`."""
        here = self.position // self.header.block
        return (here + (block - here) % BLOCK_MODULUS) * self.header.block


class CatchUp:
    """Follows the messages of all streams of one sink."""

    def __init__(self) -> None:
        self._tails: dict[int, _Tail] = {}

    def add(self, data: bytes) -> None:
        """Take one whole message, as it goes out."""
        for message in MessageReader().push(data):
            if isinstance(message, Message):
                try:
                    self._follow(message, data)
                except FormatError:  # of a kind or version that is not known here
                    self._tails.pop(message.stream, None)

    def messages(self) -> list[bytes]:
        """What a newcomer is handed now."""
        out = []
        for number, tail in sorted(self._tails.items()):
            header = tail.header
            start = tail.start if tail.whole else tail.position
            if start != header.start:
                header = replace(header, start=start, repeat=True)
            block = start // header.block
            out.append(pack_message(Kind.HEADER, 0, number, block, pack_header(header)))
            out += tail.messages
        return out

    def _follow(self, message: Message, data: bytes) -> None:
        number = message.stream
        if message.kind == Kind.HEADER:
            header = unpack_header(message.content, number)
            if not header.repeat or number not in self._tails:
                self._tails[number] = _Tail(header, header.start, header.start)
            return
        tail = self._tails.get(number)
        if tail is None:
            return
        leads, block = len(tail.header.info.leads), tail.header.block
        if message.kind == Kind.CODE:
            prefix = unpack_code(message.content, tail.origin(message.block), block, leads)
            if message.reset:
                tail.restart(prefix.first)
            tail.position = prefix.first + prefix.count
        elif message.kind == Kind.GAP:
            origin = tail.origin(message.block)
            gap, _ = unpack_gap(message.content, origin, block, leads, number)
            tail.position = gap.first + gap.count
        tail.keep(data)
