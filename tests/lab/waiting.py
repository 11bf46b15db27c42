"""Waits in a page that end: what a page never does fails the test, and the error names it."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

DEADLINE = 120_000
"""Milliseconds. Longer than an import of a model's packages takes on a loaded machine, and
shorter than the limit of a test, which ends the worker without naming the cause."""


def evaluate(page: Page, function: str, arg: Any = None, *, what: str, within: int = 0) -> Any:
    """Call an async function in the page and return what it resolves with.

    playwright itself waits for a promise without a limit.

    Parameters
    ----------
    function
        An expression of JavaScript; called with `arg`.
    what
        What the function does, for the error.
    within
        Milliseconds; `DEADLINE` if 0.

    Raises
    ------
    playwright.sync_api.Error
        If the promise rejects, or is not settled in time.
    """
    return page.evaluate(
        f"""async ([arg, what, within]) => {{
          let timer;
          const late = new Promise((_, reject) => {{
            const message = `${{what}} took longer than ${{within / 1000}} s`;
            timer = setTimeout(() => reject(new Error(message)), within);
          }});
          try {{
            return await Promise.race([({function})(arg), late]);
          }} finally {{
            clearTimeout(timer);
          }}
        }}""",
        [arg, what, within or DEADLINE],
    )
