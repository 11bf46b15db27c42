"""Records ``generate``: many small forward passes, shown as one pass over the finished text.

The passes of ``generate`` are not recorded individually. It runs unchanged; then one forward pass
over everything that it returned computes the attention of all steps, since a query attends only to
earlier tokens. The inputs of that pass are those of the first step, followed by the generated
tokens. A fingerprint of all steps detects whether that pass computes something else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attnlab.capture.feed.caches import caches
from attnlab.capture.feed.model_inputs import arguments
from attnlab.capture.guards.frames import hidden_frame
from attnlab.capture.inspection.contents import entry, is_tensor
from attnlab.capture.reading.fingerprint import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

TRANSIENT = frozenset(
    {"cache_position", "use_cache", "logits_to_keep", "decoder_position_ids", "encoder_outputs",
     "return_dict", "output_attentions", "output_hidden_states", "next_sequence_length"}
)  # fmt: skip
"""Arguments of a step that are omitted in a pass over the whole text, as are caches."""


class UnfinishedError(Exception):
    """The reason why the result of ``generate`` cannot be passed through the model again."""


@dataclass(eq=False)
class Generation:
    """A running call of ``generate``."""

    model: Any
    first: dict[str, Any] | None = None
    """Arguments of the model's first pass."""
    encoder: dict[str, Any] | None = None
    """Arguments of the encoder's pass, in an encoder-decoder."""
    fingerprint: Fingerprint = field(init=False)
    """Summarizes what the steps computed."""
    fault: Exception | None = None
    """The first error in attnlab."""

    def __post_init__(self) -> None:
        self.fingerprint = Fingerprint(self.model)

    @hidden_frame
    def inside(self, original: Callable[..., Any], module: Any, args: Any, kwargs: Any) -> Any:
        """Run a module call inside ``generate``; must be fast: each step has hundreds."""
        if self.first is None:
            self._note_inputs(module, args, kwargs)
        if self.fingerprint.follows(module):
            return self.fingerprint.call(original, module, *args, **kwargs)
        return original(module, *args, **kwargs)

    @hidden_frame
    def attend(
        self, call: Callable[..., Any], _default: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        """Run an attention function of the interface inside ``generate``."""
        result = call(*args, **kwargs)
        self.fingerprint.attended(args[0] if args else kwargs.get("module"), result)
        return result

    @property
    def error(self) -> Exception | None:
        """The first error in attnlab."""
        return self.fault or self.fingerprint.fault

    def release(self) -> None:
        """Drop all data when it is no longer needed: an exception may keep the object alive."""
        for part in (self.fingerprint, self):
            vars(part).clear()

    def _note_inputs(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Store the arguments of the first calls of the encoder and of the model."""
        if module is self.model:
            self.first = arguments(module, args, kwargs)
        elif self.encoder is None and self._is_encoder(module):
            self.encoder = arguments(module, args, kwargs)

    def _is_encoder(self, module: Any) -> bool:
        config = getattr(self.model, "config", None)
        return bool(getattr(config, "is_encoder_decoder", False)) and hasattr(module, "config")

    def whole(self, result: Any) -> tuple[dict[str, Any], int]:
        """Return the arguments of one pass over everything that was generated.

        Returns
        -------
        tuple of (keyword arguments, number of prompt tokens)

        Raises
        ------
        UnfinishedError
            If they cannot be determined.
        """
        returned = entry(result, "sequences")
        sequences = result if returned is None else returned
        if self.first is None or not is_tensor(sequences) or sequences.ndim != 2:
            raise UnfinishedError("another model ran its forward passes")
        given = _without_transient(self.first)
        if self.encoder is not None:
            return self._encoder_decoder(given, sequences)
        ids = given.pop("input_ids", None)
        embeds = given.pop("inputs_embeds", None)
        if embeds is not None and (ids is None or ids.shape[1] != embeds.shape[1]):
            return self._embedded(given, embeds, sequences)
        if ids is None:
            raise UnfinishedError("its first forward pass received no token ids")
        count, prompt = int(sequences.shape[0]), int(ids.shape[1])
        given = {name: _spread(value, int(ids.shape[0]), count) for name, value in given.items()}
        if not bool((sequences[:, :prompt] == _spread(ids, int(ids.shape[0]), count)).all()):
            raise UnfinishedError("what it returned does not begin with its prompt")
        added = int(sequences.shape[1]) - prompt
        return {"input_ids": sequences, **_lengthened(given, prompt, added)}, prompt

    def _embedded(
        self, given: dict[str, Any], embeds: torch.Tensor, sequences: torch.Tensor
    ) -> tuple[dict[str, Any], int]:
        """Return the arguments if the prompts are embeddings, e.g. of images.

        The embeddings of the generated tokens are appended to them.
        """
        import torch

        count, prompt = int(sequences.shape[0]), int(embeds.shape[1])
        rows = int(embeds.shape[0])
        given = {name: _spread(value, rows, count) for name, value in given.items()}
        generated = self.model.get_input_embeddings()(sequences).to(embeds.dtype)
        whole = torch.cat([_spread(embeds, rows, count), generated], dim=1)
        added = int(sequences.shape[1])
        return {"inputs_embeds": whole, **_lengthened(given, prompt, added)}, prompt

    def _encoder_decoder(
        self, given: dict[str, Any], sequences: torch.Tensor
    ) -> tuple[dict[str, Any], int]:
        """Return the arguments if the model is an encoder-decoder."""
        assert self.encoder is not None
        inputs = _without_transient(self.encoder)
        rows = next((int(value.shape[0]) for value in inputs.values() if is_tensor(value)), 1)
        count = int(sequences.shape[0])
        repeated = {name: _spread(value, rows, count) for name, value in inputs.items()}
        first = given.get("decoder_input_ids")
        prompt = int(first.shape[1]) if is_tensor(first) else 1
        return {**repeated, "decoder_input_ids": sequences}, prompt


def _without_transient(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a step that also apply to a pass over the whole text."""
    return {
        name: value
        for name, value in given.items()
        if value is not None and name not in TRANSIENT and not caches(value)
    }


def _spread(value: Any, rows: int, count: int) -> Any:
    """Repeat the rows of prompts for the returned sequences.

    ``generate`` expands each prompt to one row per beam, and returns one or more sequences.
    """
    import torch

    if not isinstance(value, torch.Tensor) or value.ndim == 0 or value.shape[0] != rows:
        return value
    indices = torch.arange(count, device=value.device) * rows // count
    return value.index_select(0, indices)


def _lengthened(given: dict[str, Any], prompt: int, added: int) -> dict[str, Any]:
    """Extend arguments that have one entry per prompt token to the generated tokens.

    Masks are extended by ones, and positions by counting on.
    """
    import torch

    result = dict(given)
    for name, value in given.items():
        if name == "position_ids" and getattr(value, "ndim", 0) != 2:
            del result[name]  # the model computes them
            continue
        if not isinstance(value, torch.Tensor) or value.ndim != 2 or value.shape[1] != prompt:
            continue
        extension = value[:, -1:].expand(value.shape[0], added)
        if name == "position_ids":
            extension = extension + torch.arange(1, added + 1, device=value.device)
        elif "mask" in name:
            extension = torch.ones_like(extension)
        result[name] = torch.cat([value, extension], dim=1)
    return result
