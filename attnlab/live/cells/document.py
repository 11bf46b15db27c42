"""A cell that has run, whose model calls can be repeated with an edited text."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attnlab.capture.record.recorded_call import Refusal
from attnlab.live.cells.identity import Identity
from attnlab.live.cells.repeat import Repeat, revision
from attnlab.live.evaluation.names import Names, string_keys
from attnlab.live.findings import Finding
from attnlab.live.source.script import Script, SyntaxFinding
from attnlab.live.texts.arguments import call_at
from attnlab.live.texts.edits import check_edit
from attnlab.live.texts.limits import check_texts
from attnlab.live.values.budget import Budget

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from attnlab.capture.feed.feed import Feed
    from attnlab.capture.record.recorded_call import RecordedCall
    from attnlab.live.cells.repeat import RepeatedCall, Texts

PLAIN = frozenset({str, int, float, bool, type(None), list, tuple, dict, range})
"""Types of values that are copied at the end of a run."""

MOST = 16
"""Maximum number of model calls in a run that can be repeated; a loop may make many more."""


@dataclass(frozen=True, eq=False)
class EditResult:
    """An edited text of a document, and the model calls that were repeated for it.

    Attributes
    ----------
    made
        The repeated calls, whose traces replace older ones; the other calls are unchanged.
    last
        Whether the edit is newer than all runs of cells.
    """

    document: CellDocument
    text: str
    made: list[RepeatedCall]
    last: bool


@dataclass(eq=False)
class CellDocument:
    """One run of a cell. It does not keep the notebook's objects alive.

    Attributes
    ----------
    cell, execution
        Id and execution count of the run's cell.
    text
        The text that the cell's traces were computed from: the text that ran, or a later edit.
    transform
        The shell's conversion of a cell to Python.
    namespace
        The kernel's namespace.
    repeats
        The model calls in order; empty if they cannot be repeated with an edited text.
    calls
        Number of model calls made.
    feeds
        How the inputs of the first `MOST` calls were made, by index of the call.
    why
        The reason why the calls cannot be repeated; None if they can.
    coming
        Number of edited texts whose traces are not stored yet; until they are, the texts of
        `repeats` may be outdated. The session updates this number.
    """

    cell: str
    execution: int
    text: str
    transform: Callable[[str], str]
    namespace: Mapping[str, Any]
    repeats: list[Repeat] = field(default_factory=list)
    calls: int = 0
    feeds: dict[int, Feed] = field(default_factory=dict)
    why: Finding | None = None
    coming: int = 0

    def __post_init__(self) -> None:
        """Parse the cell that is about to run."""
        self._script: Script | None = None
        self._identities: dict[str, Identity] = {}
        self._values: dict[str, Any] = {}
        try:
            self._script = Script.of(self.text, self.transform)
        except SyntaxFinding as error:  # IPython will report it as well.
            self.refuse(error)

    def called(self, index: int, call: RecordedCall | Refusal) -> None:
        """Add the outcome of a model call of the run; called on the thread that made it."""
        self.calls = index + 1
        if isinstance(call, Refusal):
            self.refuse(Finding("a model call of the cell could not be recorded"))
            return
        if call.feed is not None and len(self.feeds) < MOST:
            self.feeds[index] = call.feed
        if self._script is None or self.why is not None:
            return
        try:
            if call.feed is None:
                raise Finding("the inputs of the model's call are unknown")
            if len(self.repeats) == MOST:
                raise Finding(f"the cell calls a model more than {MOST} times")
            repeat = Repeat.of(self._script, index, call.feed, self.namespace)
            self._remember_objects(repeat)
            self.repeats.append(repeat)
        except Finding as found:
            self.refuse(found)

    def ended(self) -> None:
        """Copy the plain data that the cell's names refer to at the end of its run.

        Token positions are computed when they are first shown. By then, other cells may have
        assigned other values to these names.
        """
        if self._script is None or not self.repeats:
            return
        namespace = string_keys(self.namespace)
        names = Names(namespace)
        for node in ast.walk(self._script.tree):
            if isinstance(node, ast.Name) and node.id in namespace:
                value = names[node.id]
                if type(value) in PLAIN:
                    self._values[node.id] = value

    def reword(self, text: str) -> None:
        """Set the text of the traces to an edited text, which has just been evaluated."""
        self.text = text
        self._values = {}

    @property
    def names(self) -> Mapping[str, Any]:
        """The kernel's namespace, with the values that the cell's text was evaluated with."""
        return {**string_keys(self.namespace), **self._values}

    def refuse(self, why: Finding) -> None:
        """Store the reason why the calls cannot be repeated."""
        self.why = why.bare
        self.repeats = []

    def texts(self, index: int) -> Texts:
        """Return the texts of the newest trace of a call."""
        for repeat in self.repeats:
            if repeat.index == index:
                return repeat.texts
        return [tokenized.texts for tokenized in self.feeds[index].tokenized]

    def script(self, text: str) -> Script:
        """Parse an edited text of the cell, without running code.

        Raises
        ------
        Finding
            If Python cannot parse it, or it is not known how IPython would transform it.
        """
        if self._script is None:
            raise self.why.bare if self.why else Finding("the cell has not run")
        return self._script.edited(text, self.transform)

    def reread(self, text: str) -> list[Texts]:
        """Evaluate the texts of each call in an edited cell.

        Parameters
        ----------
        text
            The text of the whole cell.

        Raises
        ------
        Finding
            If the text of a call can only be determined by running the cell.
        """
        if self.why is not None:
            raise self.why.bare
        if self._script is None:
            raise Finding("the cell has not run")
        if not self.repeats:
            raise Finding("the cell called no model when it ran last")
        script = self.script(text)
        namespace = string_keys(self.namespace)
        for name, identity in self._identities.items():
            if not identity.is_of(namespace.get(name)):
                raise Finding(f"`{name}` is no longer the object that it was when the cell ran")
        text_arguments = [
            arguments for repeat in self.repeats for arguments in repeat.text_arguments
        ]
        call_paths = [
            *(repeat.path for repeat in self.repeats),
            *(arguments.call for arguments in text_arguments),
        ]
        text_paths = [path for arguments in text_arguments for path in arguments.texts.values()]
        budget = Budget()
        try:
            check_edit(self._script.tree, script.tree, call_paths, text_paths)
            texts_of_calls = [
                [
                    arguments.read(script.tree, namespace, budget)
                    for arguments in repeat.text_arguments
                ]
                for repeat in self.repeats
            ]
        except RecursionError:
            raise Finding("the cell is nested too deeply to be evaluated") from None
        for repeat, texts in zip(self.repeats, texts_of_calls, strict=True):
            check_texts(repeat.feed, texts, budget)
        return texts_of_calls

    @property
    def gone(self) -> Repeat | None:
        """The first call whose model or tokenizer no longer exists; None if all exist."""
        return next((repeat for repeat in self.repeats if repeat.feed.gone), None)

    @property
    def outdated(self) -> bool:
        """Whether the parameters of a model have changed since its trace was made."""
        traced = [(repeat.feed.model, repeat.revision) for repeat in self.repeats]
        return any(model is not None and revision(model) != before for model, before in traced)

    def _remember_objects(self, repeat: Repeat) -> None:
        """Store which objects a call uses: their names may later refer to other objects."""
        assert self._script is not None
        namespace = string_keys(self.namespace)
        assigned = {
            node.id
            for node in ast.walk(self._script.tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        callsites = (
            repeat.feed.callsite,
            *(tokenized.callsite for tokenized in repeat.feed.tokenized),
        )
        for callsite in callsites:
            call = call_at(self._script.tree, callsite.position) if callsite else None
            for node in ast.walk(call.func) if call else ():
                if isinstance(node, ast.Name) and node.id not in assigned:
                    self._identities[node.id] = Identity(namespace.get(node.id))
