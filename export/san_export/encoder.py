"""The whole encoder as one ONNX graph: samples in, spikes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from san_export.blocks import (
    Precision,
    align,
    candidates,
    check_bound,
    correlate,
    element_type,
    quantise,
    suppress,
)
from san_export.graph import Graph, value
from san_export.metadata import SampleRange, chosen_set, describe, finish, range_lead
from san_export.packages import import_onnx

if TYPE_CHECKING:
    from san_stream.kernels import Kernels


def onnx_encoder(
    kernels: Kernels,
    index: int = 0,
    *,
    sample_range: SampleRange = (-(2**15), 2**15 - 1),
    precision: Precision = "double",
) -> bytes:
    """An ONNX model that gives the spikes of `san_stream.reference.encode_run`, to the bit.

    It works on whole runs, so decisions are never forced (`max_delay` None). Input and
    outputs, with free lengths ``stream``, ``sample`` (each at least 1) and ``spike``::

        samples     int32 [stream, sample]   ADC values, all within sample_range
        spikes      int64 [spike, 3]         stream, kernel, position; ascending
        amplitudes  int64 [spike]            quantised, none is 0

    Args:
        kernels: the model.
        index: which of its kernel sets.
        sample_range: smallest and largest ADC value for which the result must be exact.
        precision: ``"double"``, or ``"float32"`` where similarities stay below 2^24.

    Returns:
        The model's bytes: standard operators, no external data.

    Raises:
        ModelError: similarities could be too large for the precision.
        MissingExtraError: the package onnx is not installed.
    """
    types = import_onnx().TensorProto
    chosen = chosen_set(kernels, index)
    element = element_type(precision)
    check_bound("similarities", chosen.bound(range_lead(sample_range)), element, precision)

    graph = Graph()
    samples = graph.op("Cast", "samples", to=types.INT64)
    if chosen.baseline is None:
        # Any reference will do; from a value of the run itself partial sums stay in bounds.
        reference = graph.op("Gather", samples, graph.constant(np.array([0])), axis=1)
    else:
        reference = graph.constant(np.int64(chosen.baseline))
    signal = graph.op("Cast", graph.op("Sub", samples, reference), to=element.onnx)
    signal = graph.op("Unsqueeze", signal, graph.constant(np.array([1])))
    table, centre = align(
        [np.array(kernel.taps, dtype=np.int64) for kernel in chosen.kernels],
        [kernel.centre for kernel in chosen.kernels],
    )
    s = correlate(graph, signal, table, centre, element, repeat_ends=chosen.baseline is None)
    nothing = graph.constant(element.numpy(-1))
    score = graph.op("Where", candidates(graph, s, element), graph.op("Abs", s), nothing)
    keep = [
        suppress(
            graph,
            graph.op("Gather", score, graph.constant(np.array([k])), axis=1),
            kernel.med,
            element,
            f"kernel{k}_",
        )
        for k, kernel in enumerate(chosen.kernels)
    ]
    places = graph.op("Transpose", graph.op("NonZero", graph.op("Concat", *keep, axis=1)))
    at_spikes = graph.op("Cast", graph.op("GatherND", s, places), to=types.INT64)
    amplitudes = quantise(graph, at_spikes, chosen.step)
    silent = graph.op("Equal", amplitudes, graph.constant(np.int64(0)))
    sounds = graph.op("Not", silent)
    graph.op("Compress", places, sounds, output="spikes", axis=0)
    graph.op("Compress", amplitudes, sounds, output="amplitudes", axis=0)
    built = graph.build(
        "san_encoder",
        [value("samples", types.INT32, ["stream", "sample"])],
        [
            value("spikes", types.INT64, ["spike", 3]),
            value("amplitudes", types.INT64, ["spike"]),
        ],
    )
    return finish(built, describe(kernels, index, "encoder", sample_range, precision))
