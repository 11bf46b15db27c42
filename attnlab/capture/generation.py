"""``generate``: many small forward passes, shown as one over the finished text.

The passes of ``generate`` are not recorded one by one. It runs untouched; then one forward
pass over all that it has returned gives the attention of every step in one view, since a
query sees only what precedes it. The inputs of that pass are those of the first pass inside,
with the generated tokens after them. What the steps computed is witnessed, so that a second
pass that computes something else is noticed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attnlab.capture.caches import caches
from attnlab.capture.contents import entry, is_tensor
from attnlab.capture.frames import between
from attnlab.capture.inputs import arguments
from attnlab.capture.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

TRANSIENT = frozenset(
    {"cache_position", "use_cache", "logits_to_keep", "decoder_position_ids", "encoder_outputs",
     "return_dict", "output_attentions", "output_hidden_states", "next_sequence_length"}
)  # fmt: skip
"""Arguments of a step that do not belong to a pass over the whole; nor do its caches."""


class UnfinishedError(Exception):
    """Why the result of ``generate`` cannot be passed through the model once more."""


@dataclass(eq=False)
class Generation:
    """One call of ``generate`` while it runs."""

    model: Any
    first: dict[str, Any] | None = None
    """Arguments of the model's first pass."""
    encoder: dict[str, Any] | None = None
    """Arguments of the encoder's pass, in an encoder-decoder."""
    witness: Witness = field(init=False)
    """What the steps computed."""
    confirmed: bool = True
    """Whether they have confirmed the pass over the whole."""

    def __post_init__(self) -> None:
        self.witness = Witness(self.model)

    @between
    def inside(self, original: Callable[..., Any], module: Any, args: Any, kwargs: Any) -> Any:
        """Run a module's call inside."""
        self._saw(module, args, kwargs)
        if self.witness.follows(module):
            return self.witness.call(original, module, *args, **kwargs)
        return original(module, *args, **kwargs)

    @between
    def attend(
        self, found: Callable[..., Any], _default: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        """Run an attention function of the interface inside."""
        result = found(*args, **kwargs)
        self.witness.attended(args[0] if args else kwargs.get("module"), result)
        return result

    def _saw(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """See a module's call inside; cheap, since there are many."""
        if module is self.model:
            if self.first is None:
                self.first = arguments(module, args, kwargs)
        elif self.encoder is None and self.first is None and self._encodes(module):
            self.encoder = arguments(module, args, kwargs)

    def _encodes(self, module: Any) -> bool:
        config = getattr(self.model, "config", None)
        return bool(getattr(config, "is_encoder_decoder", False)) and hasattr(module, "config")

    def whole(self, result: Any) -> tuple[dict[str, Any], int]:
        """Arguments of one pass over all that was generated.

        Returns
        -------
        tuple of (keyword arguments, number of tokens of the prompt)

        Raises
        ------
        UnfinishedError
            When they cannot be told.
        """
        returned = entry(result, "sequences")
        sequences = result if returned is None else returned
        if self.first is None or not is_tensor(sequences) or sequences.ndim != 2:
            raise UnfinishedError("its passes were made by another model")
        given = _lasting(self.first)
        if self.encoder is not None:
            return self._crossed(given, sequences)
        ids = given.pop("input_ids", None)
        embeds = given.pop("inputs_embeds", None)
        if embeds is not None and (ids is None or ids.shape[1] != embeds.shape[1]):
            return self._embedded(given, embeds, sequences)
        if ids is None:
            raise UnfinishedError("its first pass was given no token ids")
        count, prompt = int(sequences.shape[0]), int(ids.shape[1])
        given = {name: _spread(own, int(ids.shape[0]), count) for name, own in given.items()}
        if not bool((sequences[:, :prompt] == _spread(ids, int(ids.shape[0]), count)).all()):
            raise UnfinishedError("what it returned does not begin with its prompt")
        added = int(sequences.shape[1]) - prompt
        return {"input_ids": sequences, **_lengthened(given, prompt, added)}, prompt

    def _embedded(
        self, given: dict[str, Any], embeds: torch.Tensor, sequences: torch.Tensor
    ) -> tuple[dict[str, Any], int]:
        """Prompts of embeddings, e.g. of pictures: the generated tokens are embedded as well."""
        import torch

        count, prompt = int(sequences.shape[0]), int(embeds.shape[1])
        rows = int(embeds.shape[0])
        given = {name: _spread(own, rows, count) for name, own in given.items()}
        own = self.model.get_input_embeddings()(sequences).to(embeds.dtype)
        whole = torch.cat([_spread(embeds, rows, count), own], dim=1)
        added = int(sequences.shape[1])
        return {"inputs_embeds": whole, **_lengthened(given, prompt, added)}, prompt

    def _crossed(
        self, given: dict[str, Any], sequences: torch.Tensor
    ) -> tuple[dict[str, Any], int]:
        assert self.encoder is not None
        source = _lasting(self.encoder)
        rows = next((int(own.shape[0]) for own in source.values() if is_tensor(own)), 1)
        count = int(sequences.shape[0])
        known = {name: _spread(own, rows, count) for name, own in source.items()}
        first = given.get("decoder_input_ids")
        prompt = int(first.shape[1]) if is_tensor(first) else 1
        return {**known, "decoder_input_ids": sequences}, prompt


def _lasting(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the arguments of a step that belong to a pass over the whole as well."""
    return {
        name: own
        for name, own in given.items()
        if own is not None and name not in TRANSIENT and not caches(own)
    }


def _spread(own: Any, rows: int, count: int) -> Any:
    """Give each returned sequence the row of its prompt.

    ``generate`` repeats each prompt's row for its beams and for the sequences it returns.
    """
    import torch

    if not isinstance(own, torch.Tensor) or own.ndim == 0 or own.shape[0] != rows:
        return own
    places = torch.arange(count, device=own.device) * rows // count
    return own.index_select(0, places)


def _lengthened(given: dict[str, Any], prompt: int, added: int) -> dict[str, Any]:
    """Lengthen what counts the prompt's tokens: masks by ones, places by counting on."""
    import torch

    result = dict(given)
    for name, own in given.items():
        if name == "position_ids" and getattr(own, "ndim", 0) != 2:
            del result[name]  # the model makes its own
            continue
        if not isinstance(own, torch.Tensor) or own.ndim != 2 or own.shape[1] != prompt:
            continue
        more = own[:, -1:].expand(own.shape[0], added)
        if name == "position_ids":
            more = more + torch.arange(1, added + 1, device=own.device)
        elif "mask" in name:
            more = torch.ones_like(more)
        result[name] = torch.cat([own, more], dim=1)
    return result
