"""``san-stream demo``: a minute of real ECG through encoder, socket and decoder."""

from san_runtime.demo.app import command

__all__ = ["command"]
