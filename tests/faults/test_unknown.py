"""What a later version may send: the unknown is skipped or costs its samples, as it says itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from san_stream import Bounded, Decoder, Lossless, Signal, Spikes
from san_stream.fields import varint
from san_stream.profiles import Profile
from san_stream.reader import MessageReader
from san_stream.wire import ANCILLARY, RESET, Kind, pack_message
from tests.golden import signals

BLOCK, RESET_BLOCKS, COUNT = 50, 4, 1000
INFO = signals.stream_info(2, minimum=-2000, maximum=2000)
X = signals.beats(COUNT, 2)
PROFILES: dict[str, Profile] = {
    "lossless": Lossless("tiny"),
    "bounded": Bounded(2, "tiny"),
    "spikes": Spikes(signals.zero_sum_kernels()),
}
REACH = {"lossless": 0, "bounded": 0, "spikes": 9}


@pytest.fixture(params=PROFILES)
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def live(profile: str) -> list[bytes]:
    return signals.encode_messages(
        [X], INFO, PROFILES[profile], block=BLOCK, window=100, reset=BLOCK * RESET_BLOCKS
    )


def rewrite(message: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The same message with other content, checksums made anew."""
    (old,) = MessageReader().push(message)
    flags = RESET if old.reset else 0  # type: ignore[union-attr]
    return pack_message(old.kind, flags, old.stream, old.block, change(old.content))  # type: ignore[union-attr]


def extended(*extensions: tuple[int, bytes]) -> Callable[[bytes], bytes]:
    """CODE contents (of whole blocks) with extensions put in."""

    def change(content: bytes) -> bytes:
        inside = b"".join(bytes((i,)) + varint(len(data)) + data for i, data in extensions)
        mask = bytes((content[1] | 0x80,))
        return content[:1] + mask + varint(len(extensions)) + inside + content[2:]

    return change


def decode(messages: list[bytes]) -> tuple[list[Signal], Decoder]:
    decoder = Decoder()
    data = b"".join(messages)
    return decoder.push(data) + decoder.close(), decoder


def rows(got: list[Signal]) -> dict[int, list[int]]:
    return {
        signal.first_sample + i: row
        for signal in got
        for i, row in enumerate(signal.digital.tolist())
    }


def missing(got: list[Signal]) -> list[int]:
    return [t for s in got for gap in s.gaps for t in range(gap.first, gap.first + gap.count)]


def notices(got: list[Signal]) -> list[str]:
    return [notice for signal in got for notice in signal.notices]


def place(messages: list[bytes], block: int) -> int:
    return [i for i, m in enumerate(messages) if m[1] >> 4 == Kind.CODE][block]


def costs_to_the_next_reset(profile: str, messages: list[bytes], first: int, notice: str) -> None:
    """The samples from `first` to the next RESET (and its reach) are a gap; all others exact."""
    full, _ = decode(live(profile))
    got, decoder = decode(messages)
    resume = -(-(first + 1) // (BLOCK * RESET_BLOCKS)) * BLOCK * RESET_BLOCKS + REACH[profile]
    assert missing(got) == list(range(first, resume))
    assert rows(got) == {at: row for at, row in rows(full).items() if not first <= at < resume}
    assert [text for text in notices(got) if notice in text]
    assert {gap.reason for s in got for gap in s.gaps} <= {"lost", "undecodable", "joining"}
    assert decoder.streams[0].digest_ok is None
    assert decoder.streams[0].lost == resume - first


def costs_nothing(profile: str, messages: list[bytes], notice: str) -> None:
    full, _ = decode(live(profile))
    got, decoder = decode(messages)
    assert rows(got) == rows(full)
    assert missing(got) == []
    assert [text for text in notices(got) if notice in text]
    assert decoder.streams[0].digest_ok is True


@pytest.mark.parametrize("kind", [5, 6, 8, 9, 15])
def test_unknown_critical_kind(profile: str, kind: int) -> None:
    messages = live(profile)
    messages.insert(place(messages, 5), pack_message(kind, 0, 0, 5, b"from the future"))
    costs_to_the_next_reset(profile, messages, 250, f"message of unknown kind {kind}")


@pytest.mark.parametrize("kind", [2, 5, 6, 8, 9, 15])
def test_ancillary_kind(profile: str, kind: int) -> None:
    messages = live(profile)
    messages.insert(place(messages, 5), pack_message(kind, ANCILLARY, 0, 5, bytes(5000)))
    costs_nothing(profile, messages, f"ancillary message of kind {kind} skipped")


def test_ancillary_message_of_an_unknown_stream(profile: str) -> None:
    messages = live(profile)
    messages.insert(3, pack_message(8, ANCILLARY, 77, 0, b"clock"))
    costs_nothing(profile, messages, "ancillary message of kind 8 skipped")


def test_extension_that_may_be_skipped(profile: str) -> None:
    messages = live(profile)
    at = place(messages, 5)
    messages[at] = rewrite(messages[at], extended((5, b"fine detail"), (127, b"")))
    costs_nothing(profile, messages, "layer extension 5 skipped")
    costs_nothing(profile, messages, "layer extension 127 skipped")


@pytest.mark.parametrize("extensions", [((0x85, b"must"),), ((1, b"may"), (0xFF, b"must"))])
def test_extension_that_is_critical(
    profile: str, extensions: tuple[tuple[int, bytes], ...]
) -> None:
    messages = live(profile)
    at = place(messages, 5)
    messages[at] = rewrite(messages[at], extended(*extensions))
    costs_to_the_next_reset(profile, messages, 250, "is not known to this release")


def test_critical_extension_in_the_message_with_reset(profile: str) -> None:
    messages = live(profile)
    at = place(messages, 8)
    messages[at] = rewrite(messages[at], extended((0x80, b"")))
    costs_to_the_next_reset(profile, messages, 400, "is not known to this release")


@pytest.mark.parametrize("layer", range(1, 7))
def test_other_layers_than_the_profile_has(profile: str, layer: int) -> None:
    """Each layer bit turned over; validity alone is free, and then the bytes say nonsense."""
    messages = live(profile)
    at = place(messages, 5)
    messages[at] = rewrite(messages[at], lambda c: c[:1] + bytes((c[1] ^ 1 << layer,)) + c[2:])
    if layer == 5:
        got, decoder = decode(messages)
        assert len(rows(got)) + len(missing(got)) == COUNT
        assert decoder.streams[0].digest_ok is not True
    else:
        costs_to_the_next_reset(profile, messages, 250, "do not fit the profile")


def test_extension_that_is_cut_off(profile: str) -> None:
    messages = live(profile)
    at = place(messages, 5)
    messages[at] = rewrite(
        messages[at], lambda c: c[:1] + bytes((c[1] | 0x80, 1, 5)) + varint(len(c) + 1) + c[2:]
    )
    costs_to_the_next_reset(profile, messages, 250, "CODE message refused")


@pytest.mark.parametrize("kind", [1, 3, 2**20 + 1])
def test_header_extension_that_may_be_skipped(profile: str, kind: int) -> None:
    messages = live(profile)
    messages[0] = rewrite(messages[0], lambda c: c + varint(kind) + varint(3) + b"abc")
    got, decoder = decode(messages)
    assert rows(got) == rows(decode(live(profile))[0])
    assert decoder.streams[0].digest_ok is True


@pytest.mark.parametrize(
    ("change", "notice"),
    [
        (lambda c: c + varint(2) + varint(0), "header extension 2"),
        (lambda c: c[:3] + b"\1" + c[4:], "format version 1"),
        (lambda c: b"san" + c[3:], "no san-stream header"),
        (lambda c: c + varint(1) + varint(1), "bytes wanted"),
    ],
)
def test_header_that_is_not_understood(
    profile: str, change: Callable[[bytes], bytes], notice: str
) -> None:
    """Its stream is dropped; other streams are not touched, and one of them tells the reason."""
    messages = live(profile)
    messages[0] = rewrite(messages[0], change)
    other = signals.encode_messages(
        [X[:, :1]], replace(INFO, leads=INFO.leads[:1], stream=1), Lossless("tiny"), block=BLOCK
    )
    mixed = [m for pair in zip(messages, other, strict=False) for m in pair]
    got, decoder = decode(mixed + messages[len(other) :] + other[len(messages) :])
    assert list(decoder.streams) == [1]
    assert decoder.streams[1].digest_ok is True
    assert {signal.stream for signal in got} == {1}
    assert [text for text in notices(got) if notice in text]
