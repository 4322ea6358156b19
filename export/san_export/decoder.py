"""The decoder as an ONNX graph: spikes and baseline in, reconstruction out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from san_export.blocks import Precision, align, check_bound, correlate, element_type, quantise
from san_export.graph import Graph, value
from san_export.metadata import SampleRange, chosen_set, describe, finish, range_lead
from san_export.packages import import_onnx
from san_stream.kernels import footprint_offset, placed_taps

if TYPE_CHECKING:
    from san_stream.kernels import Kernels


def onnx_decoder(
    kernels: Kernels,
    index: int = 0,
    *,
    sample_range: SampleRange = (-(2**15), 2**15 - 1),
    precision: Precision = "double",
) -> bytes:
    """An ONNX model that rebuilds what `san_stream.reference.decode_run` does, to the bit.

    Inputs and output, with free lengths ``stream``, ``sample`` (at least 1), ``spike``::

        spikes          int64 [spike, 3]         stream, kernel, position
        amplitudes      int64 [spike]            as the encoder gives them
        baseline        int64 [stream, sample]   b; the declared one where there is one
        reconstruction  int64 [stream, sample]   b + ((Σ α · w + half) >> shift)

    Args:
        kernels: the model.
        index: which of its kernel sets.
        sample_range: ADC values whose spikes must be decoded exactly.
        precision: ``"double"``, or ``"float32"`` where sums stay below 2^24.

    Returns:
        The model's bytes: standard operators, no external data.

    Raises:
        ModelError: a reconstruction could be too large for the precision.
        MissingExtraError: the package onnx is not installed.
    """
    onnx = import_onnx()
    types = onnx.TensorProto
    chosen = chosen_set(kernels, index)
    element = element_type(precision)
    bound = chosen.reconstruction_bound(range_lead(sample_range))
    check_bound("a reconstruction", bound, element, precision)

    graph = Graph()
    sizes = graph.op("Shape", "baseline")
    streams = graph.op("Gather", sizes, graph.constant(np.array([0])))
    count = graph.constant(np.array([len(chosen.kernels)]))
    samples = graph.op("Gather", sizes, graph.constant(np.array([1])))
    shape = graph.op("Concat", streams, count, samples, axis=0)
    zero = onnx.numpy_helper.from_array(np.zeros(1, dtype=element.numpy))
    empty = graph.op("ConstantOfShape", shape, value=zero)
    amplitudes = graph.op("Cast", "amplitudes", to=element.onnx)
    activation_map = graph.op("ScatterND", empty, "spikes", amplitudes)
    # Placing a kernel at each spike is correlating the map with the placed taps reversed.
    table, centre = align(
        [placed_taps(kernel, kernels.tie)[::-1] for kernel in chosen.kernels],
        [len(kernel.taps) - 1 - footprint_offset(kernel, kernels.tie) for kernel in chosen.kernels],
    )
    placed = correlate(graph, activation_map, table, centre, element, repeat_ends=False)
    total = graph.op("ReduceSum", placed, graph.constant(np.array([1])), keepdims=0)
    shifted = quantise(graph, graph.op("Cast", total, to=types.INT64), chosen.shift)
    graph.op("Add", "baseline", shifted, output="reconstruction")
    built = graph.build(
        "san_decoder",
        [
            value("spikes", types.INT64, ["spike", 3]),
            value("amplitudes", types.INT64, ["spike"]),
            value("baseline", types.INT64, ["stream", "sample"]),
        ],
        [value("reconstruction", types.INT64, ["stream", "sample"])],
    )
    return finish(built, describe(kernels, index, "decoder", sample_range, precision))
