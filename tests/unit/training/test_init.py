from __future__ import annotations

import pytest
import torch

from san_stream.errors import SettingError
from san_training.init import INITS, start_kernels


def windows(seed=0):
    """A pulse train over a little noise; pulses of two shapes."""
    generator = torch.Generator().manual_seed(seed)
    x = 0.01 * torch.randn(4, 200, generator=generator)
    for row in range(4):
        for i, p in enumerate(range(30, 190, 40)):
            shape = torch.tensor([1.0, 4, 9, 4, 1] if i % 2 else [-2.0, -3, 9, -3, -2])
            x[row, p - 2 : p + 3] += shape
    return x


def start(init, sizes=(21,), seed=0, **options):
    return start_kernels(init, sizes, windows(), torch.Generator().manual_seed(seed), **options)


def test_normal_has_the_papers_spread():
    (kernel,) = start("normal", (1000,))
    assert kernel.std().item() == pytest.approx(0.1, rel=0.1)
    assert kernel.mean().item() == pytest.approx(0, abs=0.02)


def test_constant_is_constant_and_further_kernels_differ():
    first, second, third = start("constant", (9, 9, 9))
    assert torch.allclose(first, torch.full((9,), 0.1))
    for a, b in ((first, second), (first, third), (second, third)):
        assert abs(float(a @ b)) < 1e-6


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("sizes", [(20,), (21,), (21, 8)])
def test_zero_sum_starts_sum_to_zero_and_are_not_zero(init, sizes):
    kernels = start(init, sizes, zero_sum=True)
    assert [len(kernel) for kernel in kernels] == list(sizes)
    for kernel in kernels:
        assert kernel.sum().item() == pytest.approx(0, abs=1e-5)
        assert kernel.abs().max() > 0.01


@pytest.mark.parametrize("size", [20, 21])
def test_data_start_is_a_piece_around_a_strong_extremum_of_norm_one(size):
    (kernel,) = start("data", (size,))
    assert kernel.norm().item() == pytest.approx(1)
    assert int(kernel.abs().argmax()) == (size - 1) // 2
    x = windows()
    pieces = x.unfold(1, size, 1)
    match = (pieces @ kernel) / pieces.norm(dim=2)
    assert match.max().item() == pytest.approx(1, abs=1e-5)


def test_two_data_kernels_take_different_shapes():
    a, b = start("data", (21, 21))
    assert abs(float(a @ b)) < 0.9


@pytest.mark.parametrize("init", ["normal", "data"])
def test_seed_decides(init):
    assert torch.equal(start(init, seed=1)[0], start(init, seed=1)[0])
    assert any(not torch.equal(start(init, seed=1)[0], start(init, seed=s)[0]) for s in (2, 3, 4))


def test_kernel_longer_than_the_window_and_window_without_extrema():
    (kernel,) = start("data", (300,))
    assert len(kernel) == 300
    assert kernel.norm().item() == pytest.approx(1)
    flat = torch.zeros(2, 50)
    (kernel,) = start_kernels("data", (5,), flat, torch.Generator())
    assert kernel.tolist() == [0] * 5


def test_errors():
    with pytest.raises(SettingError, match="init 'ones': must be one of normal, constant, data"):
        start("ones")
    with pytest.raises(SettingError, match=r"kernel sizes \[0\]"):
        start("normal", (0,))
    with pytest.raises(SettingError, match=r"kernel sizes \[\]"):
        start("normal", ())
