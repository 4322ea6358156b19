"""Write an ONNX graph node by node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from san_export.packages import import_onnx

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

OPSET = 18
IR_VERSION = 9


class Graph:
    """Nodes and constants of a graph under construction; values are known by name.

    Args:
        prefix: begins every name, so that a loop's body shares none with its outside.
    """

    def __init__(self, prefix: str = "") -> None:
        self._onnx = import_onnx()
        self._prefix = prefix
        self._count = 0
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: NDArray[Any] | np.generic) -> str:
        """Name of a new constant."""
        name = self._name("constant")
        self.constants.append(self._onnx.numpy_helper.from_array(value, name))
        return name

    def op(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Name of the (first) result of a new node."""
        output = output or self._name(operator.lower())
        self.add(operator, inputs, [output], **attributes)
        return output

    def add(
        self, operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any
    ) -> None:
        """A node with several results."""
        node = self._onnx.helper.make_node(operator, list(inputs), list(outputs), **attributes)
        self.nodes.append(node)

    def build(self, name: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
        """The finished graph; inputs and outputs are from `value`."""
        return self._onnx.helper.make_graph(
            self.nodes, name, list(inputs), list(outputs), self.constants
        )

    def _name(self, stem: str) -> str:
        self._count += 1
        return f"{self._prefix}{stem}{self._count}"


def value(name: str, element: int, shape: Sequence[str | int] | None) -> Any:
    """Declaration of an input or output; a shape's names are free lengths."""
    return import_onnx().helper.make_tensor_value_info(name, element, shape)
