"""A model call made again with other texts, which the user's notebook does not notice."""

from __future__ import annotations

import contextlib
import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from attnlab.capture import replay
from attnlab.capture.call import Call, Refusal
from attnlab.capture.quiet import quiet
from attnlab.capture.recording import StoppedPass
from attnlab.capture.watch import observing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from attnlab.capture.feed import Feed
    from attnlab.capture.tokenized import Tokenized

KEPT = "The generated part is of the run's own prompt, not of the edited one."


@dataclass(eq=False)
class NotAgainError(Exception):
    """Why a call cannot be made again with a text.

    Attributes
    ----------
    code
        ``model``: of this model, with no text; ``long``: the text has too many tokens;
        ``unknown``: the call with this text is not known; ``failed``: tokenizer or model raised.
    why
        The cause and the way out, in sentences.
    """

    code: Literal["model", "long", "failed", "unknown"]
    why: str

    def __str__(self) -> str:
        return self.why


class Stopped(Exception):  # noqa: N818 - no fault
    """The call was broken off, since nobody wants it any more."""


@dataclass(frozen=True, eq=False)
class Again:
    """A call that was made again, and the tokenizer calls that fed it."""

    call: Call
    tokenized: list[Tokenized]


# Models of which a pass has changed buffers, and which.
_changing: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


def again(
    feed: Feed,
    texts: Sequence[Mapping[str, Any]],
    stop: Callable[[], bool],
    limit: int,
    names: Mapping[str, Any],
) -> Again:
    """Make a call again, on this thread, while no other calls the model.

    Parameters
    ----------
    feed
        How it was fed.
    texts
        For each of its tokenizer calls the arguments that are texts, by name.
    stop
        Polled meanwhile; once true, `Stopped` is raised within one module.
    limit
        Most tokens of a text.
    names
        The notebook's, read only, to find a tokenizer in.

    Raises
    ------
    NotAgainError
        Where it cannot be made.
    Stopped
        Once `stop` is true.
    """
    model = feed.model
    _check(feed, model)
    outcomes: list[Call | Refusal] = []
    prompt = feed.prompt
    observed = observing(outcomes.append, names, only=model, stop=stop, prompt=lambda: prompt)
    with contextlib.ExitStack() as stack:
        stack.enter_context(quiet())
        stack.enter_context(_unnoticed([own.tokenizer for own in feed.tokenized]))
        stack.enter_context(observed)
        try:
            tokenized = _tokenized(feed, texts)
            _check_length(feed, tokenized, limit)
            args, kwargs = feed.refed(tokenized)
            if stop():
                raise Stopped
            if prompt is not None:
                prompt += feed.lengthened(kwargs)
        except ValueError as error:
            raise NotAgainError("unknown", f"{_first_line(error)}; run the cell.") from None
        _pass(feed, model, args, kwargs)
    if not outcomes:
        raise NotAgainError("unknown", "The model did not call itself; run the cell.")
    outcome = outcomes[-1]
    if isinstance(outcome, Refusal):
        raise NotAgainError("failed", f"{outcome.title}. {outcome.cause}")
    if feed.prompt is not None:
        outcome = replace(outcome, notes=[*outcome.notes, KEPT])
    return Again(outcome, tokenized)


def _check(feed: Feed, model: Any) -> None:
    if model is None:
        raise NotAgainError("model", "The model is gone; run the cell.")
    if feed.refusal:
        raise NotAgainError("unknown", f"{feed.refusal[0].upper()}{feed.refusal[1:]}.")
    name = type(model).__name__
    if any(module.training for module in model.modules()):
        why = f"{name} is in training mode, in which each pass differs: call model.eval()."
        raise NotAgainError("model", why)
    if model in _changing:
        why = f"A pass of {name} changes it ({_changing[model]}), so it is made by running only."
        raise NotAgainError("model", why)
    try:
        replay.check(model)
    except replay.NotReplayableError as found:
        why = f"{str(found)[0].upper()}{str(found)[1:]}: remove them to see edits live."
        raise NotAgainError("model", why) from None


def _tokenized(feed: Feed, texts: Sequence[Mapping[str, Any]]) -> list[Tokenized]:
    try:
        return [own.again(new) for own, new in zip(feed.tokenized, texts, strict=True)]
    except Exception as error:
        raise NotAgainError("failed", f"The tokenizer failed: {_first_line(error)}") from error


def _check_length(feed: Feed, tokenized: Sequence[Tokenized], limit: int) -> None:
    length = feed.length(tokenized)
    if length > limit:
        why = f"The text has {length} tokens, more than the {limit} that are passed while typing"
        raise NotAgainError("long", f"{why}: run the cell, or raise the limit in the settings.")
    places = _places(feed.model)
    length += feed.written
    if places is not None and length > places:
        # On a GPU the failure would take the whole kernel's use of it along.
        why = f"The text has {length} tokens; {type(feed.model).__name__} has places for {places}"
        raise NotAgainError("long", f"{why}: shorten it.")


def _places(model: Any) -> int | None:
    """Count the positions that a model has learned; None where it computes them."""
    from torch.nn import Embedding

    config = getattr(model, "config", None)
    most = getattr(config, "max_position_embeddings", None)
    if not isinstance(most, int):
        return None
    tables = [
        own
        for own in model.modules()
        # Some tables have two rows before the first position.
        if isinstance(own, Embedding) and own.num_embeddings in (most, most + 2)
        if own is not model.get_input_embeddings()
    ]
    # Some count the positions from behind the one of padding.
    before = [0 if own.padding_idx is None else own.padding_idx + 1 for own in tables]
    return most - max(before) if before else None


def _pass(feed: Feed, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    import torch

    cast = contextlib.nullcontext() if feed.autocast is None else torch.autocast(*feed.autocast)
    # A device context would take modules off their fast path.
    plain = feed.device.type == "cpu"
    device = contextlib.nullcontext() if plain else feed.device
    try:
        # On its own path: what really running it would take.
        gradients = torch.set_grad_enabled(feed.gradients)
        with replay.unnoticed(model, None, plain=False) as changed, gradients, cast, device:
            model(*args, **kwargs)
    except StoppedPass:
        raise Stopped from None
    except Exception as error:
        raise NotAgainError("failed", f"The model failed: {_first_line(error)}") from error
    if changed:
        _changing[model] = ", ".join(sorted(set(changed))[:3])
        _check(feed, model)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextlib.contextmanager
def _unnoticed(tokenizers: Sequence[Any]) -> Iterator[None]:
    """Leave tokenizers as they are: a call keeps its truncation and padding in them."""
    kept = [
        (getattr(own, "deprecation_warnings", {}), getattr(own, "_tokenizer", None))
        for own in tokenizers
    ]
    said = [dict(warned) for warned, _ in kept]
    states = [
        backend and (backend.truncation, backend.padding, backend.encode_special_tokens)
        for _, backend in kept
    ]
    try:
        yield
    finally:
        for (warned, backend), before, state in zip(kept, said, states, strict=True):
            warned.clear()
            warned.update(before)
            if backend is not None and state is not None:
                _restore(backend, *state)


def _restore(backend: Any, truncation: Any, padding: Any, whole: bool) -> None:
    backend.encode_special_tokens = whole
    if truncation is None:
        backend.no_truncation()
    else:
        backend.enable_truncation(**truncation)
    if padding is None:
        backend.no_padding()
    else:
        backend.enable_padding(**padding)
