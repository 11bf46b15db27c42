"""One attention call of a trace, and its place in the model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from attnlab.traces.certificate import Certificate, certify

if TYPE_CHECKING:
    from attnlab.capture.records import Kind, Record

Axis = Literal["queries", "keys", "positions"]
"""Which list of the trace's tokens stands along an axis; ``positions`` where neither does."""


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
        Whose tokens stand along the queries and the keys: in an encoder-decoder the
        encoder's own sites have the trace's `keys` along both.
    """

    index: int
    record: Record
    rows: Axis
    columns: Axis

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

    @cached_property
    def verdict(self) -> Certificate:
        """The certificate, made when first asked for (a few rows of weights)."""
        return certify(self.record)

    @property
    def tier(self) -> Literal["exact", "unverified"]:
        """``exact`` where the weights reproduce the model's own output."""
        return "exact" if self.verdict.exact else "unverified"

    @property
    def certificate(self) -> str:
        """Why the site is unverified, in words; empty when it is exact."""
        return self.verdict.reason
