"""Texts that ``generate`` returned for one prompt are located at this prompt in the cell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.unit.feeding import decoder, tokenizer
from tests.unit.notebook import Notebook

HOW = "max_new_tokens=2, eos_token_id=None, num_beams=2, num_return_sequences=2"
# Prompts of one length, so that only their order tells them apart.
CELL = f'writer.generate(tok(["the cat", "the dog"], return_tensors="pt").input_ids, {HOW})'


@pytest.fixture
def notebook() -> Iterator[Notebook]:
    it = Notebook()
    it.names.update({"torch": torch, "tok": tokenizer(), "writer": decoder()})
    it.initialize()
    yield it
    it.close()


def words(notebook: Notebook, text: str) -> list[list[str]]:
    """Return the parts of the cell that the newest traces' tokens are located at, by item."""
    sources = [params["source"] for params, _ in notebook.pushes() if params.get("source")]
    return [
        [
            text[start:end]
            for start, end in zip(origin["spans"][::2], origin["spans"][1::2], strict=True)
            if start >= 0
        ]
        for origin in sources[-1]["origins"]
    ]


def test_each_returned_text_is_located_at_its_own_prompt(notebook: Notebook) -> None:
    assert notebook.cell(CELL) is None
    found = words(notebook, CELL)
    assert found == [["the", "cat"]] * 2 + [["the", "dog"]] * 2


def test_an_edited_prompt_is_live_for_each_returned_text(notebook: Notebook) -> None:
    notebook.cell(CELL)
    result = notebook.edit(CELL.replace("the cat", "a cat"))["result"]
    assert result["live"]
    assert not result["diagnostics"]
