"""The parts that encoder and decoder are made of, as standard ONNX operators.

Every number is an integer that its element type holds exactly, so neither the order of a
sum nor a fused multiply changes a result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from san_export.graph import Graph, value
from san_export.packages import import_onnx
from san_stream.errors import ModelError, SettingError
from san_stream.kernels import EXACT_BOUND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Precision = Literal["double", "float32"]

FRAME = 64
"""Outputs computed from one row of the matrix product: memory is (FRAME + m) / FRAME · n."""


@dataclass(frozen=True, slots=True)
class Element:
    """A floating type of ONNX, and below which bound its integers are all exact."""

    onnx: int
    numpy: type[np.float64 | np.float32]
    bound: int


def element_type(precision: Precision) -> Element:
    """The type that the graph computes in.

    Raises:
        SettingError: not a known precision.
    """
    types = import_onnx().TensorProto
    if precision == "double":
        return Element(types.DOUBLE, np.float64, EXACT_BOUND)
    if precision == "float32":
        return Element(types.FLOAT, np.float32, 2**24)
    raise SettingError(f"precision {precision!r}: must be 'double' or 'float32'")


def check_bound(what: str, bound: int, element: Element, precision: Precision) -> None:
    """Refuse a model whose integers could be too large for the element type.

    Raises:
        ModelError: with the bound and the limit.
    """
    if bound >= element.bound:
        raise ModelError(
            f"{what} could reach {bound}: exact in {precision} only below {element.bound}"
        )


def align(
    taps: Sequence[NDArray[np.int64]], centres: Sequence[int]
) -> tuple[NDArray[np.int16], int]:
    """Kernels of several lengths in one table, their centres in one column.

    Returns:
        Table int16 ``[kernels, width]``, zeros where a kernel has no tap, and the column.
    """
    left = max(centres)
    right = max(len(w) - 1 - c for w, c in zip(taps, centres, strict=True))
    table = np.zeros((len(taps), left + right + 1), dtype=np.int16)
    for row, w, c in zip(table, taps, centres, strict=True):
        row[left - c : left - c + len(w)] = w
    return table, left


def correlate(
    graph: Graph,
    signal: str,
    table: NDArray[np.int16],
    centre: int,
    element: Element,
    *,
    repeat_ends: bool,
) -> str:
    """y[b, k, t] = Σ_j table[k, j] · signal[b, k, t + j - centre], as a matrix product.

    The signal is unfolded into frames of FRAME + width - 1 samples, one for each FRAME
    outputs, and multiplied by a band matrix that holds the taps of all FRAME shifts.

    Args:
        graph: where the nodes go.
        signal: name of a value ``[stream, kernels or 1, sample]``, at least one sample.
        table: int16 ``[kernels, width]``.
        centre: column that lies on the output's position.
        element: type of the signal.
        repeat_ends: whether the signal goes on with its first and last value; else zeros.

    Returns:
        Name of the result ``[stream, kernels, sample]``.
    """
    kernels, width = table.shape
    span = FRAME + width - 1
    one = graph.constant(np.int64(1))
    zero = graph.constant(np.int64(0))
    frame = graph.constant(np.int64(FRAME))

    # Which sample stands where in which frame: int64 [frames, span].
    n = graph.op("Gather", graph.op("Shape", signal), graph.constant(np.int64(2)))
    last = graph.op("Sub", n, one)
    frames = graph.op("Div", graph.op("Add", n, graph.constant(np.int64(FRAME - 1))), frame)
    starts = graph.op("Mul", graph.op("Range", zero, frames, one), frame)
    starts = graph.op("Unsqueeze", starts, graph.constant(np.array([1])))
    place = graph.op("Add", starts, graph.constant(np.arange(span) - centre))
    within = graph.op("Min", graph.op("Max", place, zero), last)
    unfolded = graph.op("Gather", signal, within, axis=2)
    if not repeat_ends:
        inside = graph.op("Equal", place, within)
        unfolded = graph.op("Where", inside, unfolded, graph.constant(element.numpy(0)))

    # band[k, u, f] = table[k, u - f], and 0 where there is no such tap.
    rows, columns = np.arange(span).reshape(-1, 1), np.arange(FRAME).reshape(1, -1)
    tap = graph.op("Sub", graph.constant(rows), graph.constant(columns))
    tap = graph.op("Max", tap, graph.constant(np.int64(-1)))
    tap = graph.op("Min", tap, graph.constant(np.int64(width)))
    tap = graph.op("Add", tap, one)
    fringed = graph.constant(np.pad(table, ((0, 0), (1, 1))))
    band = graph.op("Gather", graph.op("Cast", fringed, to=element.onnx), tap, axis=1)

    product = graph.op("MatMul", unfolded, band)  # [stream, kernels, frames, FRAME]
    joined = graph.op("Reshape", product, graph.constant(np.array([0, kernels, -1])))
    return graph.op(
        "Slice",
        joined,
        graph.constant(np.array([0])),
        graph.op("Unsqueeze", n, graph.constant(np.array([0]))),
        graph.constant(np.array([2])),
    )


def candidates(graph: Graph, s: str, element: Element) -> str:
    """Name of a bool value of the shape of s: peaks and valleys, see `reference.candidates`."""
    axis = graph.constant(np.array([2]))
    begin, second = graph.constant(np.array([0])), graph.constant(np.array([1]))
    before_last = graph.constant(np.array([-1]))
    end = graph.constant(np.array([2**62]))
    first = graph.op("Slice", s, begin, second, axis)
    never = graph.op("Greater", first, first)
    rises = graph.op(
        "Greater",
        graph.op("Slice", s, second, end, axis),
        graph.op("Slice", s, begin, before_last, axis),
    )
    rises_right = graph.op("Concat", rises, never, axis=2)
    rises_left = graph.op("Concat", never, rises, axis=2)
    no_rise_left = graph.op("Not", rises_left)
    not_positive = graph.op("Not", graph.op("Greater", s, graph.constant(element.numpy(0))))
    agree = graph.op("Equal", rises_right, no_rise_left)
    return graph.op("And", agree, graph.op("Equal", no_rise_left, not_positive))


def suppress(graph: Graph, score: str, med: int, element: Element, prefix: str) -> str:
    """The greedy choice, in rounds that each decide many positions at once.

    In a round every undecided position is kept that is larger than all undecided ones
    within `med` before it and not smaller than all within `med` after it (that is the tie
    rule); then all within `med` of a kept one are decided. Rounds go on until none is left.

    Args:
        graph: where the loop goes.
        score: name of a value ``[stream, 1, sample]``: |s| at candidates, -1 elsewhere.
        med: minimum extrema distance.
        element: type of the scores.
        prefix: of the names in the loop's body.

    Returns:
        Name of a bool value of the same shape: the kept positions.
    """
    types = import_onnx().TensorProto
    shape: list[str | int] = ["stream", 1, "sample"]
    body = Graph(prefix)
    axis, begin = body.constant(np.array([2])), body.constant(np.array([0]))
    decided, half = body.constant(element.numpy(-1)), body.constant(element.numpy(0.5))
    left, kept = prefix + "left", prefix + "kept"

    # Concat, not Pad: onnxruntime folds a Pad into the MaxPool and then refuses its size.
    first = body.op("Slice", left, begin, body.constant(np.array([1])), axis)
    border = body.op("Sub", body.op("Sub", first, first), half)
    shifted = body.op("Slice", left, begin, body.constant(np.array([-1])), axis)
    shifted = body.op("Concat", border, shifted, axis=2)
    before = body.op("MaxPool", shifted, kernel_shape=[med], pads=[med - 1, 0])
    after = body.op("MaxPool", left, kernel_shape=[med + 1], pads=[0, med])
    # Decided positions (-1) are never above `before`, which is at least -1.
    above, not_below = body.op("Greater", left, before), body.op("GreaterOrEqual", left, after)
    pick = body.op("And", above, not_below)
    near = body.op(
        "MaxPool",
        body.op("Cast", pick, to=element.onnx),
        kernel_shape=[2 * med + 1],
        pads=[med, med],
    )
    rest = body.op(
        "Where", body.op("Greater", near, half), decided, left, output=prefix + "left_out"
    )
    body.op("Or", kept, pick, output=prefix + "kept_out")
    most = body.op("ReduceMax", rest, keepdims=0)
    body.op("Greater", most, body.op("Neg", half), output=prefix + "more")
    loop = body.build(
        prefix + "round",
        [
            value(prefix + "number", types.INT64, []),
            value(prefix + "going", types.BOOL, []),
            value(left, element.onnx, shape),
            value(kept, types.BOOL, shape),
        ],
        [
            value(prefix + "more", types.BOOL, []),
            value(prefix + "left_out", element.onnx, shape),
            value(prefix + "kept_out", types.BOOL, shape),
        ],
    )
    none_kept = graph.op("Greater", score, score)
    going = graph.constant(np.ones((), dtype=np.bool_))
    graph.add("Loop", ["", going, score, none_kept], [prefix + "rest", prefix + "keep"], body=loop)
    return prefix + "keep"


def quantise(graph: Graph, number: str, step: int, output: str = "") -> str:
    """(v + half) >> step of an int64 value, rounding down; half = 2^(step - 1), or 0."""
    if step == 0:
        return graph.op("Identity", number, output=output)
    unit = graph.constant(np.int64(1 << step))
    raised = graph.op("Add", number, graph.constant(np.int64(1 << (step - 1))))
    # Div rounds towards 0, so the remainder (which has the sign of the unit) goes first.
    whole = graph.op("Sub", raised, graph.op("Mod", raised, unit))
    return graph.op("Div", whole, unit, output=output)
