import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

import { SIDEBAR, type NotebookSession } from '../notebook/notebook-session';
import type { INotebookSessions } from '../notebook/notebook-sessions';
import { drawPanel, type PanelHost } from './host';
import { attentionIcon } from './icon';

/** The view of one notebook, kept while that is open to preserve scroll positions and sizes. */
interface Mounted {
  host: HTMLElement;
  session: NotebookSession;
  undraw: () => void;
}

/** The sidebar panel, which shows the attention of the active notebook. */
export class AttentionPanel extends Widget {
  readonly #tracker: INotebookTracker;
  readonly #sessions: INotebookSessions;
  readonly #host: PanelHost;
  readonly #mounted = new Map<NotebookPanel, Mounted>();
  readonly #placeholder = document.createElement('p');

  constructor(tracker: INotebookTracker, sessions: INotebookSessions, host: PanelHost) {
    super();
    const { trans } = host;
    this.#tracker = tracker;
    this.#sessions = sessions;
    this.#host = host;
    this.id = 'attnlab-panel';
    this.addClass('attnlab-sidebar');
    this.title.icon = attentionIcon;
    this.title.caption = trans.__('Attention');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Attention'));
    this.#placeholder.className = 'attnlab-placeholder';
    this.#placeholder.textContent = trans.__('Open a notebook to see the attention of its models.');
    this.node.append(this.#placeholder);
    tracker.currentChanged.connect(this.#follow, this);
    this.#follow();
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    for (const { undraw } of this.#mounted.values()) {
      undraw();
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

  /** Shows the active notebook; hidden views request nothing. */
  #follow(): void {
    const current = this.#tracker.currentWidget;
    if (current && this.isVisible && !this.#mounted.has(current)) {
      this.#mount(current);
    }
    for (const [panel, { host, session }] of this.#mounted) {
      host.hidden = panel !== current;
      session.state(SIDEBAR).visible.value = panel === current && this.isVisible;
    }
    this.#placeholder.hidden = current !== null;
  }

  #mount(panel: NotebookPanel): void {
    const session = this.#sessions.of(panel);
    const host = document.createElement('div');
    host.className = 'attnlab-host';
    this.node.append(host);
    const undraw = drawPanel(host, session, SIDEBAR, this.#host);
    this.#mounted.set(panel, { host, session, undraw });
    session.disposed.connect(() => {
      undraw();
      host.remove();
      this.#mounted.delete(panel);
    }, this);
  }
}
