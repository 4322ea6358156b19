"""One stream's messages to samples: positions, losses, state (docs/format.md).

Everything that a message may do wrong ends as a `Gap` with its reason and a notice in
words; nothing here raises on data.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from san_stream.coding.layers import Block
from san_stream.coding.stream import StreamCoder, message_work, window_ends
from san_stream.errors import FormatError
from san_stream.news import News
from san_stream.payloads import (
    VALIDITY,
    CodePrefix,
    End,
    Losses,
    unpack_code,
    unpack_end,
    unpack_events,
    unpack_gap,
)
from san_stream.reconstruct import Reconstructor, block_beats, block_spikes
from san_stream.types import Gap
from san_stream.windows import WindowLedger
from san_stream.wire import BLOCK_MODULUS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from san_stream.coding.core import Core
    from san_stream.headers import Header
    from san_stream.reader import Message
    from san_stream.types import Signal

LOST = "lost"
UNDECODABLE = "undecodable"
JOINING = "joining"


def split_blocks(first: int, count: int, block: int) -> list[tuple[int, int]]:
    """First sample and length of the blocks (or parts) that tile a stretch of samples."""
    pieces = []
    at, end = first, first + count
    while at < end:
        stop = min((at // block + 1) * block, end)
        pieces.append((at, stop - at))
        at = stop
    return pieces


class StreamDecoder:
    """Decodes one stream of one segment (from its first HEADER to its END).

    Attributes:
        header: as first received.
        position: index of the next sample expected.
        complete: nothing was lost, and the decoder was there from the start.
        ended: END was received. digest_ok: its digest agrees (None: cannot be told).
        lost: samples that were sent and could not be decoded.
        usage: bits of each layer so far, for reports.
    """

    def __init__(self, header: Header, segment: int, core: Core) -> None:
        self.header = header
        self.segment = segment
        self.position = header.start
        self.complete = not header.repeat
        self.ended = False
        self.digest_ok: bool | None = None
        self.samples = self.lost = self.gaps = self.events = 0
        self.usage: dict[int, float] = {}
        self.news = News()
        self.started = False
        self._events_unknown = header.repeat  # how many there were before we joined
        self._coder = StreamCoder(header, core)
        self._rebuild: Reconstructor | None = None  # made at the first RESET
        self._synced = False  # until a CODE with RESET
        self._joined = False  # the last samples came from an intact state
        self._blind_until = 0  # samples before lack footprints from before a reset
        self._digest = hashlib.sha256()
        self.ledger = WindowLedger(
            header.window,
            tuple(lead.bits for lead in header.info.leads),
            tuple(s.weights for s in self._coder.sets),
        )

    # -- positions ---------------------------------------------------------------------

    def _origin(self, block: int) -> int:
        """First sample of the block with this number, nearest to where we are."""
        here = self.position // self.header.block
        ahead = (block - here) % BLOCK_MODULUS
        if ahead >= BLOCK_MODULUS // 2 and here + ahead >= BLOCK_MODULUS:
            ahead -= BLOCK_MODULUS
        return (here + ahead) * self.header.block

    def _miss(self, end: int, reason: str) -> None:
        """Samples from here to `end` were sent and are not decodable."""
        count = end - self.position
        if count <= 0:
            return
        self.lost += count
        self.complete = False
        self._joined = False
        self.ledger.spoil(self.position, count)
        gaps = self.news.gaps
        first = self.position
        if gaps and (gaps[-1].damage, gaps[-1].reason) == (True, reason):
            first = gaps.pop().first  # nothing lies between: positions only move on
        gaps.append(Gap(first, end - first, reason, self.header.info.stream, damage=True))
        self.position = end

    def _skip_to(self, first: int) -> None:
        """The next message begins behind what was expected: messages are missing."""
        if first > self.position:
            joining = self.header.repeat and not self.started
            self._miss(first, JOINING if joining else LOST)
            self._synced = False

    def lose_sync(self, why: str) -> None:
        """Something critical was missed; wait for the next RESET."""
        self._synced = False
        self.complete = False
        self.news.notice(why)

    def release(self) -> None:
        """Free what only further CODE messages would need."""
        self._coder.release()
        self._rebuild = None

    def resume_at(self, start: int) -> None:
        """A repeated HEADER tells where the stream is."""
        self._skip_to(start)

    # -- messages ----------------------------------------------------------------------

    def code(self, message: Message) -> Signal | None:
        """Decode a CODE message; None where it gives no samples."""
        try:
            origin = self._origin(message.block)
            prefix = unpack_code(
                message.content, origin, self.header.block, len(self.header.info.leads)
            )
        except FormatError as error:  # not even its place is known
            self.lose_sync(f"CODE message refused: {error}")
            return None
        for number in prefix.skipped:
            self.news.notice(f"layer extension {number} skipped")
        end = prefix.first + prefix.count
        if prefix.first < self.position:
            what = "duplicate" if end <= self.position else "overlapping"
            self.news.notice(f"{what} CODE message at sample {prefix.first} dropped")
            return None
        self._skip_to(prefix.first)
        self.started = True
        refusal = prefix.refusal or self._unfit(prefix)
        if refusal:
            self.lose_sync(f"CODE message at sample {prefix.first} refused: {refusal}")
        elif message.reset:
            self._coder.reset()
            self._synced = True
            if self._coder.sets and self._rebuild is None:
                self._rebuild = Reconstructor(self._coder)
        if not self._synced:
            self._miss(end, UNDECODABLE)
            return None
        return self._decode(message, prefix)

    def _unfit(self, prefix: CodePrefix) -> str | None:
        """Why a message does not fit its stream, or None."""
        expected = self._coder.layers | (prefix.layers & {VALIDITY})
        if prefix.layers != expected:
            return f"layers {sorted(prefix.layers)} do not fit the profile"
        work = message_work(self.header, prefix.first, prefix.count)
        if not work.allowed:
            return f"{work.values} values in {work.parts} parts are outside the limits"
        return None

    def _decode(self, message: Message, prefix: CodePrefix) -> Signal | None:
        if prefix.run_begins:
            self._coder.restart()
            self._blind_until = 0
            if self._rebuild is not None:
                self._rebuild.restart()
        if self._rebuild is not None and not prefix.run_begins and not self._joined:
            self._rebuild.restart()  # footprints from before the reset are missing
            self._blind_until = prefix.first + self._rebuild.reach
        cut = min(max(self._blind_until - prefix.first, 0), prefix.count)
        self._miss(prefix.first + cut, JOINING)
        pieces = split_blocks(prefix.first, prefix.count, self.header.block)
        self.ledger.add_message(prefix.first, prefix.count, 8 * message.size)
        signal_rows, valid_rows = [], []
        try:
            stretches = self._stretches(pieces)
            blocks = self._coder.read(
                message.content[prefix.coded :], pieces, validity=VALIDITY in prefix.layers
            )
            for block, stretch in zip(blocks, stretches, strict=True):
                rows, valid = self._block(block, stretch)
                signal_rows.append(rows)
                valid_rows.append(valid)
        except FormatError as error:
            self.lose_sync(f"CODE message at sample {prefix.first}: {error}")
            self.news.drop_codes()
            self._miss(prefix.first + prefix.count, UNDECODABLE)
            return None
        for layer, bits in self._coder.usage.items():
            self.usage[layer] = self.usage.get(layer, 0.0) + bits
        return self._emit(prefix, np.concatenate(signal_rows), np.concatenate(valid_rows), cut)

    def _stretches(self, pieces: list[tuple[int, int]]) -> list[list[list[tuple[int, int]]]]:
        out = []
        begins = self._coder.run_begins
        for first, count in pieces:
            block = Block(first, count)
            out.append(
                [
                    [self._coder.stretch(lead, i, block) for i in range(len(offsets))]
                    for lead, offsets in enumerate(self._coder.offsets)
                ]
            )
            self._coder.run_begins = False
        self._coder.run_begins = begins
        return out

    def _block(
        self, block: Block, stretches: list[list[tuple[int, int]]]
    ) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Samples and validity of one block; its windows go to the news."""
        leads = self.header.info.leads
        valid = np.ones((block.count, len(leads)), dtype=np.bool_)
        if block.valid is not None:
            valid = np.array(block.valid, dtype=np.bool_).T
        if self._rebuild is not None:
            values, _ = self._rebuild.rebuild(block, stretches)
            for lead in range(len(leads)):
                spikes = block_spikes(self._coder, block, lead, stretches[lead])
                spikes = spikes[spikes[:, 0] >= self._blind_until]
                self.ledger.add_spikes(lead, spikes[:, 0])
                self.news.spikes.append(spikes)
        else:
            values = np.array(block.samples, dtype=np.int64).T
            self.news.beats += block_beats(block)
        for i, lead_info in enumerate(leads):
            values[~valid[:, i], i] = lead_info.invalid or 0
        hidden = min(max(self._blind_until - block.first, 0), block.count)
        self.ledger.add_samples(block.first + hidden, valid[hidden:])
        for i, index in enumerate(window_ends(block.first, block.count, self.header.window)):
            losses = block.losses[i] if block.losses else (0,) * len(leads)
            self._close(index, losses)
        return values.astype(np.int32), valid

    def _close(self, index: int, losses: Losses | list[int]) -> None:
        exact = (0,) * len(self.header.info.leads)
        window = self.ledger.close_window(index, exact if losses is None else losses)
        if window is not None:
            self.news.windows.append(window)

    def _emit(
        self,
        prefix: CodePrefix,
        rows: NDArray[np.int32],
        valid: NDArray[np.bool_],
        cut: int,
    ) -> Signal:
        self._digest.update(rows.astype("<i4").tobytes())
        self.samples += len(rows)
        self._joined = True
        first = prefix.first + cut
        self.position = prefix.first + prefix.count
        return self.take(first, rows[cut:], valid[cut:])

    def take(
        self,
        first: int | None = None,
        rows: NDArray[np.int32] | None = None,
        valid: NDArray[np.bool_] | None = None,
    ) -> Signal:
        """A `Signal` with all news so far."""
        news, self.news = self.news, News()
        at = self.position if first is None else first
        samples = None if rows is None or valid is None else (rows, valid)
        return news.signal(self.header.info, at, samples, self.segment)

    def gap(self, message: Message) -> None:
        """A GAP message: samples that do not exist."""
        info = self.header.info
        try:
            origin = self._origin(message.block)
            gap, losses = unpack_gap(
                message.content, origin, self.header.block, len(info.leads), info.stream
            )
        except FormatError as error:
            self.lose_sync(f"GAP message refused: {error}")
            return
        if gap.first < self.position:
            self.news.notice(f"duplicate GAP message at sample {gap.first} dropped")
            return
        self._skip_to(gap.first)
        self.started = True
        self.ledger.add_overhead(8 * message.size)
        self.gaps += 1
        self.news.gaps.append(gap)
        index = (gap.first - 1) // self.header.window
        closing = (index + 1) * self.header.window
        if gap.first < closing <= gap.first + gap.count:
            self._close(index, losses)
        self.position = gap.first + gap.count

    def annotate(self, message: Message) -> None:
        """An EVENTS message."""
        try:
            origin = self._origin(message.block)
            events, before = unpack_events(
                message.content, origin, len(self.header.info.leads), self.header.info.stream
            )
        except FormatError as error:
            self.news.notice(f"EVENTS message refused: {error}")
            self.complete = False
            return
        if before < self.events:
            self.news.notice("duplicate EVENTS message dropped")
            return
        if before > self.events and not self._events_unknown:
            self.news.notice(f"{before - self.events} events lost")
            self.complete = False
        self._events_unknown = False
        self.ledger.add_overhead(8 * message.size)
        self.events = before + len(events)
        self.news.events += events

    def end(self, message: Message) -> None:
        """An END message: counts and digest."""
        try:
            end = unpack_end(message.content, len(self.header.info.leads))
        except FormatError as error:
            self.lose_sync(f"END message refused: {error}")
            return
        if end.position < self.position:
            self.news.notice(f"END at sample {end.position}, behind {self.position}")
            self.complete = False
        self._skip_to(end.position)
        if end.events > self.events and not self._events_unknown:
            self.news.notice(f"{end.events - self.events} events lost")
            self.complete = False
        self.ledger.add_overhead(8 * message.size)
        self._finish(end)

    def _finish(self, end: End) -> None:
        exact = (0,) * len(self.header.info.leads)
        losses = exact if end.losses is None else end.losses
        self.news.windows += self.ledger.close_stream(self.position, losses)
        self.ended = True
        self.release()
        if not self.complete or end.position != self.position:
            self.complete = False
            return
        counts = (end.samples, end.gaps, end.events) == (self.samples, self.gaps, self.events)
        self.digest_ok = counts and end.digest == self._digest.digest()
        if not self.digest_ok:
            self.news.notice("digest or counts of END differ from what was decoded")
