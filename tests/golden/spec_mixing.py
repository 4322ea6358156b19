"""Slots and final maps: "Mixing" of docs/format-coding.md."""

from __future__ import annotations

from tests.golden.spec_tables import RATES, SQUASH, STRETCH


class Slots:
    """Adaptive probabilities of 20 bits, and how many bits each has seen, up to a limit."""

    def __init__(self, probability: list[int], limit: int = 250) -> None:
        self.probability = probability
        self.seen = [0] * len(probability)
        self.limit = limit

    def logit(self, i: int) -> int:
        """Of a 1, in 1/256."""
        return STRETCH[self.probability[i] >> 8]

    def update(self, i: int, bit: int) -> None:
        p, seen = self.probability[i], self.seen[i]
        self.probability[i] = p + (((bit * (2**20 - 1) - p) * RATES[seen]) >> 16)
        self.seen[i] = min(seen + 1, self.limit)


class FinalMap:
    """What a mixed logit has proved to be worth."""

    def __init__(self) -> None:
        self.points = [SQUASH[128 * i] for i in range(32)] + [SQUASH[4095]]

    def value(self, logit: int) -> int:
        i, f = divmod(logit + 2048, 128)
        return (self.points[i] * (128 - f) + self.points[i + 1] * f) >> 7

    def update(self, logit: int, bit: int) -> None:
        i, f = divmod(logit + 2048, 128)
        for at, share in ((i, 128 - f), (i + 1, f)):
            self.points[at] += ((65536 * bit - self.points[at]) * share) >> 13
