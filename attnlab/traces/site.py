"""One attention call of a trace, and its place in the model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from attnlab.traces.certificate import Certificate, certify

if TYPE_CHECKING:
    from attnlab.capture.records import Kind, Record, Tier


@dataclass(eq=False)
class Site:
    """One attention call.

    Attributes
    ----------
    index
        Position among the trace's sites, in call order.
    record
        What the call was given.
    rows, columns
        Indices of the trace's sequences that stand along the queries and the keys.
    """

    index: int
    record: Record
    rows: int
    columns: int

    @property
    def name(self) -> str:
        """Path of the module in the model."""
        return self.record.name

    @property
    def kind(self) -> Kind:
        """``encoder``, ``decoder`` or ``cross``."""
        return self.record.kind

    @property
    def layer(self) -> int:
        """The model's own number of the layer."""
        return self.record.layer

    @property
    def heads(self) -> int:
        """Number of query heads."""
        return self.record.heads

    @property
    def groups(self) -> int:
        """Number of key/value heads."""
        return self.record.groups

    @property
    def queries(self) -> int:
        """Number of query positions."""
        return self.record.queries

    @property
    def keys(self) -> int:
        """Number of key positions."""
        return self.record.keys

    @property
    def items(self) -> int:
        """Number of batch items; a tower may have several for one of the trace's."""
        return self.record.items

    @property
    def stack(self) -> str:
        """Path of the module with the layers' numbers as ``#``: which stack of layers it is in."""
        return self.record.stack

    @property
    def tier(self) -> Tier:
        """How the call was read: ``interface``, ``tap``, ``replayed``, ``output_attentions``."""
        return self.record.tier

    @cached_property
    def certificate(self) -> Certificate:
        """Whether the weights are the model's own, checked when first asked for."""
        return certify(self.record)
