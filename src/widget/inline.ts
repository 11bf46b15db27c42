import { PanelState } from '../state/panel';
import { mountPanel, type PanelActions } from '../views';
import { frame } from './frame';
import { linkHub, type InlineModel } from './hub-link';

interface Context {
  model: InlineModel;
  el: HTMLElement;
  /** Older versions of anywidget have none, and call what `render` returned. */
  signal?: AbortSignal;
}

/** Draws a panel into a cell's output, for hosts without the labextension. */
function render({ model, el, signal }: Context): () => void {
  const closing = new AbortController();
  const until = closing.signal;
  const state = new PanelState(`inline:${crypto.randomUUID()}`);
  // First of all that ends with the view: the panel says good-bye over the connection.
  until.addEventListener('abort', () => state.dispose(), { once: true });
  const cell = model.get('cell');
  state.follower.pin(typeof cell === 'string' ? cell : null);
  const host = frame(el, until);
  mountPanel(host, state, {
    translate: text => text,
    // No host tells a widget of its cells.
    hasCell: () => true,
    actions: actions(),
    signal: until
  });
  watch(host, state, until);
  void linkHub(model, state.session, until);
  until.addEventListener('abort', () => state.session.dispose(), { once: true });
  const close = () => closing.abort();
  signal?.addEventListener('abort', close, { once: true });
  return close;
}

/** Tells the panel whether a person sees it. */
function watch(host: HTMLElement, state: PanelState, signal: AbortSignal): void {
  const observer = new IntersectionObserver(entries => {
    state.visible.value = entries.at(-1)?.isIntersecting ?? true;
  });
  observer.observe(host);
  signal.addEventListener('abort', () => observer.disconnect(), { once: true });
}

/** Without a notebook to speak to, nothing is left but the page's own clipboard. */
function actions(): PanelActions {
  // A page that is served without encryption has none.
  const clipboard = navigator.clipboard as Clipboard | undefined;
  return clipboard ? { copy: text => void clipboard.writeText(text).catch(() => undefined) } : {};
}

export default { render };
