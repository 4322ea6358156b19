"""The range decoder and the numbers coded with it: "Range coder" and "Numbers" of docs/format.md.

A raw block runs the model over samples that are known. So every function here takes what is
meant, and `Unread` stands in for the range decoder: it answers that, and reads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

HALF = 32768

Models = dict[int, tuple[int, int]]
"""Adaptive bits (p, n) by entry; an absent one has its initial value."""


class Bits:
    """The range decoder."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.range = data, 4, 0xFFFFFFFF
        self.code = int.from_bytes(data[:4].ljust(4, b"\0"), "big")

    def bit(self, probability: int = HALF, meant: int | None = None) -> int:
        assert meant is None
        bound = (self.range * probability) >> 16
        value = int(self.code < bound)
        if value:
            self.range = bound
        else:
            self.code -= bound
            self.range -= bound
        while self.range < 1 << 24:
            following = self.data[self.at] if self.at < len(self.data) else 0
            self.code = (self.code << 8) | following
            self.range <<= 8
            self.at += 1
        return value

    def plain(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = 2 * value + self.bit()
        return value


class Unread:
    """In place of the range decoder: every bit is known."""

    def bit(self, probability: int = HALF, meant: int | None = None) -> int:
        assert 0 < probability < 65536
        assert meant is not None
        return meant


Source = Bits | Unread


def adaptive(source: Source, models: Models, entry: int, meant: int | None = None) -> int:
    p, n = models.get(entry, (HALF, 0))
    value = source.bit(min(max(p, 32), 65504), meant)
    p += 2 * (65535 - p) // (2 * n + 3) if value else -(2 * p // (2 * n + 3))
    models[entry] = (p, min(n + 1, 255))
    return value


def unsigned(source: Source, models: Models, entry: int, meant: int | None = None) -> int:
    length = None if meant is None else (meant + 1).bit_length() - 1
    k = 0
    while adaptive(source, models, entry + k, None if length is None else int(k < length)):
        k += 1
        assert k < 35
    value, node = 1, 0
    for i in range(k):
        due = None if meant is None else ((meant + 1) >> (k - 1 - i)) & 1
        if i < 2:
            bit = adaptive(source, models, entry + 36 + 3 * k + node, due)
            node = 1 + bit
        else:
            bit = source.bit(meant=due)
        value = 2 * value + bit
    return value - 1


def signed(source: Source, models: Models, entry: int, meant: int | None = None) -> int:
    if meant is not None:
        meant = 2 * meant if meant >= 0 else -2 * meant - 1
    value = unsigned(source, models, entry, meant)
    return value // 2 if value % 2 == 0 else -(value + 1) // 2


@dataclass
class Trend:
    """Memory and models of a number that is sent as its change."""

    value: int
    change: int = 0
    models: Models = field(default_factory=dict)

    def read(self, bits: Bits) -> int:
        change = signed(bits, self.models, 144 * min((self.change + 1) >> 1, 5))
        self.change = abs(change).bit_length()
        self.value += change
        return self.value


@dataclass
class Level:
    """Memory and models of a number that is sent as its distance from a running mean."""

    value: int
    models: Models = field(default_factory=dict)

    def read(self, bits: Bits) -> int:
        new = ((self.value + 8) >> 4) + signed(bits, self.models, 0)
        self.value += (16 * new - self.value) >> 2
        return new
