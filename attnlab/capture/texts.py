"""Which text an attention call belongs to: the ids that the module around it was given.

A call of a model may read several texts: two towers, one encoder called twice, the pieces of a
long text. So each call of a module inside that is given ids is a reading, and an attention call
belongs to the innermost reading that it is made in. That a length matches proves nothing.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from attnlab.capture.contents import is_tensor, leaves
from attnlab.capture.inputs import Inputs, arguments, rows
from attnlab.capture.reading import Reading, may_be_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

STATES = "encoder_hidden_states"
EMBEDDED = "inputs_embeds"


class Texts:
    """The readings of one call of a model.

    Parameters
    ----------
    model, inputs, args, kwargs
        The outermost call.
    """

    def __init__(
        self, model: Any, inputs: Inputs, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> None:
        known = bool(inputs.ids or inputs.decoder)
        found = (own for own in leaves([args, kwargs]) if may_be_ids(own))
        claims = list(inputs.tensors if known else found)
        self.root = Reading(model, inputs, None, claims, known, known)
        self._readings = [self.root]
        self._running = [self.root]
        # What embedding layers and readings have returned, and what that was made of.
        self._made: list[tuple[weakref.ref[torch.Tensor], Reading | torch.Tensor]] = []

    @property
    def current(self) -> Reading:
        """The innermost reading that is running."""
        return self._running[-1]

    @property
    def batch(self) -> int | None:
        """Number of texts of the innermost reading; None where its ids are not known."""
        own = self.current
        return len(own.inputs.ids) if own.known and own.inputs.ids else None

    @property
    def lengths(self) -> frozenset[int]:
        """How many tokens the texts have."""
        return frozenset().union(*(own.inputs.lengths for own in self._readings))

    # --- while the call runs ------------------------------------------------------------

    @staticmethod
    def concerns(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Whether a module may be given a text; cheap, since it is asked for every module."""
        import torch

        # Modes and subclasses of the user's hear of every attribute that is read.
        with torch._C.DisableTorchFunction():
            return EMBEDDED in kwargs or any(map(may_be_ids, (*args, *kwargs.values())))

    def enter(self, module: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Know a module as running; whether its call is a reading, which `leave` must end."""
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
            return self._read(module, args, kwargs, named)
        claims = [own for own in (*args, *kwargs.values()) if may_be_ids(own)]
        if claims:
            self._running.append(Reading(module, Inputs(), self.current, claims))
        return bool(claims)

    def leave(self, result: Any = None) -> None:
        """Know the innermost reading as done."""
        own = self._running.pop()
        if own.known:
            self._readings.append(own)
            own.inputs.returned(result)
            self._keep(result, own)

    def saw(self, module: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> None:
        """Note what an embedding layer has made of which ids."""
        ids = args[0] if args else kwargs.get("input")
        if _embeds(module) and may_be_ids(ids):
            self._keep(out, ids)

    def _read(
        self, module: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], given: torch.Tensor
    ) -> bool:
        """Begin a reading, unless the ids are those of a decoder in the one that is running."""
        outer = self.current.nearest
        states = kwargs.get(STATES)
        if outer.known and _crosses(outer.module, states) and outer.inputs.nested(module, kwargs):
            return False
        ids = rows(given)
        if ids == outer.inputs.decoder:
            return False
        inputs = Inputs.of(module, args, kwargs)
        inputs.ids, inputs.prompt = ids, self.root.inputs.prompt
        source = self._source(states)
        if isinstance(source, Reading):
            inputs.crosses(source.inputs)
        self._running.append(Reading(module, inputs, self.current, [given], True, True))
        return True

    def _embedded(self, table: Any, ids: torch.Tensor) -> None:
        """Tell the readings that were given some ids that they are embedded."""
        found, text = rows(ids), False
        for own in reversed(self._running):
            if own.claimed(ids):
                if not own.embedded(found, table, text=text):
                    return
                own.embeds = own.embeds or not text
                text = True
            elif own.named:
                return

    def _keep(self, result: Any, of: Reading | torch.Tensor) -> None:
        made = next((own for own in leaves(result) if is_tensor(own)), None)
        if made is not None:
            self._made.append((weakref.ref(made), of))

    def _source(self, value: Any) -> Any:
        """Find the ids or the reading that a tensor was made of; None where that is not known."""
        if not is_tensor(value):
            return None
        return next((of for made, of in reversed(self._made) if made() is value), None)

    # --- once it has ended --------------------------------------------------------------

    def owners(self, places: list[Reading]) -> list[Reading]:
        """Tell to which reading each attention call belongs, by the innermost one around it.

        That is the outermost of the same text. What ran beside the module that embedded the
        text was given something else, and belongs to no text.
        """
        for own in self._readings:
            if own.text is not own:
                own.text.inputs.masked(own.inputs)
            if own.mixed:
                own.inputs.ids = None
        loud = {outer for place in places for outer in place.around}
        self._adopt(loud, places)
        beside: dict[Reading, Reading] = {}
        result = []
        for place in places:
            own = place.nearest
            if self._attends_beside(own, loud):
                aside = Reading(own.module, own.inputs.aside(), beside=True)
                result.append(beside.setdefault(own, aside))
            else:
                result.append(own.text)
        return result

    def trim(self, share: Callable[[int], int]) -> None:
        """Forget the texts of a batch that are not kept; `share` tells how many of some are."""
        for own in self._readings:
            texts = [ids for ids in (own.inputs.ids, own.inputs.decoder) if ids]
            if texts:
                own.inputs.first(share(max(map(len, texts))))

    def _attends_beside(self, own: Reading, loud: set[Reading]) -> bool:
        """Whether a reading's own attention runs beside the one inside that has its text."""
        if not own.reads or own.embeds or own.inputs.decoder is not None:
            return False
        inner = [part for part in self._readings if part.parent and part.parent.nearest is own]
        same = [part for part in inner if part.repeats]
        return any(part in loud for part in same) and not any(
            part.embeds for part in same if part not in loud
        )

    def _adopt(self, loud: set[Reading], places: list[Reading]) -> None:
        """Give the outermost call the one text that was embedded right below it.

        Some models hand their ids to a module that embeds them, and attend beside it.
        """
        root = self.root
        if root.known or all(place.nearest is not root for place in places):
            return
        silent = [own.inputs for own in self._readings if own.known and own not in loud]
        if silent and all(own.ids == silent[0].ids for own in silent):
            root.inputs.ids, root.known = silent[0].ids, True
            root.inputs.masked(silent[0])


def _embeds(module: Any) -> bool:
    import torch

    return isinstance(module, torch.nn.Embedding)


def _crosses(model: Any, states: Any) -> bool:
    """Whether a call inside a model may be of its decoder, which reads beside an encoder."""
    config = getattr(model, "config", None)
    return states is not None or bool(getattr(config, "is_encoder_decoder", False))
