"""Write a model's ONNX files: all of them, or none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from san_export.decoder import onnx_decoder
from san_export.encoder import onnx_encoder
from san_stream.errors import SinkError

if TYPE_CHECKING:
    from os import PathLike

    from san_export.blocks import Precision
    from san_export.metadata import SampleRange
    from san_stream.kernels import Kernels


def export_model(
    kernels: Kernels,
    path: str | PathLike[str],
    *,
    sample_range: SampleRange = (-(2**15), 2**15 - 1),
    precision: Precision = "double",
    force: bool = False,
) -> tuple[Path, ...]:
    """Write encoder and decoder of every kernel set beside each other.

    ``model.onnx`` gives ``model.encoder.onnx`` and ``model.decoder.onnx``; a model of
    several sets ``model.0.encoder.onnx`` and so on.

    Args:
        kernels: the model.
        path: names the files; the ending ``.onnx`` may be left out.
        sample_range: ADC values for which the result must be exact.
        precision: see `onnx_encoder`.
        force: replace files that exist.

    Returns:
        The written files: encoder and decoder of set 0, of set 1, ...

    Raises:
        ModelError: see `onnx_encoder` and `onnx_decoder`.
        SinkError: a file exists and `force` is not given, or it cannot be written.
    """
    target = Path(path)
    stem = target.name.removesuffix(".onnx")
    if not stem:
        raise SinkError(f"{target}: names no file")
    contents: dict[Path, bytes] = {}
    for index in range(len(kernels.sets)):
        number = f".{index}" if len(kernels.sets) > 1 else ""
        for role, build in (("encoder", onnx_encoder), ("decoder", onnx_decoder)):
            file = target.with_name(f"{stem}{number}.{role}.onnx")
            if file.is_dir():
                raise SinkError(f"{file}: is a folder")
            if file.exists() and not force:
                raise SinkError(f"{file} exists: --force replaces it")
            contents[file] = build(kernels, index, sample_range=sample_range, precision=precision)
    partials = {file: file.with_name(file.name + ".partial") for file in contents}
    try:
        for file, data in contents.items():
            partials[file].write_bytes(data)
        for file, partial in partials.items():
            partial.replace(file)
    except OSError as error:
        raise SinkError(f"{error.filename or target}: {error.strerror}") from None
    finally:
        for partial in partials.values():
            partial.unlink(missing_ok=True)
    return tuple(contents)
