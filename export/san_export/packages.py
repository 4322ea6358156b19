"""The optional packages, imported where they are needed."""

from __future__ import annotations

from typing import Any

from san_stream.errors import MissingExtraError


def import_onnx() -> Any:
    """The package `onnx`, with its helpers loaded.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError:
        raise MissingExtraError("onnx", "export", "ONNX export") from None
    return onnx


def import_onnxruntime() -> Any:
    """The package `onnxruntime`.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtraError("onnxruntime", "onnx", "running an ONNX model") from None
    return onnxruntime
