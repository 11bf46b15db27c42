import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import type { NotebookSession } from '../notebook/notebook-session';
import { drawPanel, type PanelHost } from './host';
import { attentionIcon } from './icon';

/** A panel in the main area that always shows the same notebook and closes with it. */
export class AttentionTab extends Widget {
  readonly session: NotebookSession;
  /** Name of the notebook's panel that it shows. */
  readonly name: string;
  readonly #host: PanelHost;
  #undraw: (() => void) | null = null;

  constructor(session: NotebookSession, name: string, host: PanelHost) {
    super();
    this.session = session;
    this.name = name;
    this.#host = host;
    this.addClass('attnlab-tab');
    this.title.icon = attentionIcon;
    session.panel.context.pathChanged.connect(this.#rename, this);
    session.disposed.connect(this.dispose, this);
    this.#rename();
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this.#undraw?.();
    this.session.close(this.name);
    // Also disposes the surrounding tab.
    super.dispose();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.#see();
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.#see();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    // Not earlier: a detached element has neither fonts nor theme colors.
    this.#undraw ??= drawPanel(this.node, this.session, this.name, this.#host);
    this.#see();
  }

  /** A hidden tab requests nothing from the kernel. */
  #see(): void {
    this.session.state(this.name).visible.value = this.isVisible;
  }

  #rename(): void {
    const { path } = this.session.panel.context;
    const notebook = path.slice(path.lastIndexOf('/') + 1);
    this.title.label = this.#host.trans.__('Attention · %1', notebook);
    this.title.caption = this.#host.trans.__('Attention of %1', path);
  }
}
