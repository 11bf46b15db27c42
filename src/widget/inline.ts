import { PanelState } from '../state/panel/panel';
import { mountPanel, type PanelActions } from '../views';
import { frame } from './frame';
import { linkHub, type InlineModel } from './hub-link';
import { excludeFromSavedState } from './saved-state';

interface Context {
  model: InlineModel;
  el: HTMLElement;
  /** Absent in older versions of anywidget, which call the function that `render` returns. */
  signal?: AbortSignal;
}

/** Called for every model, even if its output is not visible. */
function initialize({ model }: Pick<Context, 'model'>): void {
  excludeFromSavedState(model);
}

/** Renders a panel into a cell's output, for hosts without the labextension. */
function render({ model, el, signal }: Context): () => void {
  const closing = new AbortController();
  const until = closing.signal;
  const state = new PanelState(`inline:${crypto.randomUUID()}`);
  // Registered first, because the panel unsubscribes over the connection.
  until.addEventListener('abort', () => state.dispose(), { once: true });
  const cell = model.get('cell');
  state.follower.pin(typeof cell === 'string' ? cell : null);
  const host = frame(el, until);
  mountPanel(host, state, {
    translate: text => text,
    // A widget cannot see the cells of its notebook.
    hasCell: () => true,
    actions: actions(),
    signal: until
  });
  watch(host, state, until);
  // Otherwise the kernel would keep computing for a closed page.
  addEventListener('pagehide', () => state.session.pause(), { signal: until });
  void linkHub(model, state.session, until);
  until.addEventListener('abort', () => state.session.dispose(), { once: true });
  const close = () => closing.abort();
  signal?.addEventListener('abort', close, { once: true });
  return close;
}

/** Sets whether the panel is visible. */
function watch(host: HTMLElement, state: PanelState, signal: AbortSignal): void {
  const observer = new IntersectionObserver(entries => {
    state.visible.value = entries.at(-1)?.isIntersecting ?? true;
  });
  observer.observe(host);
  signal.addEventListener('abort', () => observer.disconnect(), { once: true });
}

/** Without access to the notebook, the only action is to copy. */
function actions(): PanelActions {
  // Undefined in an insecure context.
  const clipboard = navigator.clipboard as Clipboard | undefined;
  return clipboard ? { copy: text => void clipboard.writeText(text).catch(() => undefined) } : {};
}

export default { initialize, render };
