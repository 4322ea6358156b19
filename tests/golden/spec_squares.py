"""Predictors by least squares: "Least squares" and "Learning" of docs/format-coding.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isqrt

from tests.golden.spec_tables import GAIN, clip

PRIOR = 2**18

Matrix = list[list[int]]


def dot(a: list[int], b: list[int]) -> int:
    return sum(x * y for x, y in zip(a, b, strict=True))


def solve(matrix: Matrix, right: list[int], energy: int, ridge: int, weights: list[int]) -> None:
    """*Solve*: weights from R (the lower triangle counts), b, E and ρ."""
    n = len(right)
    largest = max([energy] + [matrix[i][i] for i in range(n)])
    if largest < 64:
        return
    s = 0
    while largest << s < 2**43:
        s += 1
    extra = (largest << s) >> ridge
    factor: Matrix = []
    half: list[int] = []
    for i in range(n):
        row: list[int] = []
        for j in range(i):
            total = (matrix[i][j] << s) - dot(row, factor[j][:j])
            row.append(clip(total // factor[j][j], 2**23))
        pivot = (matrix[i][i] << s) + extra - dot(row, row)
        root = isqrt(max(pivot, 2**24))
        half.append(clip(((right[i] << s) - dot(row, half)) // root, 2**23))
        factor.append([*row, root])
    for i in reversed(range(n)):
        known = sum(factor[k][i] * weights[k] for k in range(i + 1, n))
        weights[i] = clip(((half[i] << 16) - known) // factor[i][i], 2**20)


@dataclass
class Squares:
    """R (its lower triangle), b, E and weights of a predictor."""

    weights: list[int]
    matrix: Matrix = field(init=False)
    right: list[int] = field(init=False)
    energy: int = 0

    def __post_init__(self) -> None:
        self.matrix = [[0] * i + [PRIOR] for i in range(len(self.weights))]
        self.right = [4 * weight for weight in self.weights]

    def learn(self, regressors: list[int], target: int, scale: int, shift: int) -> None:
        """Steps 2 and 3; `scale` is E′, `shift` is z."""
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
        solve(self.matrix, self.right, self.energy, ridge, self.weights)

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
