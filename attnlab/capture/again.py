"""Repeats a model call with other texts, without effects on the user's notebook."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from attnlab.capture.feed.kept_arguments import GoneError
from attnlab.capture.isolation.isolated_model import IsolatedModel, NotIsolatedError
from attnlab.capture.isolation.random_generators import RandomGenerators
from attnlab.capture.isolation.silenced_output import silenced
from attnlab.capture.passes import replay
from attnlab.capture.passes.call_recording import StoppedPass
from attnlab.capture.record.clauses import capitalized
from attnlab.capture.record.recorded_call import RecordedCall, Refusal
from attnlab.capture.watch import observing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from attnlab.capture.feed.feed import Feed
    from attnlab.capture.feed.tokenized import Tokenized

KEPT = (
    "The generated tokens are those of the original prompt, and have no rows: they are not "
    "generated again for the edited one."
)


@dataclass(eq=False)
class NotAgainError(Exception):
    """The reason why a call cannot be repeated with a text.

    Attributes
    ----------
    code
        ``model``: this model cannot be called with any text; ``long``: the text has too many
        tokens; ``unknown``: the arguments for this text cannot be determined; ``failed``: the
        tokenizer or the model raised an exception.
    why
        The cause and what to do about it, in sentences.
    """

    code: Literal["model", "long", "failed", "unknown"]
    why: str

    def __str__(self) -> str:
        return self.why


class Stopped(Exception):  # noqa: N818 - not an error
    """The call was stopped because its result is no longer needed."""


@dataclass(frozen=True, eq=False)
class Again:
    """A repeated call, and the tokenizer calls that produced its arguments."""

    call: RecordedCall
    tokenized: list[Tokenized]


def again(
    feed: Feed,
    texts: Sequence[Mapping[str, Any]],
    stop: Callable[[], bool],
    limit: int,
    names: Mapping[str, Any],
) -> Again:
    """Repeat a call on this thread, with copies of the model and of the tokenizers.

    Parameters
    ----------
    feed
        Where the arguments of the original call came from.
    texts
        For each of its tokenizer calls, the text arguments by name.
    stop
        Polled before each module of the model; once it returns True, `Stopped` is raised.
    limit
        Maximum number of tokens of a text.
    names
        The notebook's global names, read only, to find a tokenizer in.

    Raises
    ------
    NotAgainError
        If the call cannot be repeated.
    Stopped
        Once `stop` returns True.
    """
    model = feed.model
    _check(feed, model)
    outcomes: list[RecordedCall | Refusal] = []
    prompt = feed.prompt
    generators = RandomGenerators()
    try:
        with silenced(generators):
            isolated = IsolatedModel(model, generators)
            observed = observing(
                outcomes.append,
                names,
                only=isolated.model,
                stop=stop,
                prompt=lambda: prompt,
                isolated=isolated,
            )
            with observed:
                try:
                    tokenized = _tokenized(feed, texts, isolated)
                    _check_length(feed, tokenized, limit)
                    args, kwargs = isolated.copied(feed.refed(tokenized))
                    if stop():
                        raise Stopped
                    if prompt is not None:
                        prompt += feed.lengthened(kwargs)
                except ValueError as error:
                    why = f"{capitalized(_first_line(error))}; run the cell."
                    raise NotAgainError("unknown", why) from None
                _pass(feed, isolated, args, kwargs)
    except NotIsolatedError as error:
        name = type(model).__name__
        why = f"{name} cannot be run without side effects ({error}): run the cell."
        raise NotAgainError("model", why) from None
    if not outcomes:
        raise NotAgainError("unknown", "No call of the model was recorded; run the cell.")
    outcome = outcomes[-1]
    if isinstance(outcome, Refusal):
        raise NotAgainError("failed", f"{outcome.title}. {outcome.cause}")
    if feed.prompt is not None:
        from attnlab.capture.generate.prompt_pass import with_stale_tokens

        outcome = with_stale_tokens(outcome, feed.written)
        outcome = replace(outcome, notes=[*outcome.notes, KEPT])
    return Again(outcome, tokenized)


def _check(feed: Feed, model: Any) -> None:
    if feed.gone:
        raise NotAgainError("model", feed.gone)
    if feed.refusal:
        raise NotAgainError("unknown", f"{capitalized(feed.refusal)}.")
    name = type(model).__name__
    if any(module.training for module in model.modules()):
        why = f"{name} is in training mode, where each pass differs: call model.eval()."
        raise NotAgainError("model", why)
    try:
        replay.check(model)
    except replay.NotReplayableError as found:
        why = f"{capitalized(str(found))}: remove them to update while typing."
        raise NotAgainError("model", why) from None


def _tokenized(
    feed: Feed, texts: Sequence[Mapping[str, Any]], isolated: IsolatedModel
) -> list[Tokenized]:
    try:
        return [
            call.again(new, isolated.copied(call.tokenizer))
            for call, new in zip(feed.tokenized, texts, strict=True)
        ]
    except GoneError:
        raise
    except Exception as error:
        raise NotAgainError("failed", f"The tokenizer failed: {_first_line(error)}") from error


def _check_length(feed: Feed, tokenized: Sequence[Tokenized], limit: int) -> None:
    length = feed.length(tokenized)
    if length > limit:
        why = f"The text has {length} tokens, more than the limit of {limit} while typing"
        raise NotAgainError("long", f"{why}: run the cell, or raise the limit in the settings.")
    positions = _places(feed.model)
    length += len(feed.written[0]) if feed.written else 0
    if positions is not None and length > positions:
        # On a GPU, the failure would make the device unusable for the whole kernel.
        name = type(feed.model).__name__
        why = f"The text has {length} tokens; {name} has only {positions} positions"
        raise NotAgainError("long", f"{why}: shorten it.")


def _places(model: Any) -> int | None:
    """Return the number of positions that a model has learned; None if it computes them."""
    from torch.nn import Embedding

    config = getattr(model, "config", None)
    most = getattr(config, "max_position_embeddings", None)
    if not isinstance(most, int):
        return None
    tables = [
        table
        for table in model.modules()
        # Some embedding tables have two rows before the first position.
        if isinstance(table, Embedding) and table.num_embeddings in (most, most + 2)
        if table is not model.get_input_embeddings()
    ]
    # Some models count positions from the one after the padding position.
    before = [0 if table.padding_idx is None else table.padding_idx + 1 for table in tables]
    return most - max(before) if before else None


def _pass(
    feed: Feed, isolated: IsolatedModel, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    import torch

    cast = contextlib.nullcontext() if feed.autocast is None else torch.autocast(*feed.autocast)
    # A device context would disable the fast path of modules.
    plain = feed.device.type == "cpu"
    device = contextlib.nullcontext() if plain else feed.device
    try:
        # `plain=False`: the pass takes the same code path as running the cell would.
        gradients = torch.set_grad_enabled(feed.gradients)
        with replay.unnoticed(isolated, plain=False), gradients, cast, device:
            isolated.model(*args, **kwargs)
    except StoppedPass:
        raise Stopped from None
    except Exception as error:
        raise NotAgainError("failed", f"The model failed: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
