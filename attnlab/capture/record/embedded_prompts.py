"""Names the tokens of a text that begins with embeddings, and that ``generate`` continued."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnlab.capture.record.patches import positions
from attnlab.capture.record.sequence import Sequence, Tokens
from attnlab.capture.tokens.encodings import described

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.capture.feed.model_inputs import ModelInputs

BY_POSITION = "generate() was given embeddings: the prompt is shown by position."


def embedded_sequence(
    inputs: ModelInputs,
    tokenizer_of: Callable[[list[int]], Any | None],
    name: str,
    notes: list[str],
) -> Sequence:
    """Return the positions of the prompt, and the generated tokens after it.

    Parameters
    ----------
    inputs
        Of the call, with the ids that were generated.
    tokenizer_of
        Returns the tokenizer of some ids; None if it is unknown.
    name
        Name of the sequence.
    notes
        Gets what a reader must know.
    """
    items = []
    for index, row in enumerate(inputs.written or []):
        tokens, note = described(row, tokenizer_of(row))
        notes += [note] if note and note not in notes else []
        whole = [*positions(inputs.prompt or 0), *tokens]
        items.append(Tokens(inputs.padded(whole, index, name)))
    notes.append(BY_POSITION)
    return Sequence(name, items)
