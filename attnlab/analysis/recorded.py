"""A trace with all computations on it, as the Python API returns it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Literal, Self

from attnlab.analysis import arrays, predictions, table
from attnlab.traces.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    import xarray as xr

    from attnlab.capture.record.attention_record import Kind
    from attnlab.traces.neuron import Neuron
    from attnlab.traces.topk import TopWeights


class Recorded(Trace):
    """The recording of one model call: its attention weights and results computed from them.

    ``sites`` are the attention calls in call order. Each has the attributes ``name``, ``kind``,
    ``layer``, ``heads``, ``method`` and ``certificate``, and the methods ``weights``, ``row``,
    ``tile``, ``topk`` and ``neuron``. ``sequences`` are the tokens along the axes of the sites;
    ``notes`` are remarks on how the call was recorded. ``steps`` are the forward passes of
    ``generate``.
    """

    @classmethod
    def of(cls, trace: Trace) -> Self:
        """Create one from a trace; the two share all data."""
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
    ) -> TopWeights:
        """Find the largest weights of each query in a head, or of each key.

        Parameters
        ----------
        layer, kind, stack
            The attention call, as in `site`.
        head
            Index of the head.
        k
            Number of weights, at least 1; limited to the number that exists.
        by
            ``query`` or ``key``.
        item
            Batch item of the trace.

        Returns
        -------
        attnlab.traces.topk.TopWeights
            ``indices`` and ``weights``, each of shape (n, k), largest first, and ``rest``,
            shape (n,), the sum of all other weights.

        Raises
        ------
        NoSuchLayerError, NoSuchHeadError, NoSuchItemError
            All are IndexErrors that list what exists.
        AmbiguousLayerError
            A LookupError that lists the candidates.
        ValueError
            If `k` is less than 1, or `by` is invalid.
        MemoryError
            If they exceed ``ATTNLAB_MEMORY``, or half of the free memory.
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
        """Compute the weights of one query in one head step by step, from its vectors.

        Parameters
        ----------
        layer, kind, stack
            The attention call, as in `site`.
        head, query
            Indices of the head and the query.
        item
            Batch item of the trace.

        Returns
        -------
        attnlab.traces.neuron.Neuron
            ``q``, ``k``, their ``products``, the ``steps`` with the scores after each of them,
            and the ``weights``.

        Raises
        ------
        NoSuchLayerError, NoSuchHeadError, NoSuchQueryError, NoSuchItemError
            All are IndexErrors that list what exists.
        AmbiguousLayerError
            A LookupError that lists the candidates.
        NotSeenError
            A LookupError: only the weights of the call were recorded, not its queries and keys.
        """
        site = self.site(layer, kind, stack)
        return site.neuron(query, head, self._item(site, item))

    def heads(self, item: int = 0) -> pd.DataFrame:
        """List all heads with their scores.

        Parameters
        ----------
        item
            Batch item of the trace.

        Returns
        -------
        pandas.DataFrame
            One row per head, in call order. Columns: ``site``, ``stack``, ``kind``,
            ``layer``, ``head``, ``group``, ``method``, ``exact``, and the scores; see
            `attnlab.analysis.scores.Scores` for their formulas.

        Raises
        ------
        ImportError
            If pandas is not installed.
        NoSuchItemError
            An IndexError that lists what exists.
        """
        return table.heads(self, item)

    def predictions(self, k: int = 5, item: int = 0) -> pd.DataFrame:
        """List the tokens that a language model predicted.

        In a causal model these are the tokens after the first one, and one after the last; after
        ``generate``, the generated tokens; in a masked language model, all tokens. Tokens after
        padding are left out.

        Parameters
        ----------
        k
            Number of best tokens to list for each position, at least 1; limited to the number
            that was recorded, 10.
        item
            Batch item of the trace.

        Returns
        -------
        pandas.DataFrame
            One row per predicted token. Columns:

            - ``position``: its index in the main sequence.
            - ``token``, ``id``: the token that came; empty and -1 if none came, as after the end
              of a text.
            - ``probability``, ``log_probability``: those that the model gave to this token,
              before logits processors; NaN if unknown.
            - ``rank``: its rank among all tokens, from 1; 0 if unknown.
            - ``entropy``: the entropy of the model's distribution, in nats.
            - ``processed_probability``: the probability after logits processors, e.g. a
              temperature or top-k; NaN without them.
            - ``best``: the `k` best tokens as a list of (text, probability), best first.
            - ``processed_best``: the same after logits processors; empty without them.

            If the tokenizer is unknown, the text of a token is its id.

        Raises
        ------
        ImportError
            If pandas is not installed.
        NoPredictionsError
            A LookupError: the call has no logits of a language model.
        NoSuchItemError
            An IndexError that lists what exists.
        ValueError
            If `k` is less than 1.
        """
        return predictions.predictions(self, k, item)

    def to_xarray(self, sites: Iterable[int] | None = None) -> dict[int, xr.DataArray]:
        """Compute the weights of sites as labeled arrays.

        Parameters
        ----------
        sites
            Indices of sites in call order; all sites by default.

        Returns
        -------
        dict of int to xarray.DataArray
            For each site: float32 with dimensions (item, head, query, key), with the coordinates
            ``layer``, ``query_token`` and ``key_token``.

        Raises
        ------
        ImportError
            If xarray is not installed.
        NoSuchSiteError
            An IndexError that lists what exists.
        MemoryError
            If the arrays together exceed ``ATTNLAB_MEMORY``, or half of the free memory.
        """
        return arrays.arrays(self, sites)
