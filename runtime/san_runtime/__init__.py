"""The live side: encoder, sources, sinks, and the command line.

The names below load what they need when they are first used, so that the command line
starts at once and `open_source` does not wait for the compiler.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from san_runtime.compiled import compiled_core
    from san_runtime.encoder import Encoder
    from san_runtime.sinks import open_sink
    from san_runtime.sources import open_source

__all__ = ["Encoder", "compiled_core", "open_sink", "open_source"]

_HOMES = {
    "Encoder": "san_runtime.encoder",
    "compiled_core": "san_runtime.compiled",
    "open_sink": "san_runtime.sinks",
    "open_source": "san_runtime.sources",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
