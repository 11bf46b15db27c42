"""What tests do with the quickstart: run its tagged cell, edit it, look at its editor."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.lab.lab import Lab

SETUP, CELL, PAIR = 1, 2, 4
FOX = "the quick brown fox jumps over the lazy dog"
FOX_TOKENS = ["[CLS]", *FOX.split(), "[SEP]"]
SOURCE = "panel.content.widgets[arg].model.sharedModel.getSource()"


def cell_with(text: str) -> str:
    """Return a cell that passes a text through the quickstart's model."""
    return f'outputs = model(**tokenizer({text!r}, return_tensors="pt"))'


def run_sentence(page: Lab) -> Lab:
    """Run the first tagged cell, and wait until the panel shows it."""
    page.run(SETUP)
    page.run(CELL)
    # A kernel that several tests share has traces of earlier notebooks, which a new panel shows
    # until the first run. The status is that of this cell only.
    expect(status(page)).to_contain_text("live")
    page.sees_tokens(len(FOX_TOKENS))
    return page


def sentence_runs(page: Lab) -> Lab:
    """Open the notebook and run its first tagged cell."""
    return run_sentence(page.open())


def caret(page: Lab, before: str) -> None:
    """Put the caret into the cell's editor, before the first such word."""
    page.notebook(
        """(() => {
          const { editor, model } = panel.content.widgets[arg[0]];
          editor.focus();
          const at = model.sharedModel.getSource().indexOf(arg[1]);
          editor.setCursorPosition(editor.getPositionAt(at));
        })()""",
        [CELL, before],
    )


def editor(page: Lab) -> Locator:
    """The editor of the tagged cell in the visible notebook."""
    notebook = page.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    return notebook.locator(".jp-Cell").nth(CELL).locator(".cm-content")


def replace(page: Lab, old: str, new: str) -> None:
    """Edit the cell's text otherwise than by the keyboard, as a paste does."""
    page.write(CELL, str(page.notebook(SOURCE, CELL)).replace(old, new))


def status(page: Lab) -> Locator:
    """How far the views are with the active cell, as the status bar says it."""
    return page.page.locator(".attnlab-status-item")


def stale(page: Lab) -> Locator:
    """The mark of a picture that is not of the text that the editor shows."""
    return page.panel.locator("[data-stale]")
