"""The range decoder and the numbers coded with it: "Range coder" and "Numbers" of docs/format.md.

A raw block runs the model over samples that are known. So what reads samples also takes what
is meant, and `Unread` stands in for the range decoder: it answers that, and reads nothing.
"""

from __future__ import annotations

HALF = 32768

Model = list[tuple[int, int]]
"""Adaptive bits (p, n)."""


def model(size: int, probability: int = HALF) -> Model:
    """Adaptive bits that have seen nothing."""
    return [(probability, 0)] * size


def need(holds: bool, rule: str) -> None:
    """Refuse what breaks a rule of the format."""
    assert holds, rule


class Source:
    """Where bits come from, and the numbers made of them; `meant` is what is known of each."""

    def bit(self, probability: int = HALF, meant: int | None = None) -> int:
        """A bit of this probability of a 1, in 1/65536."""
        raise NotImplementedError

    def plain(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = 2 * value + self.bit()
        return value

    def adaptive(self, models: Model, entry: int, meant: int | None = None) -> int:
        p, n = models[entry]
        value = self.bit(min(max(p, 32), 65504), meant)
        p += 2 * (65535 - p) // (2 * n + 3) if value else -(2 * p // (2 * n + 3))
        models[entry] = (p, min(n + 1, 255))
        return value

    def unsigned(self, models: Model, entry: int, meant: int | None = None) -> int:
        length = None if meant is None else (meant + 1).bit_length() - 1
        k = 0
        while self.adaptive(models, entry + k, None if length is None else int(k < length)):
            k += 1
            need(k < 35, "35 ones")
        value, node = 1, 0
        for i in range(k):
            due = None if meant is None else ((meant + 1) >> (k - 1 - i)) & 1
            if i < 2:
                bit = self.adaptive(models, entry + 36 + 3 * k + node, due)
                node = 1 + bit
            else:
                bit = self.bit(meant=due)
            value = 2 * value + bit
        return value - 1

    def signed(self, models: Model, entry: int, meant: int | None = None) -> int:
        if meant is not None:
            meant = 2 * meant if meant >= 0 else -2 * meant - 1
        value = self.unsigned(models, entry, meant)
        return value // 2 if value % 2 == 0 else -(value + 1) // 2

    def magnitude(self, models: Model, entry: int) -> int:
        """A magnitude of docs/format-transform.md."""
        k = 0
        while self.adaptive(models, entry + k):
            k += 1
            need(k < 23, "23 ones")
        value = 1
        for i in range(k):
            value = 2 * value + (self.bit() if i else self.adaptive(models, entry + 24 + k))
        return value - 1


class RangeDecoder(Source):
    """One interval of the range coder."""

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
            need(self.at <= len(self.data) + 8, "more than 8 bytes read past the end")
        return value


class Unread(Source):
    """In place of the range decoder: every bit is known."""

    def bit(self, probability: int = HALF, meant: int | None = None) -> int:
        assert 0 < probability < 65536
        assert meant is not None
        return meant


class Trend:
    """Memory and models of a number that is sent as its change."""

    def __init__(self, value: int) -> None:
        self.models = model(6 * 144)
        self.restart(value)

    def restart(self, value: int) -> None:
        self.value, self.change = value, 0

    def read(self, source: Source) -> int:
        change = source.signed(self.models, 144 * min((self.change + 1) >> 1, 5))
        self.change = abs(change).bit_length()
        self.value += change
        return self.value


class Level:
    """Memory and models of a number that is sent as its distance from a running mean."""

    def __init__(self, value: int) -> None:
        self.models, self.value = model(144), 16 * value

    def read(self, source: Source) -> int:
        new = ((self.value + 8) >> 4) + source.signed(self.models, 0)
        self.value += (16 * new - self.value) >> 2
        return new
