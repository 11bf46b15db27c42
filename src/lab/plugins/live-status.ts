import type { INotebookTracker } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal, type ISignal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { effect, signal } from '@preact/signals-core';

import type { CellDocument } from '../../state/kernel/cell-document';
import { phaseMessage } from '../../state/kernel/phase-message';
import {
  fillPlaceholders,
  STATUS_LABELS,
  type UserMessage
} from '../../state/kernel/user-messages';
import type { INotebookSessions } from '../notebook/notebook-sessions';
import { translateFunction } from '../translate';

/** Status bar item: whether the views show the current text of the active tagged cell. */
export class LiveStatus extends Widget {
  readonly #tracker: INotebookTracker;
  readonly #sessions: INotebookSessions;
  readonly #trans: TranslationBundle;
  readonly #translate: (text: string) => string;
  readonly #button = document.createElement('span');
  readonly #shownChanged = new Signal<this, void>(this);
  /** Incremented when the active cell or notebook changes. */
  readonly #moves = signal(0);
  readonly #stop: () => void;
  #shown = false;

  /** @param open - Opens the panel. */
  constructor(
    tracker: INotebookTracker,
    sessions: INotebookSessions,
    trans: TranslationBundle,
    open: () => void
  ) {
    super();
    this.#tracker = tracker;
    this.#sessions = sessions;
    this.#trans = trans;
    this.#translate = translateFunction(trans);
    this.addClass('attnlab-status-item');
    // A span, because a button does not look like the other status bar items.
    this.#button.className = 'jp-StatusBar-TextItem';
    this.#button.setAttribute('role', 'button');
    this.#button.tabIndex = 0;
    this.#button.onclick = open;
    this.#button.onkeydown = ({ key }) => {
      if (key === 'Enter' || key === ' ') {
        open();
      }
    };
    this.node.append(this.#button);
    tracker.activeCellChanged.connect(this.#onMove, this);
    tracker.currentChanged.connect(this.#onMove, this);
    this.#stop = effect(() => this.#say(this.#document));
  }

  /** Whether the active cell is tagged. */
  get shown(): boolean {
    return this.#shown;
  }

  get shownChanged(): ISignal<this, void> {
    return this.#shownChanged;
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this.#stop();
    Signal.clearData(this);
    super.dispose();
  }

  get #document(): CellDocument | undefined {
    const { currentWidget: panel, activeCell } = this.#tracker;
    // The count is read first, so that effects always depend on it.
    return this.#moves.value >= 0 && panel && activeCell
      ? this.#sessions.of(panel).documents.document(activeCell.model.id)
      : undefined;
  }

  #onMove(): void {
    this.#moves.value++;
  }

  #say(document: CellDocument | undefined): void {
    const phase = document?.phase.value;
    if (document && phase) {
      const milliseconds = phase === 'live' ? document.milliseconds.value : null;
      const time = milliseconds === null ? '' : ` ${Math.round(milliseconds)} ms`;
      this.#button.textContent = this.#trans.__(
        'Attention: %1',
        this.#translate(STATUS_LABELS[phase]) + time
      );
      this.#button.dataset.phase = phase;
      this.node.title = this.#translated(phaseMessage(document));
    }
    if (this.#shown !== (document !== undefined)) {
      this.#shown = document !== undefined;
      this.#shownChanged.emit();
    }
  }

  #translated({ message, values = [] }: Pick<UserMessage, 'message' | 'values'>): string {
    return fillPlaceholders(this.#translate(message), values);
  }
}
