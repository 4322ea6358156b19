"""`Decoder` on sequences of messages: what is lost is named exactly, all else is exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from san_runtime.encoder import Encoder
from san_stream import Decoder, Gap, Lossless, Signal, Spikes
from san_stream.profiles import Profile
from san_stream.types import Chunk, Event, StreamInfo
from san_stream.wire import HEADER_SIZE, Kind, pack_frame
from tests.golden import signals

LOSSLESS, SPIKES = Lossless("tiny"), Spikes(signals.zero_sum_kernels())
REACH = 9  # longest kernel less one
BLOCK, RESET = 50, 200
INFO = signals.stream_info(2, minimum=-2000, maximum=2000)
X = signals.beats(1000, 2)


class Result:
    """What a decoder gave, on the sample index."""

    def __init__(self, data: bytes, step: int | None = None) -> None:
        self.decoder = Decoder()
        step = step or max(len(data), 1)
        self.signals: list[Signal] = []
        for at in range(0, len(data), step):
            self.signals += self.decoder.push(data[at : at + step])
        self.signals += self.decoder.close()
        self.notices = [notice for s in self.signals for notice in s.notices]
        self.gaps = [gap for s in self.signals for gap in s.gaps]

    def rows(self, segment: int = 0) -> dict[int, tuple[int, ...]]:
        """Rows by position."""
        return {
            s.first_sample + i: tuple(row)
            for s in self.signals
            if s.segment == segment
            for i, row in enumerate(s.digital.tolist())
        }

    @property
    def stream(self) -> Any:
        return next(iter(self.decoder.streams.values()))


def live(profile: Profile = LOSSLESS, x: NDArray[np.int32] = X, **options: Any) -> list[bytes]:
    """Messages of a live stream: HEADER, one CODE a block, END."""
    return signals.encode_messages(
        [x], INFO, profile, **({"block": BLOCK, "window": 100, "reset": RESET} | options)
    )


def code(messages: list[bytes], block: int) -> int:
    """Place of the CODE message of a block."""
    return next(
        i for i, m in enumerate(messages) if m[1] >> 4 == Kind.CODE and m[3] + 256 * m[4] == block
    )


def without(messages: list[bytes], *blocks: int) -> bytes:
    drop = {code(messages, block) for block in blocks}
    return b"".join(m for i, m in enumerate(messages) if i not in drop)


def exact_but(result: Result, full: Result, missing: range) -> None:
    """All rows are those of the undamaged stream, but for a stretch, which is told as gaps."""
    expected = {at: row for at, row in full.rows().items() if at not in missing}
    assert result.rows() == expected
    told = [at for gap in result.gaps for at in range(gap.first, gap.first + gap.count)]
    assert told == list(missing)


@pytest.mark.parametrize(("profile", "blind"), [(LOSSLESS, 0), (SPIKES, REACH)])
@pytest.mark.parametrize("block", [4, 5, 7])
def test_lost_message_costs_up_to_the_next_reset(profile: Profile, blind: int, block: int) -> None:
    messages = live(profile)
    full = Result(b"".join(messages))
    assert full.stream.digest_ok is True
    result = Result(without(messages, block))
    exact_but(result, full, range(block * BLOCK, 2 * RESET + blind))
    reasons = {gap.reason for gap in result.gaps}
    assert "lost" in reasons
    assert ("undecodable" in reasons) == (block < 7)
    assert result.stream.digest_ok is None
    assert result.stream.complete is False
    assert result.stream.lost == 2 * RESET + blind - block * BLOCK


def test_lost_last_message_is_told_by_end() -> None:
    messages = live()
    result = Result(without(messages, 19))
    assert result.gaps == [Gap(950, 50, "lost", damage=True)]
    assert result.stream.ended


def test_lost_end() -> None:
    messages = live()
    result = Result(b"".join(messages[:-1]))
    assert len(result.rows()) == 1000
    assert result.notices == ["the stream stops without END"]
    assert result.stream.digest_ok is None


def test_windows_of_a_loss_have_no_figures() -> None:
    messages = live(SPIKES)
    full = [w for s in Result(b"".join(messages)).signals for w in s.windows]
    lost = [w for s in Result(without(messages, 5)).signals for w in s.windows]
    # The samples 250 to 408 are missing, so are the windows 2, 3 and 4.
    assert [w.index for w in full] == list(range(11))
    assert [w.index for w in lost] == [0, 1, 5, 6, 7, 8, 9, 10]
    assert [w for w in lost if w.index < 10] == [
        w for w in full if w.index in {0, 1, *range(5, 10)}
    ]


@pytest.mark.parametrize("profile", [LOSSLESS, SPIKES])
def test_duplicates_are_dropped(profile: Profile) -> None:
    messages = live(profile)
    doubled = b"".join(m for message in messages[:-1] for m in (message, message)) + messages[-1]
    result = Result(doubled)
    assert result.rows() == Result(b"".join(messages)).rows()
    assert result.gaps == []
    assert len([n for n in result.notices if n.startswith("duplicate CODE")]) == 20
    assert len([n for n in result.notices if n.startswith("duplicate HEADER")]) == 1
    assert result.stream.digest_ok is True


def test_swapped_messages_are_a_loss_and_a_duplicate() -> None:
    messages = live()
    a, b = code(messages, 5), code(messages, 6)
    messages[a], messages[b] = messages[b], messages[a]
    result = Result(b"".join(messages))
    exact_but(result, Result(b"".join(live())), range(250, 400))
    assert "duplicate CODE message at sample 250 dropped" in result.notices


@pytest.mark.parametrize(("profile", "blind"), [(LOSSLESS, 0), (SPIKES, REACH)])
@pytest.mark.parametrize("block", [4, 5, 8])
def test_joining_late(profile: Profile, blind: int, block: int) -> None:
    encoder = Encoder(INFO, profile, block=BLOCK, window=100, reset=RESET)
    header, data, full = b"", b"", b""
    for at in range(0, 1000, 10):
        for message in encoder.push(X[at : at + 10]):
            full += message
            data += message if header else b""
        if encoder.decided == block * BLOCK and not header:
            header = encoder.header_message()
    tail = b"".join(encoder.close())
    result = Result(header + data + tail)
    start = -(-block * BLOCK // RESET) * RESET + blind
    exact_but(result, _from(Result(full + tail), block * BLOCK), range(block * BLOCK, start))
    assert {gap.reason for gap in result.gaps} <= {"joining", "undecodable"}
    assert result.stream.ended
    assert result.stream.complete is False


def _from(result: Result, first: int) -> Result:
    """The same result, less what lies before a sample."""
    rows = {at: row for at, row in result.rows().items() if at >= first}
    result.rows = lambda _segment=0: rows  # type: ignore[method-assign]
    return result


def test_a_run_that_begins_while_joining_is_whole() -> None:
    """Footprints do not reach over a gap: what follows it lacks nothing."""
    info = signals.stream_info(1, minimum=-2000, maximum=2000)
    x = signals.beats(300, 1)
    items = [Chunk(0, x[:104]), Gap(104, 10), Chunk(114, x[114:])]
    messages = signals.encode_messages(items, info, SPIKES, block=20, window=100, reset=100)
    full = Result(b"".join(messages))
    result = Result(without(messages, 3))
    exact_but(result, full, range(60, 114))


def test_message_without_header() -> None:
    messages = live()
    result = Result(b"".join(messages[1:]))
    assert result.signals == []
    assert result.decoder.counters.dropped_bytes == sum(map(len, messages[1:]))


@pytest.mark.parametrize("profile", [LOSSLESS, SPIKES])
def test_two_files_end_to_end(profile: Profile) -> None:
    one, two = b"".join(live(profile)), b"".join(live(LOSSLESS, X[::-1]))
    result = Result(one + two)
    assert result.rows(0) == Result(one).rows()
    assert result.rows(1) == Result(two).rows()
    assert [s.digest_ok for s in result.decoder.finished] == [True]
    assert result.stream.digest_ok is True
    assert result.notices == []


@pytest.mark.parametrize("cut", [1, 5, 300])
def test_truncated_file_then_another(cut: int) -> None:
    one, two = b"".join(live()), b"".join(live(LOSSLESS, X[::-1]))
    result = Result(one[:-cut] + two)
    assert result.rows(1) == Result(two).rows()
    assert result.stream.digest_ok is True
    assert "a new stream begins, the last one has no END" in result.notices
    first = result.rows(0)
    assert first == {at: row for at, row in Result(one).rows().items() if at < len(first)}
    ends = np.cumsum([len(message) for message in live()])
    assert len(first) == BLOCK * int(np.sum(ends[1:-1] <= len(one) - cut))


def test_many_short_streams_hold_no_memory() -> None:
    import tracemalloc

    info = signals.stream_info(255, minimum=-10, maximum=10)
    one = signals.encode([np.zeros((20, 255), np.int32)], info, LOSSLESS, block=10, window=20)
    decoder = Decoder()
    decoder.push(one)
    tracemalloc.start()
    for _ in range(20):
        decoder.push(one)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(decoder.finished) == 20
    assert held < 20 * 2**17


@pytest.mark.parametrize("profile", [LOSSLESS, SPIKES])
def test_block_number_wraps(profile: Profile) -> None:
    """More than 65,536 blocks, also across gaps of up to 2^40 samples."""
    info = signals.stream_info(1, minimum=-2000, maximum=2000)
    x = signals.beats(500, 1)
    far = 2**40 + 3
    items = [
        Chunk(10 * 65530, x[:200]),
        Gap(10 * 65530 + 200, far),
        Chunk(10 * 65530 + 200 + far, x[200:]),
    ]
    data = signals.encode(items, info, profile, block=10, window=50, reset=100)
    result = Result(data, 57)
    assert result.stream.digest_ok is True
    assert list(result.rows()) == [
        *range(655300, 655500),
        *range(655500 + far, 655800 + far),
    ]


def test_block_number_wraps_with_a_loss() -> None:
    info = signals.stream_info(1, minimum=-2000, maximum=2000)
    x = signals.beats(400, 1)
    messages = signals.encode_messages(
        [Chunk(10 * 65520, x)], info, LOSSLESS, block=10, window=50, reset=100
    )
    kept = [m for m in messages if m[1] >> 4 != Kind.CODE or not 3 <= _block(m) < 65523]
    result = Result(b"".join(kept))
    assert result.stream.ended
    assert result.stream.position == 10 * 65520 + 400
    # The blocks 65520 to 65522 are lost; 65530, which resets, to 65538 are there.
    assert list(result.rows()) == list(range(655300, 655390))
    assert [(gap.first, gap.count, gap.reason) for gap in result.gaps] == [
        (655200, 30, "lost"),
        (655230, 70, "undecodable"),
        (655390, 210, "lost"),
    ]


def _block(message: bytes) -> int:
    return message[3] + 256 * message[4]


def test_repeated_header_tells_what_was_lost() -> None:
    messages = live()
    encoder = Encoder(INFO, LOSSLESS, block=BLOCK, window=100, reset=RESET)
    encoder.push(X[:400])
    cut = code(messages, 8)
    data = b"".join(messages[:3]) + encoder.header_message() + b"".join(messages[cut:])
    exact_but(Result(data), Result(b"".join(messages)), range(100, 400))


def test_changed_header_begins_a_new_stream() -> None:
    other = StreamInfo(INFO.rate, INFO.leads[:1])
    changed = signals.encode_messages([X[:100, :1]], other, LOSSLESS, block=BLOCK)
    result = Result(b"".join(live()[:10]) + b"".join(changed))
    assert len(result.decoder.finished) == 1
    assert len(result.rows(0)) == 450
    assert result.rows(1) == {i: (int(v),) for i, v in enumerate(X[:100, 0])}


def test_two_streams_of_different_rate() -> None:
    slow = signals.stream_info(1, 10, stream=3)
    a = live(SPIKES)
    b = signals.encode_messages([X[:300, :1]], slow, LOSSLESS, block=30)
    mixed = [m for i in range(max(len(a), len(b))) for m in (*a[i : i + 1], *b[i : i + 1])]
    result = Result(b"".join(mixed), 100)
    assert [result.decoder.streams[i].digest_ok for i in (0, 3)] == [True, True]
    rows = [s.digital for s in result.signals if s.stream == 3]
    np.testing.assert_array_equal(np.concatenate(rows), X[:300, :1])


def test_lost_events_are_counted() -> None:
    events = [Event(60, "N"), Event(360, "V"), Event(361, "A"), Event(700, "N")]
    messages = signals.encode_messages(
        [*events, X], INFO, LOSSLESS, block=BLOCK, window=100, reset=RESET
    )
    second = [i for i, m in enumerate(messages) if m[1] >> 4 == Kind.EVENTS][1]
    lost = b"".join(m for i, m in enumerate(messages) if i != second)
    result = Result(lost)
    assert [e for s in result.signals for e in s.events] == [events[0], events[3]]
    assert result.notices == ["2 events lost"]
    assert result.stream.complete is False
    doubled = b"".join(m for i, m in enumerate(messages) for _ in range(1 + (i == second)))
    result = Result(doubled)
    assert [e for s in result.signals for e in s.events] == events
    assert result.notices == ["duplicate EVENTS message dropped"]
    assert result.stream.digest_ok is True


def test_duplicate_gap_is_dropped() -> None:
    items = [Chunk(0, X[:70]), Gap(70, 25, "off"), Chunk(95, X[95:])]
    messages = signals.encode_messages(items, INFO, LOSSLESS, block=BLOCK, window=100)
    gap = next(m for m in messages if m[1] >> 4 == Kind.GAP)
    at = messages.index(gap)
    result = Result(b"".join([*messages[: at + 2], gap, *messages[at + 2 :]]))
    assert result.gaps == [Gap(70, 25, "off")]
    assert result.notices == ["duplicate GAP message at sample 70 dropped"]
    assert result.stream.digest_ok is True


def test_wrong_digest_is_told() -> None:
    one, two = live(), live(LOSSLESS, X + 1)
    result = Result(b"".join(one[:-1]) + two[-1])
    assert result.stream.digest_ok is False
    assert result.notices == ["digest or counts of END differ from what was decoded"]


def test_messages_after_end_are_dropped() -> None:
    messages = live()
    result = Result(b"".join(messages) + messages[5])
    assert result.notices == ["message of stream 0 after END dropped"]
    assert result.stream.digest_ok is True


def test_push_after_close() -> None:
    decoder = Decoder()
    decoder.close()
    assert decoder.close() == []
    with pytest.raises(ValueError, match="after close"):
        decoder.push(b"")


def test_notices_are_bounded() -> None:
    messages = live()
    decoder = Decoder()
    out = decoder.push(messages[0] + messages[1] * 1000)
    assert [len(s.notices) for s in out] == [0, 101]
    assert out[1].notices[-1] == "further notices left out"


@pytest.mark.parametrize("profile", [LOSSLESS, SPIKES])
def test_bits_by_purpose_sum_to_the_bytes(profile: Profile) -> None:
    items: list[Any] = [Event(50, "N"), Chunk(0, X[:450]), Gap(450, 30), Chunk(480, X[480:])]
    data = signals.encode(items, INFO, profile, block=BLOCK, window=100, reset=RESET)
    decoder = Result(data[:-60] + b"damage").decoder
    assert sum(decoder.counters.bits.values()) == 8 * (len(data) - 54)
    assert decoder.counters.bits["unused"] >= 48
    assert all(bits >= 0 for bits in decoder.counters.bits.values())


def test_physical_samples_are_nan_where_not_valid() -> None:
    valid = np.ones((100, 2), np.bool_)
    valid[10:20, 1] = False
    info = signals.stream_info(2, gain=-100.0, baseline=7, invalid=-(2**31))
    result = Result(signals.encode([Chunk(0, X[:100], valid)], info, LOSSLESS, block=100))
    (signal,) = [s for s in result.signals if len(s)]
    expected = (X[:100] - 7) / -100.0
    expected[10:20, 1] = np.nan
    np.testing.assert_array_equal(signal.samples, expected)
    assert (signal.digital[10:20, 1] == -(2**31)).all()


def test_a_refused_last_message_is_a_gap_without_end() -> None:
    """Its place is readable though its contents are not: these samples are named."""
    messages = live()[:-1]
    content = bytearray(messages[-1][HEADER_SIZE:-4])
    content[1] |= 1 << 4  # layer 4, which no profile of this version has
    forged = pack_frame(2, 3, 0, messages[-1][3] + 256 * messages[-1][4], bytes(content))
    result = Result(b"".join(messages[:-1]) + forged)
    assert result.gaps == [Gap(950, 50, "undecodable", damage=True)]
    assert any("layers [3, 4] do not fit the profile" in text for text in result.notices)
