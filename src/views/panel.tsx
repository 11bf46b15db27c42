import { render } from 'preact';
import type { PanelState } from '../state/panel';
import { Empty } from './empty';
import { EnvContext, filled, useEnv, type PanelActions } from './env';
import { Header } from './header';
import { Notice } from './notice';
import { Parts } from './parts';
import { Announcement } from './readout';
import { Strip } from './strip';
import { watchPalette } from './theme';
import { Try } from './try';

export type { PanelActions } from './env';

/** What a host gives a panel. */
export interface PanelOptions {
  /** Translates a string; `%1`, `%2`, … stay for the panel to fill. */
  translate: (text: string) => string;
  /** Whether a cell is still there: the prompt of one that is gone names nothing. */
  hasCell: (cell: string) => boolean;
  actions?: PanelActions;
  /** Takes the panel down. */
  signal: AbortSignal;
}

/** Renders a panel into `host`, until the signal aborts; `state` is not disposed of. */
export function mountPanel(host: HTMLElement, state: PanelState, options: PanelOptions): void {
  const { signal, translate, hasCell, actions = {} } = options;
  if (signal.aborted) {
    return;
  }
  host.classList.add('attnlab-panel');
  const palette = watchPalette(host, signal);
  const env = {
    state,
    palette,
    actions,
    hasCell,
    t: (text: string, ...values: (string | number)[]) => filled(translate(text), values)
  };
  host.addEventListener(
    'keydown',
    event => {
      if (event.key === 'Escape' && !event.defaultPrevented) {
        state.selection.clear();
      }
    },
    { signal }
  );
  for (const sign of ['pointerdown', 'focusin']) {
    // Before any view hears of it, and whether or not it lets the event pass.
    host.addEventListener(sign, () => state.use(), { capture: true, signal });
  }
  render(
    <EnvContext.Provider value={env}>
      <Panel />
    </EnvContext.Provider>,
    host
  );
  signal.addEventListener('abort', () => {
    render(null, host);
    host.classList.remove('attnlab-panel');
  });
}

function Panel() {
  const { state } = useEnv();
  return (
    <>
      <Header />
      {state.trace.value ? (
        <div
          class="attnlab-body"
          data-stale={state.follower.stale.value || undefined}
          data-status={state.follower.status.value.kind}
        >
          <Try />
          <Notice />
          <Strip />
          <Parts />
          <Announcement />
        </div>
      ) : (
        <Empty />
      )}
    </>
  );
}
