"""Limits for the texts that are tokenized while typing.

The number of tokens is known only after tokenization, which takes half a second for a million
characters, cannot be interrupted, and would run at every keystroke.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.capture.feed.kept_arguments import GoneError
from attnlab.live.findings import Finding, NotComputedError, TooLongError
from attnlab.live.templates.tokenizers import is_library_tokenizer, render_conversation
from attnlab.live.texts.nested import texts_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from attnlab.capture.feed.feed import Feed
    from attnlab.capture.feed.tokenized import Tokenized
    from attnlab.live.values.budget import Budget

LONGEST = 1 << 17
"""Most characters of all texts of one model call, and of a cell."""

MOST = 256
"""Most texts of one tokenizer call, unless it had more when the cell ran."""


def check_length(characters: int, what: str) -> None:
    """Check a number of characters; `what` is the subject and verb of the error message.

    Raises
    ------
    TooLongError
        If there are too many.
    """
    if characters > LONGEST:
        raise TooLongError(
            f"{what} {characters:,} characters, more than the limit of {LONGEST:,} while typing"
        )


def check_texts(feed: Feed, texts: Sequence[Mapping[str, Any]], budget: Budget) -> None:
    """Check the number and length of texts, and the length of rendered chat templates.

    Parameters
    ----------
    feed
        The inputs of the model call.
    texts
        The text arguments of each of its tokenizer calls, by name.
    budget
        Budget for rendering chat templates.

    Raises
    ------
    Finding
        If a limit is exceeded, or a chat template cannot be rendered.
    """
    found = [[text for value in new.values() for text in texts_in(value)] for new in texts]
    check_length(sum(len(text) for part in found for text in part), "the texts have")
    for tokenized, part in zip(feed.tokenized, found, strict=True):
        before = sum(len(texts_in(text)) for text in tokenized.texts.values())
        if len(part) > max(MOST, before):
            raise TooLongError(
                f"{len(part):,} texts are more than the limit of {MOST} while typing"
            )
    for tokenized, new in zip(feed.tokenized, texts, strict=True):
        if tokenized.method == "apply_chat_template" and is_library_tokenizer(tokenized.tokenizer):
            check_length(_rendered(tokenized, new, budget), "the conversation is rendered as")


def _rendered(tokenized: Tokenized, new: Mapping[str, Any], budget: Budget) -> int:
    """Render a conversation within the budget, and count its characters."""
    try:
        given = {**tokenized.options, **new}
    except GoneError:  # the call itself reports it
        return 0
    options = given.pop("kwargs", {})
    given |= {"tokenize": False, "return_assistant_tokens_mask": False}
    given.pop("sanitize_control_tokens", None)
    try:
        text = render_conversation(tokenized.tokenizer, (), {**given, **options}, budget)
    except NotComputedError as found:
        raise Finding(found.why) from None
    except Exception:  # noqa: BLE001 - the call itself reports it
        return 0
    return sum(map(len, texts_in(text)))
