"""A signal of JupyterLab that a test waits for: connected before the cause, awaited after it."""

from __future__ import annotations

from playwright.sync_api import JSHandle, Page

CONNECT = """([signal, within]) => {
  const { sessionContext } = [...window.jupyterapp.shell.widgets('main')]
    .find(widget => widget.isVisible && widget.content?.widgets);
  const passes = PASSES;
  let last = 'nothing';
  const emitted = sessionContext[signal];
  let listen;
  const seen = new Promise(done => {
    listen = (_, value) => {
      last = value?.header?.msg_type ?? String(value);
      if (passes(value)) {
        done();
      }
    };
    emitted.connect(listen);
  });
  const wait = async () => {
    let timer;
    const late = new Promise((_, reject) => {
      const fail = () => reject(new Error(
        `No ${signal} passed ${passes} within ${within / 1000} s; the last was ${last}.`
      ));
      timer = setTimeout(fail, within);
    });
    try {
      await Promise.race([seen, late]);
    } finally {
      clearTimeout(timer);
      emitted.disconnect(listen);
    }
  };
  return { wait };
}"""


def connect(page: Page, signal: str, passes: str, within: int) -> JSHandle:
    """Listen to a signal of the visible notebook's kernel connection.

    Parameters
    ----------
    passes
        A function of JavaScript that returns whether an emitted value is the expected one.
    within
        Milliseconds that `wait` waits.
    """
    return page.evaluate_handle(CONNECT.replace("PASSES", passes), [signal, within])


def wait(listener: JSHandle) -> None:
    """Wait until the signal has been emitted since `connect`; fails with the last value."""
    listener.evaluate("({ wait }) => wait()")
