"""The nodes that a state refers to, by number: two of one id differ where a pool was made again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from airflow_provider_batchad.local.state.shapes import Shape

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.node import Node


class Places:
    """Gives numbers while a state is captured, and nodes while one is restored."""

    def __init__(self) -> None:
        self._numbers: dict[Node, int] = {}
        self._nodes: list[Node] = []

    def begin(self) -> None:
        """Forget all of them."""
        self._numbers = {}

    def number(self, node: Node) -> int:
        """The number of a node."""
        return self._numbers.setdefault(node, len(self._numbers))

    def nodes(self) -> tuple[Node, ...]:
        """Those that have a number, in its order."""
        return tuple(self._numbers)

    def fill(self, nodes: Iterable[Node]) -> None:
        """The nodes of a state that is restored."""
        self._nodes = list(nodes)

    def node(self, number: int) -> Node:
        """The node that has a number."""
        return self._nodes[number]

    def shape(self) -> Shape:
        """How other entities refer to a node."""
        return Shape(wire=int, text="node", encode=self.number, decode=self.node)
