"""Which coder a profile has, and what it costs: the one place that knows all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from san_stream.coding.exact_layer import ExactLayer
from san_stream.coding.sparse import SparseCoder
from san_stream.coding.transform_layer import TransformLayer
from san_stream.headers import TRAINED
from san_stream.profiles import Bounded, Lossless, Spikes, is_predicted

if TYPE_CHECKING:
    from san_stream.coding.core import Core
    from san_stream.coding.layers import LayerCoder
    from san_stream.headers import Header
    from san_stream.kernels import KernelSet


def kernel_sets(header: Header) -> tuple[KernelSet, ...]:
    """The trained kernels that serve each lead; empty but for the spikes profile."""
    if not isinstance(header.profile, Spikes):
        return ()
    sets = header.profile.kernels.sets
    return tuple(sets[i] for i in header.assignment)


def placed_kernels(header: Header) -> int:
    """Kernels of all leads together; as many as leads where there are none."""
    return sum(len(s.kernels) for s in kernel_sets(header)) or len(header.info.leads)


def weight_of(header: Header) -> int:
    """How many values of the lightest coder a value of this one is worth, in time."""
    return 1 if isinstance(header.profile, Spikes) else 8


def make_layer(header: Header, core: Core) -> LayerCoder:
    """The coder of the profile's layers."""
    leads = header.info.leads
    if isinstance(header.profile, Spikes):
        return SparseCoder(leads, kernel_sets(header), header.profile.kernels.tie, core)
    rate, block, profile = header.info.rate, header.block, header.profile
    trained = header.tables == TRAINED
    bounds = profile.errors(len(leads)) if isinstance(profile, Bounded) else (0,) * len(leads)
    if isinstance(profile, Lossless | Bounded) and is_predicted(profile):
        return ExactLayer(rate, leads, block, bounds, profile.preset, core, trained=trained)
    held = bounds if isinstance(profile, Bounded) else ()
    return TransformLayer(rate, leads, block, header.late, held, core, trained=trained)


def layer_memory(header: Header) -> int:
    """About how many bytes the stores of that coder take."""
    if isinstance(header.profile, Spikes):
        return SparseCoder.memory(kernel_sets(header))
    rate, number, profile = header.info.rate, len(header.info.leads), header.profile
    if isinstance(profile, Lossless | Bounded) and is_predicted(profile):
        return ExactLayer.memory(rate, number, header.block, profile.preset)
    return TransformLayer.memory(rate, header.info.leads, header.block)
