"""Labels and tokenizers that the user gave for a watched model."""

from __future__ import annotations

import pytest
import torch

from tests.unit.notebook import Notebook
from tests.unit.tiny_models import gpt2


@pytest.fixture
def notebook():
    notebook = Notebook()
    notebook.names.update({"model": gpt2().model(), "ids": torch.tensor([[40, 41]])})
    yield notebook
    notebook.close()


class Characters:
    def decode(self, ids):
        return "".join(map(chr, ids))


def shown(notebook, code="model(ids)"):
    """Run an untagged cell; return the tokens of its newest trace."""
    assert notebook.cell(code, tags=()) is None
    return [token.text for token in notebook.session.newest().sequences[0].items[0].tokens]


def test_every_cell_shows_the_labels(notebook):
    notebook.cells.models.add(notebook.names["model"], tokens=["a", "b"])
    assert shown(notebook) == ["a", "b"]
    assert shown(notebook, "model(ids + 1)") == ["a", "b"]


def test_a_cell_with_other_positions_shows_a_note(notebook):
    notebook.cells.models.add(notebook.names["model"], tokens=["a"])
    assert shown(notebook) == ["40", "41"]
    assert (
        "tokens= has 1 label, and this call has 2 positions" in notebook.session.newest().notes[-1]
    )


def test_a_tokenizer_of_another_library_names_the_tokens(notebook):
    notebook.cells.models.add(notebook.names["model"], Characters())
    assert shown(notebook) == ["(", ")"]


def test_watching_again_replaces_the_labels(notebook):
    model = notebook.names["model"]
    notebook.cells.models.add(model, tokens=["a", "b"])
    notebook.cells.models.add(model, Characters())
    assert shown(notebook) == ["(", ")"]


def test_values_that_are_not_labels_are_refused(notebook):
    with pytest.raises(TypeError, match="takes a list of strings"):
        notebook.cells.models.add(notebook.names["model"], tokens="ab")
    assert len(notebook.cells.models) == 0
