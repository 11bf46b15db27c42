"""What a person does with a panel and sees in it."""

from __future__ import annotations

import base64
import json
from array import array
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import FloatRect, Locator, Page

FOX = ["[CLS]", "the", "quick", "brown", "fox", "jumps", "over", "the", "dog", "[SEP]"]


@dataclass
class Pixels:
    """What a canvas shows."""

    width: int
    height: int
    data: bytes

    def at(self, y: int, x: int) -> tuple[int, ...]:
        """Red, green, blue and opacity of a pixel."""
        start = 4 * (y * self.width + x)
        return tuple(self.data[start : start + 4])

    def light(self, y: int, x: int) -> int:
        """Sum of a pixel's colors, from 0 for black to 765 for white."""
        return sum(self.at(y, x)[:3])


def box_of(locator: Locator) -> FloatRect:
    """Where an element is seen."""
    box = locator.bounding_box()
    assert box is not None
    return box


class Panel:
    """A page that holds one panel and a fake kernel (`tests/web/fake.ts`)."""

    def __init__(self, page: Page) -> None:
        self.page = page

    # --- the kernel -------------------------------------------------------------------

    def attach(self) -> None:
        """Connect the panel to the kernel, and let it subscribe."""
        self.page.evaluate("lab.state.session.attach(lab.kernel)")
        self.page.wait_for_function("lab.kernel.subscription !== null")

    def run(self, words: list[str] | None = None, **shape: Any) -> None:
        """Run a cell whose model read these words."""
        options = {key: shape.pop(key) for key in ("lost", "bare") if key in shape}
        self.page.evaluate(
            "([shape, options]) => lab.kernel.run(shape, options)",
            [{"words": words or FOX, **shape}, options],
        )

    def show(self, words: list[str] | None = None, **shape: Any) -> None:
        """Attach, run, and wait until the head is drawn from exact weights."""
        self.attach()
        self.run(words, **shape)
        self.exact()

    def exact(self) -> None:
        """Wait until the head view's numbers are the kernel's own."""
        self.page.wait_for_selector(".attnlab-head[data-exact=true]")

    def select(self, **parts: Any) -> None:
        """Set parts of the selection from Python."""
        self.page.evaluate("parts => lab.kernel.select(parts)", parts)

    def weights(self, site: int, head: int, item: int = 0) -> array[float]:
        """All weights of a head, row by row, as the kernel holds them."""
        script = "place => lab.base64(lab.weights(...place))"
        return array("f", base64.b64decode(self.page.evaluate(script, [site, head, item])))

    def requests(self, method: str = "") -> int:
        """How many requests the kernel has had."""
        script = "method => lab.kernel.log.filter(e => e.method.startsWith(method)).length"
        return self.page.evaluate(script, method)

    # --- what is seen -----------------------------------------------------------------

    def find(self, name: str, index: int | None = None) -> Locator:
        """Elements by their test id, and by a token's index."""
        at = "" if index is None else f'[data-index="{index}"]'
        return self.page.locator(f'[data-testid="attnlab-{name}"]{at}')

    def thumb(self, site: int, head: int) -> Locator:
        """One head in the model view."""
        where = f'[data-site="{site}"][data-head="{head}"]'
        return self.page.locator(f'[data-testid="attnlab-thumb"]{where}')

    def printed(self) -> dict[int, float]:
        """Key → weight, as the head view holds them beside its keys."""
        script = "all => all.map(e => [Number(e.dataset.index), e.dataset.value])"
        return {i: float(value) for i, value in self.find("weight").evaluate_all(script)}

    def focus(self) -> dict[str, Any]:
        """Read the selection as it would be stored."""
        return json.loads(self.page.evaluate("JSON.stringify(lab.state.selection)"))

    def status(self) -> str:
        """Kind of the status."""
        return self.find("status").get_attribute("data-kind") or ""

    def pixels(self, selector: str) -> Pixels:
        """Read a canvas, by a copy: reading a canvas itself makes the browser complain."""
        width, height, data = self.page.eval_on_selector(
            selector,
            """canvas => {
              const { width, height } = canvas;
              const copy = new OffscreenCanvas(width, height);
              const context = copy.getContext('2d', { willReadFrequently: true });
              context.drawImage(canvas, 0, 0);
              const { data } = context.getImageData(0, 0, width, height);
              return [width, height, lab.base64(data)];
            }""",
        )
        return Pixels(width, height, base64.b64decode(data))

    def layer(self, site: int) -> Pixels:
        """Read the thumbnails of a layer, or of the line with its first head, without space."""
        width, height, data = self.page.evaluate(
            """site => {
              const picture = document.querySelector('.attnlab-model-picture');
              const row = document.querySelector(`.attnlab-heads:has([data-site="${site}"])`);
              const [own, all] = [row, picture].map(e => e.getBoundingClientRect());
              const scale = picture.width / all.width;
              const cells = [...row.querySelectorAll('.attnlab-thumb')];
              const { right, height: side } = cells.at(-1).getBoundingClientRect();
              const [width, height] = [right - own.left, side].map(at => Math.round(at * scale));
              const [x, y] = [own.left - all.left, own.top - all.top];
              const copy = new OffscreenCanvas(width, height);
              const context = copy.getContext('2d', { willReadFrequently: true });
              context.drawImage(picture, -Math.round(x * scale), -Math.round(y * scale));
              const { data } = context.getImageData(0, 0, width, height);
              return [width, height, lab.base64(data)];
            }""",
            site,
        )
        return Pixels(width, height, base64.b64decode(data))

    def spots(self, selector: str, places: list[tuple[int, int]]) -> list[tuple[int, ...]]:
        """Red, green, blue and opacity of a canvas at some places (y, x)."""
        found = self.page.eval_on_selector(
            selector,
            """(canvas, places) => {
              const { width, height } = canvas;
              const copy = new OffscreenCanvas(width, height);
              const context = copy.getContext('2d', { willReadFrequently: true });
              context.drawImage(canvas, 0, 0);
              const { data } = context.getImageData(0, 0, width, height);
              const at = places.map(([y, x]) => 4 * (y * width + x));
              return at.map(start => [...data.slice(start, start + 4)]);
            }""",
            places,
        )
        return [tuple(spot) for spot in found]

    def rest(self) -> None:
        """Wait until no timer of the page is pending, and the last frame is drawn."""
        self.page.wait_for_function("timers.size === 0")
        self.frame()

    def frame(self) -> None:
        """Wait for one frame to be drawn."""
        self.page.evaluate(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
