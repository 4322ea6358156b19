"""From blocks to messages: packing, resets, headers, events, counts.

What is sent, and in which message, follows from the blocks alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from san_runtime.losses import LossSums
from san_stream.coding.stream import message_work, window_ends
from san_stream.headers import Header, pack_header
from san_stream.payloads import (
    MAX_EVENTS,
    VALIDITY,
    End,
    Losses,
    pack_code,
    pack_end,
    pack_events,
    pack_gap,
)
from san_stream.windows import WindowLedger
from san_stream.wire import BLOCK_MODULUS, MAX_PAYLOAD, RESET, Kind, pack_message

if TYPE_CHECKING:
    from san_runtime.blocks import Draft
    from san_stream.coding.stream import StreamCoder
    from san_stream.types import Event, Gap, Window

EVENTS_A_MESSAGE: Final = min(128, MAX_EVENTS)
FAR_BLOCKS: Final = BLOCK_MODULUS // 4
"""Blocks after which the HEADER tells the position again, well before numbers repeat."""
PREFIX_ROOM: Final = 16
"""Bytes kept free in a frame for what stands before the coded bytes, and their end."""


@dataclass(frozen=True, slots=True)
class Pace:
    """When messages, resets and headers come.

    Attributes:
        pack: most samples a message; None: one block a message.
        reset_blocks: blocks from one reset to the next, counted from sample 0.
        header_samples: samples after which a reset is preceded by the HEADER again.
    """

    pack: int | None
    reset_blocks: int
    header_samples: int


class Assembler:
    """Writes the messages of one stream.

    Attributes:
        header: what the first HEADER says.
        decided: every sample before it has been written.
        windows: quality figures of completed windows, not yet taken.
    """

    def __init__(self, header: Header, coder: StreamCoder, pace: Pace) -> None:
        self.header = header
        self.decided = header.start
        self.windows: list[Window] = []
        self._coder = coder
        self._pace = pace
        self._begun = False
        self._header_at = 0
        self._period = -1  # which stretch between resets the last block lay in
        self._far = False  # a gap went so far that block numbers alone could mislead
        self._open: list[Draft] = []
        self._open_run = self._open_reset = self._open_validity = False
        self._largest = 0  # bytes of the largest block in the open message
        self._sent = self._told = 0  # bits of the closed messages; bits that drafts know of
        self._losses = LossSums(header.window)
        self._events: list[Event] = []
        self._sent_events = self._samples = self._gaps = 0
        self._digest = hashlib.sha256()
        self._ledger = WindowLedger(
            header.window,
            tuple(lead.bits for lead in header.info.leads),
            tuple(s.weights for s in coder.sets),
        )

    # -- what the encoder calls ----------------------------------------------------------

    def begin(self, first: int) -> list[bytes]:
        """The HEADER, once, before anything else."""
        if self._begun:
            return []
        self._begun = True
        self.decided = first
        self.header = replace(self.header, start=first)
        return [self._write_header(self.header)]

    def joining_header(self) -> bytes:
        """A repeated HEADER as of now; not part of the stream's own bytes."""
        header = replace(self.header, start=self.decided, repeat=True)
        return self._packed(Kind.HEADER, self.decided, pack_header(header))

    def prepare(self) -> list[bytes]:
        """Before the next block of a run is drafted: reset the coder where that is due."""
        period = self.decided // self.header.block // self._pace.reset_blocks
        if period == self._period and not self._far:
            return []
        out = self.flush()
        run_begins = self._coder.run_begins
        old = self.decided - self._header_at >= self._pace.header_samples
        if self._far or (self._period >= 0 and old):
            out.append(self._write_header(replace(self.header, start=self.decided, repeat=True)))
        self._period, self._far = period, False
        self._coder.reset()
        if run_begins:
            self._coder.restart()
        self._open_reset = True
        return out

    def write(self, draft: Draft) -> list[bytes]:
        """Code a block; return the messages that it completes."""
        out: list[bytes] = []
        validity = draft.block.valid is not None
        if self._open and validity and not self._open_validity:
            out += self.flush()
        if not self._open:
            self._open_validity = validity
            self._open_run = self._coder.run_begins
            self._largest = 0
            self._coder.begin_message()
        elif self._open_validity and not validity:
            make, count = self._coder.core.integers, draft.block.count
            draft.block.valid = [make(count, 1) for _ in self.header.info.leads]
        before = self._coder.written
        self._coder.write(draft.block, partial(self._settle, draft))
        self._largest = max(self._largest, self._coder.written - before)
        self._open.append(draft)
        self.decided = draft.block.first + draft.block.count
        return out + self.flush() if self._full() else out

    def flush(self) -> list[bytes]:
        """Close the open message, book it, and send the events it covers."""
        if not self._open:
            return []
        first = self._open[0].block.first
        count = self.decided - first
        layers = self._coder.layers | ({VALIDITY} if self._open_validity else frozenset())
        coded, block = self._coder.end_message(), self.header.block
        content = pack_code(first, count, block, layers, coded, run_begins=self._open_run)
        message = self._message(Kind.CODE, first, content, RESET if self._open_reset else 0)
        self._ledger.add_message(first, count, 8 * len(message))
        for draft in self._open:
            self._book(draft)
        self._open = []
        self._open_reset = False
        return [message, *self._flush_events(first + count)]

    def add_event(self, event: Event) -> None:
        """Keep an event until the samples it belongs to are sent."""
        self._events.append(event)

    def gap(self, gap: Gap) -> list[bytes]:
        """A GAP; the run before it must be written."""
        out = self.flush()
        window, block = self.header.window, self.header.block
        index = (gap.first - 1) // window
        end = gap.first + gap.count
        closes = gap.first < (index + 1) * window <= end
        losses = self._losses.take(index) if closes else None
        content = pack_gap(gap, gap.first // block * block, losses)
        message = self._message(Kind.GAP, gap.first, content)
        self._ledger.add_overhead(8 * len(message))
        if closes:
            self._close_window(index, losses)
        self._gaps += 1
        self._far |= gap.count >= FAR_BLOCKS * block
        self.decided = end
        return [*out, message]

    def end(self) -> list[bytes]:
        """What is left, and END."""
        out = self.flush() + self._flush_events(None)
        losses = self._losses.take(self.decided // self.header.window)
        end = End(
            position=self.decided,
            samples=self._samples,
            gaps=self._gaps,
            events=self._sent_events,
            losses=losses,
            digest=self._digest.digest(),
        )
        message = self._message(Kind.END, self.decided, pack_end(end))
        self._ledger.add_overhead(8 * len(message))
        self.windows += self._ledger.close_stream(self.decided, losses or self._exact())
        return [*out, message]

    # -- parts -------------------------------------------------------------------------

    def _exact(self) -> tuple[int, ...]:
        return (0,) * len(self.header.info.leads)

    def _message(self, kind: Kind, first: int, content: bytes, flags: int = 0) -> bytes:
        """A message of the stream; its bits count."""
        message = self._packed(kind, first, content, flags)
        self._sent += 8 * len(message)
        return message

    def _packed(self, kind: Kind, first: int, content: bytes, flags: int = 0) -> bytes:
        stream = self.header.info.stream
        return pack_message(kind, flags, stream, first // self.header.block, content)

    def _write_header(self, header: Header) -> bytes:
        self._header_at = header.start
        message = self._message(Kind.HEADER, header.start, pack_header(header))
        self._ledger.add_overhead(8 * len(message))
        return message

    def _settle(self, draft: Draft) -> None:
        """The block's samples are coded: now its losses are known."""
        spent = self._sent + self._coder.bits
        draft.settle(spent - self._told)
        self._told = spent
        self._losses.add(draft)

    def _full(self) -> bool:
        """Whether the open message ends here: with each block live, else by size and length."""
        if self._pace.pack is None:
            return True
        first = self._open[0].block.first
        with_next = self.decided - first + self.header.block
        return (
            with_next > self._pace.pack
            or not message_work(self.header, first, with_next).allowed
            or self._coder.written + self._largest > MAX_PAYLOAD - PREFIX_ROOM
        )

    def _book(self, draft: Draft) -> None:
        block = draft.block
        self._digest.update(draft.shown.astype("<i4").tobytes())
        self._samples += block.count
        for lead, positions in enumerate(draft.spikes):
            self._ledger.add_spikes(lead, positions)
        self._ledger.add_samples(block.first, draft.valid)
        for i, index in enumerate(window_ends(block.first, block.count, self.header.window)):
            self._close_window(index, tuple(block.losses[i]) if block.losses else None)

    def _close_window(self, index: int, losses: Losses) -> None:
        window = self._ledger.close_window(index, losses or self._exact())
        if window is not None:
            self.windows.append(window)

    def _flush_events(self, end: int | None) -> list[bytes]:
        """EVENTS messages of the events before sample `end` (None: all)."""
        due = [event for event in self._events if end is None or event.sample < end]
        if not due:
            return []
        self._events = [e for e in self._events if end is not None and e.sample >= end]
        origin = self.decided // self.header.block * self.header.block
        out = []
        for at in range(0, len(due), EVENTS_A_MESSAGE):
            part = due[at : at + EVENTS_A_MESSAGE]
            content = pack_events(part, self._sent_events, origin)
            message = self._message(Kind.EVENTS, self.decided, content)
            self._ledger.add_overhead(8 * len(message))
            self._sent_events += len(part)
            out.append(message)
        return out
