"""Model files: kernels as JSON text with a content hash, both directions."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from san_stream.errors import ModelError, SettingError
from san_stream.kernels import Kernel, Kernels, KernelSet
from san_stream.whole_files import write_whole

if TYPE_CHECKING:
    from os import PathLike

FORMAT_NAME = "san-stream-kernels"
FORMAT_VERSION = 1
MAX_FILE_BYTES = 4 * 2**20


def _computed(kernel_set: KernelSet) -> dict[str, Any]:
    """What encoder and decoder compute with."""
    return {
        "scale": kernel_set.scale,
        "step": kernel_set.step,
        "baseline": kernel_set.baseline,
        "kernels": [{"med": k.med, "taps": list(k.taps)} for k in kernel_set.kernels],
    }


def content_hash(kernels: Kernels) -> str:
    """SHA-256 (hex) of the canonical JSON of all that is computed with."""
    content = {
        "activation": kernels.activation,
        "rate": [kernels.rate.numerator, kernels.rate.denominator],
        "sets": [_computed(s) for s in kernels.sets],
        "tie": kernels.tie,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def to_json(kernels: Kernels) -> str:
    """The model as JSON text."""
    data = {
        "format": FORMAT_NAME,
        "version": FORMAT_VERSION,
        "hash": content_hash(kernels),
        "rate": [kernels.rate.numerator, kernels.rate.denominator],
        "unit": kernels.unit,
        "tie": kernels.tie,
        "activation": kernels.activation,
        "provenance": kernels.provenance,
        "sets": [{"leads": list(s.leads), **_computed(s)} for s in kernels.sets],
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def from_json(text: str, name: str) -> Kernels:
    """Read a model from JSON text; see `Kernels.from_json`."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{name}: not JSON ({error})") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT_NAME:
        raise ModelError(f"{name}: not a {FORMAT_NAME} file")
    if data.get("version") != FORMAT_VERSION:
        raise ModelError(
            f"{name}: version {data.get('version')!r}, this release reads {FORMAT_VERSION}"
        )
    try:
        kernels = _from_fields(data, name)
    except KeyError as error:
        raise ModelError(f"{name}: field {error} is missing") from None
    except (TypeError, IndexError, AttributeError, ZeroDivisionError) as error:
        raise ModelError(f"{name}: a field has the wrong type ({error})") from None
    except SettingError as error:
        raise ModelError(f"{name}: {error}") from None
    if data.get("hash") != kernels.content_hash:
        raise ModelError(
            f"{name}: content hash {kernels.content_hash[:12]}… differs from the stated "
            f"{str(data.get('hash'))[:12]}…; the file was changed"
        )
    return kernels


def save(kernels: Kernels, path: str | PathLike[str]) -> None:
    """Write the model; the file is replaced as a whole or not at all."""
    write_whole(path, to_json(kernels).encode())


def load(path: str | PathLike[str]) -> Kernels:
    """Read a model file; see `Kernels.load`."""
    source = Path(path)
    with source.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ModelError(f"{source}: more than {MAX_FILE_BYTES} bytes, too large for a model")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ModelError(f"{source}: not JSON (not UTF-8 text)") from None
    return from_json(text, str(source))


def _from_fields(data: dict[str, Any], name: str) -> Kernels:
    provenance = data.get("provenance", {})
    if not isinstance(provenance, dict):
        raise ModelError(f"{name}: provenance must be an object")
    return Kernels(
        sets=tuple(_set_from_fields(s) for s in data["sets"]),
        rate=Fraction(_integer(data["rate"][0]), _integer(data["rate"][1])),
        unit=data["unit"],
        tie=data["tie"],
        activation=data["activation"],
        provenance=provenance,
    )


def _set_from_fields(data: dict[str, Any]) -> KernelSet:
    baseline, leads = data["baseline"], data["leads"]
    if not isinstance(leads, list) or not all(isinstance(n, str) for n in leads):
        raise ModelError("leads must be a list of names")
    return KernelSet(
        kernels=tuple(
            Kernel(taps=tuple(_integer(w) for w in k["taps"]), med=_integer(k["med"]))
            for k in data["kernels"]
        ),
        scale=_integer(data["scale"]),
        step=_integer(data["step"]),
        baseline=None if baseline is None else _integer(baseline),
        leads=tuple(leads),
    )


def _integer(value: object) -> int:
    """An int that JSON really wrote as one (no float, no bool)."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ModelError(f"{value!r} must be an integer")
    return value
