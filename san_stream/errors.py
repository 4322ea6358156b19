"""Every error that san-stream raises on purpose.

::

    SanStreamError
    ├── FormatError       bytes that are no san-stream data (opening a foreign file)
    ├── ModelError        kernels that are malformed, or do not fit the source
    ├── SampleError       samples of the wrong shape, type, range or position
    ├── SettingError      a profile or option outside its limits
    ├── SourceError       a record or device that cannot be read
    ├── SinkError         an output that cannot be written
    └── MissingExtraError an optional package that is not installed

A message is one line and names the thing, its value and the limit.
The decoder raises none of them because of data: damage is reported, not thrown.
"""

from __future__ import annotations


class SanStreamError(Exception):
    """Base of all errors of this package."""


class FormatError(SanStreamError, ValueError):
    """The bytes are not a san-stream stream, or break a rule of the format."""


class ModelError(SanStreamError, ValueError):
    """The kernels are malformed, or do not fit the source they meet."""


class SampleError(SanStreamError, ValueError):
    """Samples have the wrong shape, type, range or position."""


class SettingError(SanStreamError, ValueError):
    """A profile or an option is outside its limits."""


class SourceError(SanStreamError):
    """A record or a device cannot be read."""


class SinkError(SanStreamError):
    """An output cannot be written."""


class MissingExtraError(SanStreamError, ImportError):
    """An optional package is needed for this and is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}: pip install 'san-stream[{extra}]'"
        )
        self.package = package
        self.extra = extra
