"""Modules: a density for each kernel, and no question to the device."""

from __future__ import annotations

import pytest
import torch

from san_stream.errors import SampleError, SettingError
from san_training.activations import (
    ACTIVATIONS,
    Extrema,
    ExtremaPoolIndices,
    Identity,
    TopKAbsolutes,
    activate,
    build_activation,
)

SIZES, MEDS = (5, 1, 12, 60), (2, 1, 33, 90)
SHAPES = {1: (70,), 2: (12, 15)}


def similarities(dimensions, kernels=4):
    generator = torch.Generator().manual_seed(dimensions)
    # Rounded, so that there are ties.
    return torch.randn(3, kernels, *SHAPES[dimensions], generator=generator).mul(4).round()


@pytest.mark.parametrize("dimensions", [1, 2])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_each_kernel_has_its_own_density(name, dimensions):
    s = similarities(dimensions)
    module = build_activation(name, SIZES, MEDS, dimensions=dimensions)
    out = module(s)
    for i, (size, med) in enumerate(zip(SIZES, MEDS, strict=True)):
        alone = activate(name, s[:, i], size, med, dimensions=dimensions)
        assert torch.equal(out[:, i], alone)
    assert torch.equal(module.mask(s) * s, out)


@pytest.mark.parametrize("dimensions", [1, 2])
@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("sizes", [SIZES, (5,)])
def test_nothing_is_asked_of_the_device(name, dimensions, sizes):
    # Tensors of the device "meta" have no values: whoever needs one fails.
    s = similarities(dimensions).to("meta").requires_grad_(requires_grad=True)
    module = build_activation(name, sizes, MEDS[: len(sizes)], dimensions=dimensions).to("meta")
    out = module(s)
    out.sum().backward()
    assert out.shape == s.grad.shape == s.shape


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dimensions", [1, 2])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_cuda_keeps_the_same_positions_without_waiting(name, dimensions):
    s = similarities(dimensions)
    expected = build_activation(name, SIZES, MEDS, dimensions=dimensions)(s)
    module = build_activation(name, SIZES, MEDS, dimensions=dimensions).to("cuda")
    there = s.to("cuda")
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        out = module(there)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(out.cpu(), expected)


def test_densities_follow_the_module_and_are_no_weights():
    module = Extrema((3, 4))
    assert module.to("meta").each.device.type == "meta"
    assert module.state_dict() == {}
    assert repr(module) == "Extrema((3, 4), dimensions=1)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TopKAbsolutes((4, 0)), "kernel size 0: must be at least 1"),
        (lambda: ExtremaPoolIndices((-1,)), "kernel size -1"),
        (lambda: Extrema((0,)), "minimum extrema distance 0"),
        (lambda: Identity(dimensions=3), "3 dimensions: must be 1 or 2"),
        (lambda: build_activation("tanh", (1,), (1,)), "activation 'tanh': must be one of"),
    ],
)
def test_settings_outside_their_limits(make, message):
    with pytest.raises(SettingError, match=message):
        make()


@pytest.mark.parametrize(
    ("module", "shape", "message"),
    [
        (Extrema((3, 4)), (2, 3, 9), r"shape \(2, 3, 9\), expected \[batch, 2, n\]"),
        (Extrema((3,)), (2, 9), r"shape \(2, 9\), expected \[batch, kernels, n\]"),
        (Identity(dimensions=2), (2, 3, 9), r"expected \[batch, kernels, h, w\]"),
    ],
)
def test_similarities_of_another_shape(module, shape, message):
    with pytest.raises(SampleError, match=message):
        module(torch.zeros(shape))
