"""What an exported model says of itself, and the finished file's bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from san_export.graph import IR_VERSION, OPSET
from san_export.packages import import_onnx
from san_stream.errors import ModelError
from san_stream.types import INT32_MAX, INT32_MIN, Lead

if TYPE_CHECKING:
    from san_export.blocks import Precision
    from san_stream.kernels import Kernels, KernelSet

FORMAT_NAME = "san-stream-onnx"
FORMAT_VERSION = "1"
MAX_MODEL_BYTES = 2**20
"""Largest model file: 16 kernels of 1,024 taps need about 100 KiB."""

Role = Literal["encoder", "decoder"]
SampleRange = tuple[int, int]


def chosen_set(kernels: Kernels, index: int) -> KernelSet:
    """The kernel set of this index.

    Raises:
        ModelError: there is none.
    """
    if not 0 <= index < len(kernels.sets):
        raise ModelError(f"kernel set {index}: the model has {len(kernels.sets)}, from 0")
    return kernels.sets[index]


def range_lead(sample_range: SampleRange) -> Lead:
    """A lead of this range of ADC values, for the bounds of a kernel set.

    Raises:
        ModelError: not an ascending range within int32.
    """
    low, high = sample_range
    if not INT32_MIN <= low <= high <= INT32_MAX:
        raise ModelError(f"sample range {low} to {high}: must ascend and lie within int32")
    return Lead("", minimum=low, maximum=high)


def describe(
    kernels: Kernels, index: int, role: Role, sample_range: SampleRange, precision: Precision
) -> dict[str, str]:
    """The model's metadata: names and values are text, lists and null are JSON."""
    chosen = chosen_set(kernels, index)
    return {
        "format": FORMAT_NAME,
        "version": FORMAT_VERSION,
        "role": role,
        "kernels": kernels.content_hash,
        "set": str(index),
        "rate": f"{kernels.rate.numerator}/{kernels.rate.denominator}",
        "unit": kernels.unit,
        "leads": json.dumps(list(chosen.leads)),
        "med": json.dumps([kernel.med for kernel in chosen.kernels]),
        "taps": json.dumps([len(kernel.taps) for kernel in chosen.kernels]),
        "scale": str(chosen.scale),
        "step": str(chosen.step),
        "tie": kernels.tie,
        "activation": kernels.activation,
        "baseline": json.dumps(chosen.baseline),
        "max_delay": "null",
        "sample_range": json.dumps(list(sample_range)),
        "precision": precision,
    }


def finish(graph: Any, metadata: dict[str, str]) -> bytes:
    """Bytes of the checked model.

    Raises:
        ModelError: it would be above `MAX_MODEL_BYTES`.
    """
    onnx = import_onnx()
    model = onnx.helper.make_model(
        graph,
        producer_name="san-stream",
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    if len(data) > MAX_MODEL_BYTES:
        raise ModelError(f"ONNX model of {len(data)} bytes: at most {MAX_MODEL_BYTES}")
    return data


def set_and_range(metadata: dict[str, str]) -> tuple[int, SampleRange]:
    """Index of the kernel set, and the range of ADC values, that metadata state.

    Raises:
        ModelError: they are missing or malformed.
    """
    try:
        low, high = json.loads(metadata["sample_range"])
        return int(metadata["set"]), (int(low), int(high))
    except (KeyError, ValueError, TypeError) as error:
        raise ModelError(f"ONNX model has damaged metadata ({error!r})") from None


def read_metadata(model: Any) -> dict[str, str]:
    """Metadata of a parsed model.

    Raises:
        ModelError: it was not made by this package, or by a later version of it.
    """
    found = {entry.key: entry.value for entry in model.metadata_props}
    if found.get("format") != FORMAT_NAME:
        raise ModelError(f"ONNX model has format {found.get('format')!r}, not {FORMAT_NAME!r}")
    if found.get("version") != FORMAT_VERSION:
        raise ModelError(
            f"ONNX model has version {found.get('version')!r}, this release reads {FORMAT_VERSION}"
        )
    return found
