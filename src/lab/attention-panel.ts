import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

import { mountPanel } from '../views/panel';
import { attentionIcon } from './icon';
import type { NotebookSession } from './notebook-session';
import type { INotebookSessions } from './notebook-sessions';

/** What the panel lets a person do outside itself. */
export interface AttentionPanelOptions {
  tracker: INotebookTracker;
  sessions: INotebookSessions;
  trans: TranslationBundle;
  tagCell: () => void;
  copy: (text: string) => void;
}

/** One notebook's view, kept while the notebook is open so that scrolling and sizes stay. */
interface Mounted {
  host: HTMLElement;
  session: NotebookSession;
  unmount: AbortController;
}

/** The sidebar: shows the attention of the notebook that is active. */
export class AttentionPanel extends Widget {
  readonly #options: AttentionPanelOptions;
  readonly #mounted = new Map<NotebookPanel, Mounted>();
  readonly #placeholder = document.createElement('p');

  constructor(options: AttentionPanelOptions) {
    super();
    const { tracker, trans } = options;
    this.#options = options;
    this.id = 'attnlab-panel';
    this.addClass('attnlab-sidebar');
    this.title.icon = attentionIcon;
    this.title.caption = trans.__('Attention');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Attention'));
    this.#placeholder.className = 'attnlab-placeholder';
    this.#placeholder.textContent = trans.__('Open a notebook to see what attention does in it.');
    this.node.append(this.#placeholder);
    tracker.currentChanged.connect(this.#follow, this);
    this.#follow();
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    for (const mounted of this.#mounted.values()) {
      mounted.unmount.abort();
    }
    this.#mounted.clear();
    Signal.clearData(this);
    super.dispose();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.#follow();
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.#follow();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.#follow();
  }

  /** Shows the active notebook; the views of the others wait, and ask for nothing. */
  #follow(): void {
    const current = this.#options.tracker.currentWidget;
    if (current && this.isVisible && !this.#mounted.has(current)) {
      this.#mount(current);
    }
    for (const [panel, { host, session }] of this.#mounted) {
      host.hidden = panel !== current;
      session.state.visible.value = panel === current && this.isVisible;
    }
    this.#placeholder.hidden = current !== null;
  }

  #mount(panel: NotebookPanel): void {
    const { sessions, trans, tagCell, copy } = this.#options;
    const session = sessions.of(panel);
    const host = document.createElement('div');
    host.className = 'attnlab-host';
    this.node.append(host);
    const unmount = new AbortController();
    this.#mounted.set(panel, { host, session, unmount });
    session.disposed.connect(() => {
      unmount.abort();
      host.remove();
      this.#mounted.delete(panel);
    }, this);
    mountPanel(host, session.state, {
      // The views know their strings, not where translations come from; they fill in the
      // values themselves, so each placeholder stands for itself.
      // eslint-disable-next-line @jupyter/no-dynamic-translation
      translate: text => trans.__(text, '%1', '%2', '%3', '%4'),
      hasCell: cell => session.hasCell(cell),
      actions: { tagCell, copy },
      signal: unmount.signal
    });
  }
}
