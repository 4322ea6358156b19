"""Recursive least squares: "Least squares" of docs/format-coding.md, and how it learns."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isqrt

from tests.golden.spec_tables import GAIN, clip

PRIOR = 2**18


def dot(a: list[int], b: list[int]) -> int:
    return sum(x * y for x, y in zip(a, b, strict=True))


@dataclass
class Squares:
    """R (its lower triangle), b, E and weights of a predictor."""

    weights: list[int]
    matrix: list[list[int]] = field(init=False)
    right: list[int] = field(init=False)
    energy: int = 0

    def __post_init__(self) -> None:
        self.matrix = [[0] * i + [PRIOR] for i in range(len(self.weights))]
        self.right = [4 * weight for weight in self.weights]

    def learn(self, regressors: list[int], target: int, scale: int, shift: int) -> None:
        """Step 2 and 3: `scale` is E′, `shift` its (E′ >> 3), less what the predictor takes off."""
        gain = GAIN[scale & 7]
        a = [clip((x * gain) >> shift, 32767) for x in regressors]
        y = clip((clip(target, 2**30) * gain) >> shift, 32767)
        for i, one in enumerate(a):
            row = self.matrix[i]
            if one:
                self.matrix[i] = [entry + one * x for entry, x in zip(row, a, strict=False)]
                self.right[i] += one * y
        self.energy += y * y

    def solve(self, ridge: int) -> None:
        """Cholesky; `ridge` is ρ."""
        matrix, n = self.matrix, len(self.weights)
        largest = max([self.energy] + [matrix[i][i] for i in range(n)])
        if largest < 64:
            return
        s = 0
        while largest << s < 2**43:
            s += 1
        extra = (largest << s) >> ridge
        factor: list[list[int]] = []
        half: list[int] = []
        for i in range(n):
            row: list[int] = []
            for j in range(i):
                other = factor[j]
                total = (matrix[i][j] << s) - dot(row, other[:j])
                row.append(clip(total // other[j], 2**23))
            pivot = (matrix[i][i] << s) + extra - dot(row, row)
            root = isqrt(max(pivot, 2**24))
            half.append(clip(((self.right[i] << s) - dot(row, half)) // root, 2**23))
            factor.append([*row, root])
        for i in reversed(range(n)):
            known = sum(factor[k][i] * self.weights[k] for k in range(i + 1, n))
            self.weights[i] = clip(((half[i] << 16) - known) // factor[i][i], 2**20)

    def fade(self, shift: int) -> None:
        """Step 4, behind the solution: what is old counts less."""
        self.matrix = [[x - (x >> shift) for x in row] for row in self.matrix]
        self.right = [x - (x >> shift) for x in self.right]
        self.energy -= self.energy >> shift

    def forget(self, places: range) -> None:
        """These regressors are new."""
        for i, row in enumerate(self.matrix):
            for j in range(i + 1):
                if i in places or j in places:
                    row[j] = PRIOR if i == j else 0
        for i in places:
            self.right[i] = self.weights[i] = 0
