"""Layer 3 of lossless, and of bounded up to 2: docs/format-coding.md, a block of all leads."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from math import isqrt

from tests.golden.spec_fast import Fast, Tiny
from tests.golden.spec_mixed import LEAN, MAX, Mixed
from tests.golden.spec_range import Source, Unread, model
from tests.golden.spec_residual import Predicted
from tests.golden.spec_starts import read_start, start_predicted
from tests.golden.spec_tables import clip

TINY_PRESET, FAST_PRESET, LEAN_PRESET, MAX_PRESET = range(4)
TAIL = 4
"""Samples before the block that other leads can refer to."""


class PredictiveReader:
    """Models of all leads.

    Args:
        rate: Hz. bounds: e of each lead. preset: its number. baselines, tables: of the HEADER.

    Attributes:
        raws: raw blocks so far. starts: that were read. chosen: for each lead that chose, the
            leads that serve it.
    """

    def __init__(
        self,
        rate: Fraction,
        bounds: list[int],
        preset: int,
        baselines: list[int],
        *,
        tables: int = 0,
    ) -> None:
        self.tables = tables
        self.rate, self.bounds, self.preset, self.baselines = rate, bounds, preset, baselines
        self.raws = 0
        self.starts: list[int] = []
        self.chosen: dict[int, list[int]] = {}

    def reset(self) -> None:
        number = len(self.bounds)
        self.rows: list[list[int]] = [[] for _ in range(number)]
        self.leads = [self.lead(i) for i in range(number)]
        self.raw_models = [model(1) for _ in range(number)]
        self.choosing = number > 9 and self.preset in (LEAN_PRESET, MAX_PRESET)
        self.correlations = [[0] * (i + 1) for i in range(number)]
        self.seen = 0
        self.starting = self.tables == 1
        self.restart()

    def lead(self, i: int) -> Predicted:
        numerator, denominator = self.rate.numerator, self.rate.denominator
        beat = min(13 * numerator // (10 * denominator), 16384)
        refractory = min(numerator // (4 * denominator), 16384)
        common = self.bounds[i], beat, refractory, self.baselines[i]
        if self.preset == TINY_PRESET:
            return Tiny(*common)
        if self.preset == FAST_PRESET:
            return Fast(*common)
        return Mixed(*common, LEAN if self.preset == LEAN_PRESET else MAX, i, self.rows)

    def restart(self) -> None:
        for row, lead in zip(self.rows, self.leads, strict=True):
            lead.restart()
            row[:] = [lead.baseline] * TAIL

    def read(self, source: Source, valid: list[list[int]]) -> list[list[int]]:
        """Samples of a (part) block, by lead; an invalid one as the models see it."""
        for i, row in enumerate(self.rows):
            del row[:-TAIL]
            if self.starting:
                self.starts.append(read_start(source, 2))
                if self.starts[-1]:
                    start_predicted(self.leads[i])
            if source.adaptive(self.raw_models[i], 0):
                self.raws += 1
                self.raw(source, i, valid[i])
                continue
            for ok in valid[i]:
                self.next_sample(i, source, valid=bool(ok))
        self.starting = False
        if self.choosing:
            self.correlate(len(valid[0]))
        return [row[TAIL:] for row in self.rows]

    def next_sample(self, i: int, source: Source, *, valid: bool, known: int | None = None) -> None:
        row = self.rows[i]
        row.append(self.leads[i].read(source, row, valid=valid, known=known))

    def raw(self, source: Source, i: int, valid: list[int]) -> None:
        width = source.plain(6) + 1
        assert width <= 32
        for ok in valid:
            known = source.plain(width) - (1 << (width - 1)) if ok else None
            self.next_sample(i, Unread(), valid=bool(ok), known=known)

    def correlate(self, count: int) -> None:
        """Sums over the block, and the choice once two seconds are known ("Choice")."""
        moves = [
            [clip(after - before, 32767) for before, after in pairwise(row[TAIL - 1 :])]
            for row in self.rows
        ]
        for i, sums in enumerate(self.correlations):
            for j in range(i + 1):
                sums[j] += sum(a * b for a, b in zip(moves[i], moves[j], strict=True))
        self.seen += count
        if self.seen < 2 * self.rate:
            return
        self.choosing = False
        for i, lead in enumerate(self.leads):
            if i > 8 and isinstance(lead, Mixed):
                order = sorted(range(i), key=self.worth(i))
                self.chosen[i] = order[:8]
                lead.choose(order[:8])

    def worth(self, i: int) -> Callable[[int], tuple[int, int]]:
        """The order of the leads for lead i."""

        def key(j: int) -> tuple[int, int]:
            root = isqrt(max(self.correlations[j][j], 1))
            return -((abs(self.correlations[i][j]) << 8) // root), j

        return key
