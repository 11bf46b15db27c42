"""A trace with everything that can be computed from it, as Python hands it out."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Literal, Self

from attnlab.analysis import arrays, table
from attnlab.traces.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    import xarray as xr

    from attnlab.capture.records import Kind
    from attnlab.traces.edges import Edges
    from attnlab.traces.neuron import Neuron


class Recorded(Trace):
    """What one model call left behind: its attention weights and what follows from them.

    ``sites`` are its attention calls in call order, each with ``name``, ``kind``, ``layer``,
    ``heads``, ``tier`` and ``certificate``, and with the reads ``weights``, ``row``,
    ``tile``, ``topk`` and ``neuron``; ``sequences`` the tokens along their axes; ``notes``
    what a reader must know.
    """

    @classmethod
    def of(cls, trace: Trace) -> Self:
        """Offer the same for a trace; the two share all that they hold."""
        return cls(**{field.name: getattr(trace, field.name) for field in fields(trace)})

    def topk(
        self,
        layer: int,
        head: int,
        k: int = 5,
        by: Literal["query", "key"] = "query",
        kind: Kind | None = None,
        item: int = 0,
        stack: str | None = None,
    ) -> Edges:
        """Heaviest keys of each query in a head, or heaviest queries of each key.

        Parameters
        ----------
        layer, kind, stack
            Which attention call, as `site` finds it.
        head
            Which of its heads.
        k
            How many, at least 1; cut to as many as there are.
        by
            ``query`` or ``key``.
        item
            Which item of the batch.

        Returns
        -------
        attnlab.traces.edges.Edges
            ``indices`` and ``weights``, each of shape (n, k), heaviest first, and ``rest``,
            shape (n,), the sum of what is left out.

        Raises
        ------
        NoSuchLayerError, NoSuchHeadError, NoSuchItemError
            All are IndexErrors and say what there is.
        AmbiguousLayerError
            A LookupError that lists what to choose from.
        ValueError
            When `k` is less than 1, or `by` is neither.
        """
        site = self.site(layer, kind, stack)
        return site.topk(k, by, head=head, item=self._item(site, item))

    def neuron(
        self,
        layer: int,
        head: int,
        query: int,
        kind: Kind | None = None,
        item: int = 0,
        stack: str | None = None,
    ) -> Neuron:
        """How one query's weights in one head come about, from its vectors on.

        Parameters
        ----------
        layer, kind, stack
            Which attention call, as `site` finds it.
        head, query
            Which of its heads and queries.
        item
            Which item of the batch.

        Returns
        -------
        attnlab.traces.neuron.Neuron
            ``q``, ``k``, their ``products``, the scores after each of the ``steps``, and the
            ``weights``.

        Raises
        ------
        NoSuchLayerError, NoSuchHeadError, NoSuchQueryError, NoSuchItemError
            All are IndexErrors and say what there is.
        AmbiguousLayerError
            A LookupError that lists what to choose from.
        NotSeenError
            A LookupError: only the call's weights were seen, not its queries and keys.
        """
        site = self.site(layer, kind, stack)
        return site.neuron(query, head, self._item(site, item))

    def heads(self, item: int = 0) -> pd.DataFrame:
        """List all heads with their scores.

        Parameters
        ----------
        item
            Which item of the batch.

        Returns
        -------
        pandas.DataFrame
            One line a head, in call order. Columns: ``site``, ``stack``, ``kind``,
            ``layer``, ``head``, ``group``, ``tier``, ``exact``, and the scores, whose
            formulas `attnlab.analysis.scores.Scores` gives.

        Raises
        ------
        ImportError
            Where pandas is not installed.
        NoSuchItemError
            An IndexError that says what there is.
        """
        return table.heads(self, item)

    def to_xarray(self, sites: Iterable[int] | None = None) -> dict[int, xr.DataArray]:
        """Compute the weights of sites as labelled arrays.

        Parameters
        ----------
        sites
            Indices of sites in call order; all where none are named.

        Returns
        -------
        dict of int to xarray.DataArray
            By site: float32 of dimensions (item, head, query, key), with the coordinates
            ``layer``, ``query_token`` and ``key_token``.

        Raises
        ------
        ImportError
            Where xarray is not installed.
        NoSuchSiteError
            An IndexError that says what there is.
        MemoryError
            Where the arrays together exceed the budget of memory, ``ATTNLAB_MEMORY``.
        """
        return arrays.arrays(self, sites)
