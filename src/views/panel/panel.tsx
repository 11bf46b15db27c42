import { render } from 'preact';
import { fillPlaceholders } from '../../state/kernel/user-messages';
import type { PanelState } from '../../state/panel/panel';
import { EnvContext, useEnv, type PanelActions } from '../parts/env';
import { Announcement } from '../parts/readout';
import { watchPalette } from '../parts/theme';
import { EmptyState } from './empty-state';
import { Header } from './header';
import { Notice } from './notice';
import { Sections } from './sections';
import { InputText } from './input-text';
import { TrialEditor } from './trial';

export type { PanelActions } from '../parts/env';

/** The parts of a panel that depend on the host. */
export interface PanelOptions {
  /** Translates a string; keeps the placeholders `%1`, `%2`, …, which the panel replaces. */
  translate: (text: string) => string;
  /** Whether a cell still exists: only then its execution count identifies it. */
  hasCell: (cell: string) => boolean;
  actions?: PanelActions;
  /** Removes the panel when it aborts. */
  signal: AbortSignal;
}

/** Renders a panel into `host` until the signal aborts; `state` is not disposed. */
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
    t: (text: string, ...values: (string | number)[]) => fillPlaceholders(translate(text), values)
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
  for (const type of ['pointerdown', 'focusin']) {
    // In the capture phase: views may stop the propagation of events.
    host.addEventListener(type, () => state.use(), { capture: true, signal });
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
          <TrialEditor />
          <Notice />
          <InputText />
          <Sections />
          <Announcement />
        </div>
      ) : (
        <EmptyState />
      )}
    </>
  );
}
