"""Fields of messages: numbers, texts and flags as bytes, both directions (docs/format.md)."""

from __future__ import annotations

from san_stream.errors import FormatError
from san_stream.types import MAX_POSITION


class Scanner:
    """Takes fields off a byte string, from the front; raises `FormatError` at its end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def octets(self, count: int) -> bytes:
        """`count` bytes as they are."""
        end = self.at + count
        if end > len(self.data):
            raise FormatError(f"{count} bytes wanted at {self.at}, {len(self.data)} there")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def octet(self) -> int:
        """One byte."""
        return self.octets(1)[0]

    def varint(self, limit: int = MAX_POSITION) -> int:
        """An unsigned LEB128 number, at most `limit`."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self.octet()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value > limit:
                    raise FormatError(f"number {value} is above the limit {limit}")
                return value
        raise FormatError("number of more than 10 bytes")

    def zigzag(self) -> int:
        """A signed number."""
        value = self.varint(2**63 - 1)
        return value >> 1 if value & 1 == 0 else -(value >> 1) - 1

    def text(self, limit: int) -> str:
        """UTF-8 text of at most `limit` bytes."""
        data = self.octets(self.varint(limit))
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            raise FormatError("text is not UTF-8") from None

    def flag(self) -> bool:
        """A byte that is 0 or 1."""
        value = self.octet()
        if value > 1:
            raise FormatError(f"flag byte {value}, must be 0 or 1")
        return value == 1

    def optional(self) -> int | None:
        """A flag and, where it is 1, a signed number."""
        return self.zigzag() if self.flag() else None

    def end(self) -> None:
        """Refuse bytes left over."""
        if self.at != len(self.data):
            raise FormatError(f"{len(self.data) - self.at} bytes left over")


def varint(value: int) -> bytes:
    """An unsigned number below 2^63 as LEB128."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value: int) -> bytes:
    """A signed number as the varint of its folded value."""
    return varint(2 * value if value >= 0 else -2 * value - 1)


def text(value: str) -> bytes:
    """Byte count and UTF-8 bytes."""
    data = value.encode("utf-8")
    return varint(len(data)) + data


def optional(value: int | None) -> bytes:
    """A flag and, where there is one, a signed number."""
    return b"\0" if value is None else b"\1" + zigzag(value)
