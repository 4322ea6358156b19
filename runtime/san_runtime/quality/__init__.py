"""The encoder's side of quality and bounded: where beats are, and which spikes to send."""

from san_runtime.quality.search import BlockSearch

__all__ = ["BlockSearch"]
