"""Positions of a trace's tokens in the text of its cell, and diagnostics about these tokens."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from attnlab.capture.feed.kept_arguments import GoneError
from attnlab.live.evaluation.names import string_keys
from attnlab.live.findings import Finding
from attnlab.live.texts.nested import texts_in
from attnlab.live.texts.origins import origins
from attnlab.live.texts.paths import node_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from attnlab.capture.feed.tokenized import Tokenized
    from attnlab.capture.record.sequence import Tokens
    from attnlab.live.cells.repeat import Repeat
    from attnlab.live.source.offsets import Range
    from attnlab.live.source.script import Script
    from attnlab.live.values.budget import Budget

NOWHERE = (-1, -1)
"""Range of a token that is not written in the cell."""

RENDERER = "the tokenizer of this conversation"
"""The tokenizer's name in evaluations; not a valid identifier, so no cell can use it."""

PAIRED = ("text", "text_pair")
"""Arguments whose texts the tokenizer joins."""

TEMPLATED = (
    "tools", "documents", "chat_template", "add_generation_prompt", "continue_final_message"
)  # fmt: skip
"""Options that determine how a chat template renders a conversation."""


@dataclass(frozen=True)
class TokenDiagnostic:
    """A message about how the tokenizer treated a range of a cell."""

    code: Literal["unknown-token", "truncated", "padded"]
    range: Range
    message: str


@dataclass(frozen=True)
class TokenPositions:
    """Ranges of the tokens of one batch item in the cell, and diagnostics.

    The range of a token that is not written in the cell is `NOWHERE`.
    """

    spans: list[Range]
    diagnostics: list[TokenDiagnostic]


def token_positions(
    script: Script,
    repeat: Repeat,
    item: int,
    tokens: Tokens,
    namespace: Mapping[str, Any],
    budget: Budget,
    generated: int | None = None,
) -> TokenPositions:
    """Find the positions of the tokens of a batch item.

    Parameters
    ----------
    script
        The current text of the cell.
    repeat
        The model call.
    item
        Index of the batch item.
    tokens
        The tokens of the text.
    namespace
        The kernel's namespace.
    budget
        Limits the evaluation of the cell's expressions.
    generated
        Index of the first token that ``generate`` added; None if it added none.
    """
    given = repeat.feed.text_of(item)
    characters = _characters(script, repeat, given, tokens.text or "", namespace, budget)
    spans = [_span(characters, token.start, token.end) for token in tokens.tokens]
    tokenizer = repeat.feed.tokenized[0].tokenizer
    diagnostics = _diagnostics(characters, spans, tokens, tokenizer, generated)
    return TokenPositions(spans, list(diagnostics))


def _characters(
    script: Script,
    repeat: Repeat,
    item: int,
    text: str,
    namespace: Mapping[str, Any],
    budget: Budget,
) -> list[Range | None]:
    """Find the origins of the characters of a text, or of both texts of a pair."""
    unknown: list[Range | None] = [None] * len(text)
    if not script.as_written or len(repeat.text_arguments) != 1 or repeat.feed.gone:
        return unknown
    (arguments,) = repeat.text_arguments
    call = node_at(script.tree, arguments.call)
    found: list[Range | None] = []
    nodes = {name: node_at(script.tree, path) for name, path in arguments.texts.items()}
    if "conversation" in nodes:
        tokenized = repeat.feed.tokenized[0]
        try:
            node = _rendering(nodes["conversation"], tokenized)  # type: ignore[arg-type]
        except GoneError:
            return unknown
        namespace = string_keys(namespace) | {RENDERER: tokenized.tokenizer}
        found = _origins(script, call, node, namespace, item, budget)  # type: ignore[arg-type]
    for name in PAIRED:
        node = nodes.get(name)  # type: ignore[assignment]
        if node is None:
            continue
        part = _origins(script, call, node, namespace, item, budget)  # type: ignore[arg-type]
        found += [None, *part] if found else part
    # If the lengths differ, the tokenizer has truncated, extended or rendered the text.
    return found if len(found) == len(text) else unknown


def _origins(
    script: Script,
    call: ast.Call,
    node: ast.expr,
    namespace: Mapping[str, Any],
    item: int,
    budget: Budget,
) -> list[Range | None]:
    def select(value: Any) -> str:
        texts = texts_in(value)
        return texts[item] if isinstance(value, list) and item < len(texts) else texts[0]

    try:
        return origins(script.code, script.tree, call, node, namespace, select, budget)
    except (Finding, IndexError):
        return []


def _rendering(conversation: ast.expr, tokenized: Tokenized) -> ast.expr:
    """Create a call that renders the text of a conversation that was tokenized directly."""
    given_options = tokenized.options
    options = {name: given_options[name] for name in TEMPLATED if name in given_options} | {
        "tokenize": False
    }
    method = ast.Attribute(ast.Name(RENDERER, ast.Load()), "apply_chat_template", ast.Load())
    keywords = [ast.keyword(name, ast.Constant(value)) for name, value in options.items()]
    return ast.Call(method, [conversation], keywords)


def _span(characters: Sequence[Range | None], start: int, end: int) -> Range:
    """Find the range of some characters; `NOWHERE` if none of them is written in the cell."""
    selected = characters[max(0, start) : max(0, end)]
    known = [origin for origin in selected if origin is not None]
    # Characters that the cell reorders have no contiguous range.
    return (known[0][0], known[-1][1]) if known and known == sorted(known) else NOWHERE


def _diagnostics(
    characters: Sequence[Range | None],
    spans: Sequence[Range],
    tokens: Tokens,
    tokenizer: Any,
    generated: int | None,
) -> Iterator[TokenDiagnostic]:
    unknown = getattr(tokenizer, "unk_token_id", None)
    for token, span in zip(tokens.tokens, spans, strict=True):
        if token.id == unknown and span != NOWHERE:
            message = f"Not in the tokenizer's vocabulary: the model reads {token.piece} instead."
            yield TokenDiagnostic("unknown-token", span, message)
    text = tokens.text or ""
    read_until = max((token.end for token in tokens.tokens), default=0)
    truncated = [origin for origin in characters[read_until:] if origin is not None]
    if text[read_until:].strip() and truncated and read_until:
        message = "The tokenizer has truncated this text: the model does not read it."
        yield TokenDiagnostic("truncated", (truncated[0][0], truncated[-1][1]), message)
    padding = sum(token.padding for token in tokens.tokens[:generated])
    written = [origin for origin in characters if origin is not None]
    if padding and written:
        count = "1 token" if padding == 1 else f"{padding} tokens"
        message = f"Padded with {count} that all other tokens ignore."
        yield TokenDiagnostic("padded", (written[0][0], written[-1][1]), message)
