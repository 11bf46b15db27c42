"""The panel while `generate()` runs in a tagged cell: it shows the tokens so far, and says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.lab.jupyter import Server
from tests.lab.lab import Lab
from tests.lab.quickstart import SETUP, status

MODEL = """import pathlib, time, torch
from transformers import LlamaConfig, LlamaForCausalLM, StoppingCriteria
sizes = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2)
lm = LlamaForCausalLM(LlamaConfig(vocab_size=tokenizer.vocab_size, **sizes)).eval()
enough = pathlib.Path({enough!r})

class Slow(StoppingCriteria):
    def __call__(self, ids, scores, **_):
        time.sleep(0.2)
        return torch.full((ids.shape[0],), enough.exists())"""
GENERATE = """inputs = tokenizer("{prompt}", return_tensors="pt", add_special_tokens=False)
output = lm.generate(inputs.input_ids, max_new_tokens=2000, do_sample=False, eos_token_id=None,
                     pad_token_id=0, stopping_criteria=[Slow()])"""
SO_FAR = re.compile(r"^generate\(\) is running: (\d+) of its tokens so far\.$")
PROMPT = 2
COUNTS = """panel => [panel.querySelector('.attnlab-notice').innerText.match(/\\d+/)?.[0],
  panel.querySelectorAll('[data-testid="attnlab-token"]').length]"""


@pytest.fixture
def enough(server: Server) -> Path:
    """A file that ends the generation."""
    path = server.folder / "enough"
    path.unlink(missing_ok=True)
    return path


@pytest.fixture
def page(shared: Lab, enough: Path) -> Lab:
    """A notebook with a language model that is slow until a file exists."""
    page = shared.show_panel()
    page.run(SETUP)
    page.run(page.add(MODEL.format(enough=str(enough))))
    return page


def notice(page: Lab) -> Locator:
    """What the panel says above its views."""
    return page.panel.locator(".attnlab-notice")


def sees_progress(page: Lab) -> int:
    """Wait until a running call is shown, and return how many of its tokens are."""
    expect(notice(page)).to_have_text(SO_FAR)
    expect(notice(page)).to_have_attribute("data-kind", "running")
    expect(page.one("status")).to_have_attribute("data-kind", "running")
    expect(status(page)).to_have_text("Attention: running")
    expect(status(page)).to_have_attribute("title", SO_FAR)
    expect(page.panel.locator("[data-stale]")).to_have_count(0)
    said, shown = page.panel.evaluate(COUNTS)
    assert int(said) == shown - PROMPT
    return int(said)


def sees_end(page: Lab) -> None:
    """Wait until the panel shows a call that has returned as usual."""
    expect(status(page)).to_contain_text("Attention: live")
    expect(page.one("status")).to_have_attribute("data-kind", "live")
    expect(notice(page)).to_have_count(0)
    expect(page.panel.locator("[data-stale]")).to_have_count(0)


def test_a_running_generate_is_shown_as_running_in_every_run(page: Lab, enough: Path) -> None:
    cell = page.add(GENERATE.format(prompt="one two"), ["attention"])
    for prompt in ("one two", "three four"):
        page.write(cell, GENERATE.format(prompt=prompt))
        page.run(cell, wait=False)
        count = sees_progress(page)
        expect(notice(page)).not_to_contain_text(f" {count} of its tokens")
        assert sees_progress(page) > count
        enough.touch()
        sees_end(page)
        assert page.tokens()[:PROMPT] == prompt.split()
        enough.unlink()


def test_a_generate_that_is_interrupted_is_not_shown_as_running(page: Lab) -> None:
    cell = page.add(GENERATE.format(prompt="one two"), ["attention"])
    page.run(cell, wait=False)
    sees_progress(page)
    page.do("notebook:interrupt-kernel")
    page.says("generate() did not return: these are the steps before it ended.")
    expect(page.one("status")).to_have_attribute("data-kind", "ready")
    expect(notice(page)).to_contain_text("It was interrupted.")
    expect(page.panel.locator("[data-stale]")).to_have_count(0)
