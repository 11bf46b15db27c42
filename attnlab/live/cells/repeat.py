"""Model calls of a cell that can be repeated with an edited text."""

from __future__ import annotations

import linecache
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnlab.live.findings import Finding
from attnlab.live.texts.arguments import TextArguments, call_at
from attnlab.live.texts.paths import path_to

if TYPE_CHECKING:
    import ast
    from collections.abc import Mapping

    from attnlab.capture.feed.callsite import Callsite
    from attnlab.capture.feed.feed import Feed
    from attnlab.capture.record.recorded_call import RecordedCall
    from attnlab.live.source.script import Script
    from attnlab.live.texts.paths import Step

Revision = tuple[tuple[Any, ...], ...]
"""The state of a model's parameters; two are equal if no parameter has changed between them."""

Texts = list[dict[str, Any]]
"""The texts of each tokenizer call of a model call, by argument name."""


@dataclass(eq=False)
class Repeat:
    """One model call of a run, and the expressions of its texts.

    Attributes
    ----------
    index
        Index among the outermost model calls of the run.
    feed
        How the inputs of the call were made.
    text_arguments
        The expressions of the texts, for each tokenizer call of `feed`.
    path
        Path to the model call in the syntax tree of the cell.
    texts
        Texts of the newest trace of the call.
    revision
        State of the model's parameters when that trace was made; see `revision`.
    """

    index: int
    feed: Feed
    text_arguments: list[TextArguments]
    path: list[Step]
    texts: Texts
    revision: Revision

    @classmethod
    def of(cls, script: Script, index: int, feed: Feed, namespace: Mapping[str, Any]) -> Repeat:
        """Find the expressions of the texts; called when the model call ends.

        Raises
        ------
        Finding
            If an expression is not found.
        """
        if feed.callsite is None:
            raise Finding("the model is called by code outside the cell")
        called = _called_in_cell(script, feed.callsite)
        if feed.refusal:
            raise Finding.at(called, feed.refusal)
        text_arguments, texts = [], []
        for tokenized in feed.tokenized:
            if tokenized.callsite is None:
                raise Finding.at(called, "its text was tokenized in another cell")
            _called_in_cell(script, tokenized.callsite)
            position = tokenized.callsite.position
            arguments = TextArguments.of(script.tree, position, tokenized.texts, namespace)
            text_arguments.append(arguments)
            texts.append(tokenized.texts)
        path = path_to(script.tree, called)
        return cls(index, feed, text_arguments, path, texts, revision(feed.model))


@dataclass(frozen=True, eq=False)
class RepeatedCall:
    """The recording of a repeated model call, and the texts that were passed to it."""

    repeat: Repeat
    call: RecordedCall
    texts: Texts
    revision: Revision

    def keep(self) -> None:
        """Store that the newest trace is now of this call."""
        self.repeat.texts, self.repeat.revision = self.texts, self.revision


def revision(model: Any) -> Revision:
    """Return the state of a model's parameters: their addresses and version counters.

    Torch does not count writes through ``.data``, so they are not detected.
    """
    if model is None:  # It no longer exists.
        return ()
    from attnlab.capture.inspection.storage import reference

    return tuple(
        (reference(parameter), parameter.data_ptr(), parameter._version)
        for parameter in model.parameters()
    )


def _called_in_cell(script: Script, callsite: Callsite) -> ast.Call:
    """Find a call in the cell, and check that the cell's code makes it directly.

    Raises
    ------
    Finding
        If the call is not written in the cell, or a function of the notebook makes it.
    """
    lines = "".join(linecache.getlines(callsite.filename))
    if lines and lines.strip() != script.code.strip():
        raise Finding("the call is made by code outside the cell, e.g. by a magic")
    node = call_at(script.tree, callsite.position)
    if callsite.through:
        why = f"`{callsite.through}` is a function that may do more with the text"
        raise Finding.at(node, why)
    return node
