"""Read an exported model, and nothing else: known operators, no data outside the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from san_export.graph import OPSET
from san_export.metadata import MAX_MODEL_BYTES, read_metadata
from san_export.packages import import_onnx, import_onnxruntime
from san_stream.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

OPERATORS = frozenset(
    {
        "Abs",
        "Add",
        "And",
        "Cast",
        "Compress",
        "Concat",
        "ConstantOfShape",
        "Div",
        "Equal",
        "Gather",
        "GatherND",
        "Greater",
        "GreaterOrEqual",
        "Identity",
        "Loop",
        "MatMul",
        "Max",
        "MaxPool",
        "Min",
        "Mod",
        "Mul",
        "Neg",
        "NonZero",
        "Not",
        "Or",
        "Range",
        "ReduceMax",
        "ReduceSum",
        "Reshape",
        "ScatterND",
        "Shape",
        "Slice",
        "Sub",
        "Transpose",
        "Unsqueeze",
        "Where",
    }
)
"""All that encoder and decoder are made of; all standard, none runs foreign code."""


def load_model(source: bytes | str | PathLike[str]) -> tuple[bytes, dict[str, str]]:
    """The bytes of an exported model and its metadata, both checked.

    Args:
        source: the bytes themselves, or a file's path.

    Raises:
        ModelError: too large, not ONNX, not made by this package, of another operator
            set, with an operator that is not in `OPERATORS`, or with external data.
        MissingExtraError: the package onnx is not installed.
        OSError: the file cannot be read.
    """
    onnx = import_onnx()
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    if isinstance(source, bytes):
        name, data = "ONNX model", source
    else:
        name = str(source)
        with Path(source).open("rb") as file:
            data = file.read(MAX_MODEL_BYTES + 1)
    if len(data) > MAX_MODEL_BYTES:
        raise ModelError(f"{name}: more than {MAX_MODEL_BYTES} bytes, too large for a model")
    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError:
        raise ModelError(f"{name}: not an ONNX model") from None
    metadata = read_metadata(model)
    opsets = [(opset.domain, opset.version) for opset in model.opset_import]
    if opsets != [("", OPSET)]:
        raise ModelError(f"{name}: operator sets {opsets}, only the standard set {OPSET} is read")
    if model.functions or model.training_info:
        raise ModelError(f"{name}: has functions or training graphs, none are allowed")
    for graph in _graphs(model.graph):
        _check_graph(graph, name)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        first_line = str(error).strip().split("\n", 1)[0]
        raise ModelError(f"{name}: not a valid ONNX model ({first_line})") from None
    return data, metadata


def open_session(source: bytes | str | PathLike[str], *, threads: int = 1) -> Any:
    """An onnxruntime session (CPU) of a model that `load_model` accepts.

    Raises:
        ModelError: as `load_model`; or onnxruntime cannot run it.
        MissingExtraError: the package onnx or onnxruntime is not installed.
    """
    data, _ = load_model(source)
    runtime = import_onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    try:
        return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except (
        errors.Fail,
        errors.InvalidArgument,
        errors.InvalidGraph,
        errors.NotImplemented,
    ) as error:
        first_line = str(error).strip().split("\n", 1)[0]
        raise ModelError(f"onnxruntime refuses the ONNX model ({first_line})") from None


def _graphs(graph: Any) -> Iterator[Any]:
    """A graph and all graphs within its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            inner = [attribute.g] if attribute.HasField("g") else []
            for subgraph in [*inner, *attribute.graphs]:
                yield from _graphs(subgraph)


def _check_graph(graph: Any, name: str) -> None:
    """Refuse foreign operators and tensors that are not wholly in the file."""
    tensors = list(graph.initializer)
    if graph.sparse_initializer:
        raise ModelError(f"{name}: has sparse tensors, none are allowed")
    for node in graph.node:
        if node.domain or node.op_type not in OPERATORS:
            operator = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
            raise ModelError(f"{name}: operator {operator!r} is not one of an exported model")
        for attribute in node.attribute:
            if attribute.HasField("t"):
                tensors.append(attribute.t)
            if attribute.tensors or attribute.sparse_tensors or attribute.HasField("sparse_tensor"):
                raise ModelError(f"{name}: operator {node.op_type!r} holds a list of tensors")
    for tensor in tensors:
        if tensor.external_data or tensor.data_location == tensor.EXTERNAL:
            raise ModelError(f"{name}: tensor {tensor.name!r} lies outside the file")
