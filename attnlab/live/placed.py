"""Where the tokens of a trace stand in the text of its cell, and what is to be said of them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from attnlab.live.edits import at
from attnlab.live.expressions import Unknown
from attnlab.live.leaves import leaves
from attnlab.live.origins import origins

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from attnlab.capture.sequence import Tokens
    from attnlab.capture.tokenized import Tokenized
    from attnlab.live.document import Repeat
    from attnlab.live.offsets import Range
    from attnlab.live.script import Script

NOWHERE = (-1, -1)

RENDERER = "the tokenizer of this conversation"
"""A name that no cell can use."""

PAIRED = ("text", "text_pair")

TEMPLATED = (
    "tools", "documents", "chat_template", "add_generation_prompt", "continue_final_message"
)  # fmt: skip
"""Options that decide what a chat template makes of a conversation."""


@dataclass(frozen=True)
class Remark:
    """What the tokenizer made of a place in a cell."""

    code: Literal["unknown-token", "truncated", "padded"]
    place: Range
    message: str


@dataclass(frozen=True)
class Placed:
    """One item of a trace in its cell: a range for each token, and what is to be said."""

    spans: list[Range]
    remarks: list[Remark]


def placed(
    script: Script, repeat: Repeat, item: int, tokens: Tokens, held: Mapping[str, Any]
) -> Placed:
    """Find the characters of an item's tokens.

    Parameters
    ----------
    script
        The cell as it is now.
    repeat
        The model call.
    item
        Which text of its batch.
    tokens
        What became of the text.
    held
        The kernel's namespace.
    """
    characters = _characters(script, repeat, item, tokens.text or "", held)
    spans = [_span(characters, token.start, token.end) for token in tokens.tokens]
    tokenizer = repeat.feed.tokenized[0].tokenizer
    return Placed(spans, list(_remarks(characters, spans, tokens, tokenizer)))


def _characters(
    script: Script, repeat: Repeat, item: int, text: str, held: Mapping[str, Any]
) -> list[Range | None]:
    """Find where the characters of a text, or of the two of a pair, are written."""
    nowhere: list[Range | None] = [None] * len(text)
    if not script.as_written or len(repeat.wordings) != 1:
        return nowhere
    (wording,) = repeat.wordings
    call = at(script.tree, wording.call)
    found: list[Range | None] = []
    nodes = {name: at(script.tree, path) for name, path in wording.texts.items()}
    if "conversation" in nodes:
        tokenized = repeat.feed.tokenized[0]
        node = _rendering(nodes["conversation"], tokenized)  # type: ignore[arg-type]
        held = {**held, RENDERER: tokenized.tokenizer}
        found = _origins(script, call, node, held, item)  # type: ignore[arg-type]
    for name in PAIRED:
        node = nodes.get(name)  # type: ignore[assignment]
        if node is None:
            continue
        own = _origins(script, call, node, held, item)  # type: ignore[arg-type]
        found += [None, *own] if found else own
    # A text that was cut, lengthened or made of a template is none of those written.
    return found if len(found) == len(text) else nowhere


def _origins(
    script: Script, call: ast.Call, node: ast.expr, held: Mapping[str, Any], item: int
) -> list[Range | None]:
    def leaf(value: Any) -> str:
        texts = leaves(value)
        return texts[item] if isinstance(value, list) and item < len(texts) else texts[0]

    try:
        return origins(script.code, script.tree, call, node, held, leaf)
    except (Unknown, IndexError):
        return []


def _rendering(conversation: ast.expr, tokenized: Tokenized) -> ast.expr:
    """Write the call that gives the text of a conversation, which was tokenized at once."""
    given = tokenized.bound.arguments
    options = {name: given[name] for name in TEMPLATED if name in given} | {"tokenize": False}
    method = ast.Attribute(ast.Name(RENDERER, ast.Load()), "apply_chat_template", ast.Load())
    keywords = [ast.keyword(name, ast.Constant(own)) for name, own in options.items()]
    return ast.Call(method, [conversation], keywords)


def _span(characters: Sequence[Range | None], start: int, end: int) -> Range:
    """Find the range of some characters; nowhere where none of them is written."""
    known = [own for own in characters[max(0, start) : max(0, end)] if own is not None]
    # Characters that were put in another order stand at no one place.
    return (known[0][0], known[-1][1]) if known and known == sorted(known) else NOWHERE


def _remarks(
    characters: Sequence[Range | None], spans: Sequence[Range], tokens: Tokens, tokenizer: Any
) -> Iterator[Remark]:
    unknown = getattr(tokenizer, "unk_token_id", None)
    for token, span in zip(tokens.tokens, spans, strict=True):
        if token.id == unknown and span != NOWHERE:
            why = f"The vocabulary does not know this: the model reads {token.piece}."
            yield Remark("unknown-token", span, why)
    text = tokens.text or ""
    read = max((token.end for token in tokens.tokens), default=0)
    cut = [own for own in characters[read:] if own is not None]
    if text[read:].strip() and cut and read:
        place = (cut[0][0], cut[-1][1])
        why = "The tokenizer has cut this off: the model does not read it."
        yield Remark("truncated", place, why)
    padding = sum(token.padding for token in tokens.tokens)
    written = [own for own in characters if own is not None]
    if padding and written:
        place = (written[0][0], written[-1][1])
        count = "1 token" if padding == 1 else f"{padding} tokens"
        yield Remark("padded", place, f"Padded with {count} that all others ignore.")
