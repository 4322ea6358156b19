"""The activations on images, beside the rules written out position by position."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from san_stream.errors import SettingError
from san_training.activations import (
    ACTIVATIONS,
    activate,
    activation_mask,
    extrema_mask_2d,
    extrema_pool_mask,
    topk_mask,
)


@st.composite
def images(draw):
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    values = st.one_of(st.integers(-2, 2), st.integers(-(2**20), 2**20))
    row = st.lists(values, min_size=width, max_size=width)
    return draw(st.lists(row, min_size=height, max_size=height))


def is_candidate(before, value, after) -> bool:
    """R = L = N; None stands beyond the border."""
    right = after is not None and after > value
    left = before is None or value <= before
    return right == left == (not value > 0)


def at(image, r, c):
    return image[r][c] if 0 <= r < len(image) and 0 <= c < len(image[0]) else None


def order(image):
    """All positions, the largest magnitude first, ties to the lower flat index."""
    places = [(r, c) for r in range(len(image)) for c in range(len(image[0]))]
    return sorted(places, key=lambda p: (-abs(image[p[0]][p[1]]), p))


def plain_extrema(image, med):
    left = [
        (r, c)
        for r, c in order(image)
        if is_candidate(at(image, r, c - 1), image[r][c], at(image, r, c + 1))
        and is_candidate(at(image, r - 1, c), image[r][c], at(image, r + 1, c))
    ]
    kept = set()
    while left:
        r, c = left[0]
        kept.add((r, c))
        left = [p for p in left if abs(p[0] - r) > med or abs(p[1] - c) > med]
    return kept


def plain_topk(image, m):
    return set(order(image)[: (len(image) // m) * (len(image[0]) // m)])


def plain_pool(image, m):
    kept = set()
    for top in range(0, len(image) - m + 1, m):
        for left in range(0, len(image[0]) - m + 1, m):
            cell = [(r, c) for r in range(top, top + m) for c in range(left, left + m)]
            kept.add(min(cell, key=lambda p: (-abs(image[p[0]][p[1]]), p)))
    return kept


def positions(mask):
    return {(int(r), int(c)) for *_, r, c in mask.nonzero()}


@given(images(), st.integers(1, 10))
def test_extrema_are_the_plain_rule(image, med):
    s = torch.tensor(image, dtype=torch.float64)
    assert positions(extrema_mask_2d(s, med)) == plain_extrema(image, med)
    assert torch.equal(activation_mask("extrema", s, 1, med, dimensions=2), extrema_mask_2d(s, med))


@given(images(), st.integers(1, 10))
def test_topk_and_pool_are_the_plain_rules(image, m):
    s = torch.tensor(image)
    assert positions(activation_mask("topk", s, m, 1, dimensions=2)) == plain_topk(image, m)
    assert positions(extrema_pool_mask(s, m, dimensions=2)) == plain_pool(image, m)


@pytest.mark.parametrize("med", [1, 2])
def test_rising_spiral_needs_as_many_rounds_as_positions_are_kept(med):
    # Each candidate outdoes the one before it and is its neighbour: one is decided a round.
    side = 13
    image = [[0] * side for _ in range(side)]
    r, c, dr, dc = 0, 0, 0, 1
    for step in range(1, side * side + 1):
        image[r][c] = step if (r + c) % 2 else -step
        if not (0 <= r + dr < side and 0 <= c + dc < side and image[r + dr][c + dc] == 0):
            dr, dc = dc, -dr
        r, c = r + dr, c + dc
    s = torch.tensor(image, dtype=torch.float64)
    assert len(plain_extrema(image, med)) > 9
    assert positions(extrema_mask_2d(s, med)) == plain_extrema(image, med)


def test_images_are_independent():
    s = torch.randn(3, 2, 11, 14, generator=torch.Generator().manual_seed(1))
    for name in ACTIVATIONS:
        mask = activation_mask(name, s, 3, 2, dimensions=2)
        for i in range(3):
            for k in range(2):
                alone = activation_mask(name, s[i, k], 3, 2, dimensions=2)
                assert torch.equal(mask[i, k], alone)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradient_by_finite_differences(name):
    s = torch.randn(2, 2, 7, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    s.requires_grad_(requires_grad=True)
    # No two magnitudes are closer than the step, so that no choice flips.
    values = s.detach().abs().flatten().sort().values
    assert (values[1:] - values[:-1]).min() > 1e-5
    assert torch.autograd.gradcheck(lambda x: activate(name, x, 3, 2, dimensions=2), (s,), eps=1e-6)


def test_empty_images():
    for shape in [(0, 4, 4), (2, 0, 5)]:
        s = torch.zeros(shape)
        for name in ACTIVATIONS:
            assert activation_mask(name, s, 2, 1, dimensions=2).shape == shape


def test_errors():
    with pytest.raises(SettingError, match="minimum extrema distance 0: must be at least 1"):
        extrema_mask_2d(torch.zeros(4, 4), 0)
    with pytest.raises(SettingError, match="pool size 0"):
        extrema_pool_mask(torch.zeros(4, 4), 0, dimensions=2)
    with pytest.raises(SettingError, match="top-k count -1"):
        topk_mask(torch.zeros(4, 4), -1, dimensions=2)
