"""A cell that has run, and whose model calls can be made again with the text that it has now."""

from __future__ import annotations

import ast
import linecache
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attnlab.capture.call import Refusal
from attnlab.live.edits import check, path_to
from attnlab.live.expressions import Unknown
from attnlab.live.script import Script, SyntaxUnknown
from attnlab.live.wording import Wording, call_at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from attnlab.capture.call import Call
    from attnlab.capture.callsite import Callsite
    from attnlab.capture.feed import Feed
    from attnlab.live.edits import Step

MOST = 16
"""Model calls of one run that are made again; a loop over a data set is not."""

Texts = list[dict[str, Any]]
"""What each tokenizer call of one model call is given, by the name of the argument."""


@dataclass(eq=False)
class Repeat:
    """One model call of a run, and the expressions of its texts.

    Attributes
    ----------
    index
        Which outermost model call of the run.
    feed
        How it was fed.
    wordings
        The expressions, by the tokenizer calls of `feed`.
    path
        Way to the model's call in the cell.
    texts
        The texts that its newest trace is of.
    revision
        Of the model's parameters, when that trace was made; see `revision`.
    """

    index: int
    feed: Feed
    wordings: list[Wording]
    path: list[Step]
    texts: Texts
    revision: int

    @classmethod
    def of(cls, script: Script, index: int, feed: Feed, held: Mapping[str, Any]) -> Repeat:
        """Find the expressions, at the end of the call.

        Raises
        ------
        Unknown
            Where one is not found, with the reason.
        """
        if feed.callsite is None:
            raise Unknown("the model is not called in the cell's own code")
        called = _written(script, feed.callsite)
        if feed.refusal:
            raise Unknown.at(called, feed.refusal)
        wordings, texts = [], []
        for tokenized in feed.tokenized:
            if tokenized.callsite is None:
                raise Unknown.at(called, "its text was tokenized in another cell")
            _written(script, tokenized.callsite)
            place = tokenized.callsite.position
            wordings.append(Wording.of(script.tree, place, tokenized.texts, held))
            texts.append(tokenized.texts)
        path = path_to(script.tree, called)
        return cls(index, feed, wordings, path, texts, revision(feed.model))


@dataclass(frozen=True, eq=False)
class Made:
    """A call that was made again, with these texts."""

    repeat: Repeat
    call: Call
    texts: Texts
    revision: int

    def keep(self) -> None:
        """Have the call's newest trace be of this."""
        self.repeat.texts, self.repeat.revision = self.texts, self.revision


@dataclass(eq=False)
class Document:
    """One run of a cell.

    Attributes
    ----------
    cell, execution
        Of the run.
    text
        What the cell's traces are of: what has run, or what was typed since.
    repeats
        Its model calls, in order; none where they cannot be made again with the cell's text.
    calls
        How many model calls it has made.
    feeds
        How they were fed, the first `MOST`, by their place in the run.
    why
        Why the calls cannot be made again; None where they can.
    """

    cell: str
    execution: int
    text: str
    transform: Callable[[str], str]
    held: Mapping[str, Any]
    repeats: list[Repeat] = field(default_factory=list)
    calls: int = 0
    feeds: dict[int, Feed] = field(default_factory=dict)
    why: Unknown | None = None

    def __post_init__(self) -> None:
        """Parse what is about to run."""
        self._script: Script | None = None
        self._used: dict[str, Any] = {}
        try:
            self._script = Script.of(self.text, self.transform)
        except SyntaxUnknown as error:  # IPython is about to say so, too
            self.why = error

    def called(self, index: int, call: Call | Refusal) -> None:
        """Note what a model call of the run has left, on the thread that makes it."""
        self.calls = index + 1
        if isinstance(call, Refusal):
            self.refuse(Unknown("a model call of the cell could not be recorded"))
            return
        if call.feed is not None and len(self.feeds) < MOST:
            self.feeds[index] = call.feed
        if self._script is None or self.why is not None:
            return
        try:
            if call.feed is None:
                raise Unknown("the model's call was not followed")
            if len(self.repeats) == MOST:
                raise Unknown(f"the cell calls a model more than {MOST} times")
            repeat = Repeat.of(self._script, index, call.feed, self.held)
            self._note_used(repeat)
            self.repeats.append(repeat)
        except Unknown as found:
            self.refuse(found)

    def refuse(self, why: Unknown) -> None:
        """Say that the calls cannot be made again."""
        self.why = why
        self.repeats = []

    def texts(self, index: int) -> Texts:
        """Return the texts that the newest trace of a call is of."""
        repeats = (repeat for repeat in self.repeats if repeat.index == index)
        repeat = next(repeats, None)
        return (
            [own.texts for own in self.feeds[index].tokenized] if repeat is None else repeat.texts
        )

    def reread(self, script: Script) -> list[Texts]:
        """Give the texts of each call, as the cell has them now.

        Raises
        ------
        Unknown
            Where only running the cell can tell, with the reason.
        """
        if self._script is None or self.why is not None:
            raise self.why or Unknown("the cell has not run")
        if not self.repeats:
            raise Unknown("the cell called no model when it ran last")
        for name, value in self._used.items():
            if self.held.get(name) is not value:
                raise Unknown(f"`{name}` is another object than when the cell ran")
        wordings = [wording for repeat in self.repeats for wording in repeat.wordings]
        calls = [*(repeat.path for repeat in self.repeats), *(own.call for own in wordings)]
        texts = [path for own in wordings for path in own.texts.values()]
        check(self._script.tree, script.tree, calls, texts)
        return [
            [wording.read(script.tree, self.held) for wording in repeat.wordings]
            for repeat in self.repeats
        ]

    @property
    def outdated(self) -> bool:
        """Whether a model has other parameters than when its trace was made."""
        return any(revision(repeat.feed.model) != repeat.revision for repeat in self.repeats)

    def _note_used(self, repeat: Repeat) -> None:
        """Remember which objects the calls are made on: later the same names may mean others."""
        assert self._script is not None
        assigned = {
            node.id
            for node in ast.walk(self._script.tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        for place in (repeat.feed.callsite, *(own.callsite for own in repeat.feed.tokenized)):
            call = call_at(self._script.tree, place.position) if place else None
            for node in ast.walk(call.func) if call else ():
                if isinstance(node, ast.Name) and node.id not in assigned:
                    self._used[node.id] = self.held.get(node.id)


def revision(model: Any) -> int:
    """Tell states of a model's parameters apart, by where they lie and how often they changed.

    Writes through ``.data`` are not counted by torch, and so not seen.
    """
    if model is None:  # The notebook has let go of it.
        return 0
    return hash(tuple((own.data_ptr(), own._version) for own in model.parameters()))


def _written(script: Script, callsite: Callsite) -> ast.Call:
    """Find a call in the cell, which must be what Python has run there.

    Raises
    ------
    Unknown
        Where it is not written in the cell, or made by a function of the notebook.
    """
    lines = "".join(linecache.getlines(callsite.filename))
    if lines and lines.strip() != script.code.strip():
        raise Unknown("the call is made by other code than the cell's own, e.g. a magic's")
    node = call_at(script.tree, callsite.position)
    if callsite.through:
        why = f"`{callsite.through}` is a function that may do more with the text"
        raise Unknown.at(node, why)
    return node
