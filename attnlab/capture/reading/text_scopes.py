"""Determines the text of an attention call: the ids that a module around it was given.

A model call may read several texts: two towers, one encoder called twice, the pieces of a long
text. So each call of a module inside that is given ids is a text scope, and an attention call
belongs to the innermost scope in which it is made. An equal length proves nothing.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from attnlab.capture.feed.model_inputs import ModelInputs, arguments, rows
from attnlab.capture.feed.text_scope import TextScope, may_be_ids
from attnlab.capture.inspection.contents import is_tensor, leaves
from attnlab.capture.torch_internals import without_torch_function

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

STATES = "encoder_hidden_states"
EMBEDDED = "inputs_embeds"


class TextScopes:
    """The text scopes of one call of a model.

    Parameters
    ----------
    model, inputs, args, kwargs
        The outermost call.
    """

    def __init__(
        self, model: Any, inputs: ModelInputs, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> None:
        known = bool(inputs.ids or inputs.decoder)
        found = (value for value in leaves([args, kwargs]) if may_be_ids(value))
        claims = list(inputs.tensors if known else found)
        self.root = TextScope(model, inputs, None, claims, known, known)
        self._scopes = [self.root]
        self._running = [self.root]
        # The outputs of embedding layers and scopes, and what they were computed from.
        self._made: list[tuple[weakref.ref[torch.Tensor], TextScope | torch.Tensor]] = []

    @property
    def current(self) -> TextScope:
        """The innermost scope that is running."""
        return self._running[-1]

    @property
    def batch(self) -> int | None:
        """Number of texts of the innermost scope; None if its ids are unknown."""
        scope = self.current
        return len(scope.inputs.ids) if scope.known and scope.inputs.ids else None

    @property
    def lengths(self) -> frozenset[int]:
        """The numbers of tokens of the texts."""
        return frozenset().union(*(scope.inputs.lengths for scope in self._scopes))

    # --- while the call runs ------------------------------------------------------------

    @staticmethod
    def concerns(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Whether a module may be given a text; fast, since it is called for every module."""
        # Reading attributes calls the user's modes and subclasses otherwise.
        with without_torch_function():
            return EMBEDDED in kwargs or any(map(may_be_ids, (*args, *kwargs.values())))

    def enter(self, module: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Note that a module starts; whether its call is a scope, which `leave` must end."""
        if _embeds(module):
            ids = args[0] if args else kwargs.get("input")
            if may_be_ids(ids):
                self._embedded(module, ids)
            return False
        named = kwargs.get("input_ids")
        if named is None and args and may_be_ids(args[0]):
            named = arguments(module, args, kwargs).get("input_ids")
        if named is None and EMBEDDED in kwargs:
            named = self._source(kwargs[EMBEDDED])
        if may_be_ids(named):
            return self._begin(module, args, kwargs, named)
        claims = [value for value in (*args, *kwargs.values()) if may_be_ids(value)]
        if claims:
            self._running.append(TextScope(module, ModelInputs(), self.current, claims))
        return bool(claims)

    def leave(self, result: Any = None) -> None:
        """Note that the innermost scope has ended."""
        scope = self._running.pop()
        if scope.known:
            self._scopes.append(scope)
            scope.inputs.returned(result)
            self._keep(result, scope)

    def saw(self, module: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> None:
        """Note the output of an embedding layer and its ids."""
        ids = args[0] if args else kwargs.get("input")
        if _embeds(module) and may_be_ids(ids):
            self._keep(out, ids)

    def _begin(
        self, module: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], given: torch.Tensor
    ) -> bool:
        """Begin a scope, unless the ids are those of a decoder in the current scope."""
        outer = self.current.nearest
        states = kwargs.get(STATES)
        if outer.known and _crosses(outer.module, states) and outer.inputs.nested(module, kwargs):
            return False
        ids = rows(given)
        if ids == outer.inputs.decoder:
            return False
        inputs = ModelInputs.of(module, args, kwargs)
        inputs.ids, inputs.prompt = ids, self.root.inputs.prompt
        source = self._source(states)
        if isinstance(source, TextScope):
            inputs.crosses(source.inputs)
        self._running.append(TextScope(module, inputs, self.current, [given], True, True))
        return True

    def _embedded(self, table: Any, ids: torch.Tensor) -> None:
        """Notify the scopes that were given some ids that these are embedded."""
        found, text = rows(ids), False
        for scope in reversed(self._running):
            if scope.claimed(ids):
                if not scope.embedded(found, table, text=text):
                    return
                scope.embeds = scope.embeds or not text
                text = True
            elif scope.named:
                return

    def _keep(self, result: Any, of: TextScope | torch.Tensor) -> None:
        made = next((leaf for leaf in leaves(result) if is_tensor(leaf)), None)
        if made is not None:
            self._made.append((weakref.ref(made), of))

    def _source(self, value: Any) -> Any:
        """Return the ids or the scope that a tensor was computed from; None if unknown."""
        if not is_tensor(value):
            return None
        return next((of for made, of in reversed(self._made) if made() is value), None)

    # --- once it has ended --------------------------------------------------------------

    def owners(self, scopes: list[TextScope]) -> list[TextScope]:
        """Return the scope of each attention call, given the innermost scope around it.

        That is the outermost scope with the same text. Attention calls beside the module that
        embedded the text had other inputs, and belong to no text.
        """
        for scope in self._scopes:
            if scope.text is not scope:
                scope.text.inputs.masked(scope.inputs)
            if scope.mixed:
                scope.inputs.ids = None
        attending = {outer for innermost in scopes for outer in innermost.around}
        self._adopt(attending, scopes)
        beside: dict[TextScope, TextScope] = {}
        result = []
        for innermost in scopes:
            scope = innermost.nearest
            if self._attends_beside(scope, attending):
                aside = TextScope(scope.module, scope.inputs.aside(), beside=True)
                result.append(beside.setdefault(scope, aside))
            else:
                result.append(scope.text)
        return result

    def trim(self, share: Callable[[int], int]) -> None:
        """Drop the texts of batch items that are not kept; `share` returns how many of some are."""
        for scope in self._scopes:
            texts = [ids for ids in (scope.inputs.ids, scope.inputs.decoder) if ids]
            if texts:
                scope.inputs.first(share(max(map(len, texts))))

    def _attends_beside(self, scope: TextScope, attending: set[TextScope]) -> bool:
        """Whether a scope's attention runs beside an inner scope that has its text."""
        if not scope.reads or scope.embeds or scope.inputs.decoder is not None:
            return False
        inner = [part for part in self._scopes if part.parent and part.parent.nearest is scope]
        same = [part for part in inner if part.repeats]
        return any(part in attending for part in same) and not any(
            part.embeds for part in same if part not in attending
        )

    def _adopt(self, attending: set[TextScope], scopes: list[TextScope]) -> None:
        """Assign the text that was embedded directly below the outermost call to that call.

        Some models pass their ids to a module that embeds them, and attend beside it.
        """
        root = self.root
        if root.known or all(innermost.nearest is not root for innermost in scopes):
            return
        silent = [scope.inputs for scope in self._scopes if scope.known and scope not in attending]
        if silent and all(scope.ids == silent[0].ids for scope in silent):
            root.inputs.ids, root.known = silent[0].ids, True
            root.inputs.masked(silent[0])


def _embeds(module: Any) -> bool:
    import torch

    return isinstance(module, torch.nn.Embedding)


def _crosses(model: Any, states: Any) -> bool:
    """Whether a call inside a model may be of its decoder, which reads beside an encoder."""
    config = getattr(model, "config", None)
    return states is not None or bool(getattr(config, "is_encoder_decoder", False))
