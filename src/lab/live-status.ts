import type { INotebookTracker } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal, type ISignal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { effect, signal } from '@preact/signals-core';

import type { Document, Phase } from '../state/document';
import type { INotebookSessions } from './notebook-sessions';

/** The status bar's word on the active tagged cell: how far the views are with its text. */
export class LiveStatus extends Widget {
  readonly #tracker: INotebookTracker;
  readonly #sessions: INotebookSessions;
  readonly #trans: TranslationBundle;
  readonly #button = document.createElement('span');
  readonly #shownChanged = new Signal<this, void>(this);
  /** Counts the times that another cell or notebook became the active one. */
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
    this.addClass('attnlab-status-item');
    // As the status bar's own items look, which a button does not.
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

  /** Whether the active cell is a tagged one. */
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

  get #document(): Document | undefined {
    const { currentWidget: panel, activeCell } = this.#tracker;
    // The count is read first, so that an effect follows it whatever is there now.
    return this.#moves.value >= 0 && panel && activeCell
      ? this.#sessions.of(panel).documents.document(activeCell.model.id)
      : undefined;
  }

  #onMove(): void {
    this.#moves.value++;
  }

  #say(document: Document | undefined): void {
    const phase = document?.phase.value;
    if (document && phase) {
      const milliseconds = phase === 'live' ? document.milliseconds.value : null;
      const time = milliseconds === null ? '' : ` ${Math.round(milliseconds)} ms`;
      this.#button.textContent = this.#trans.__('Attention: %1', this.#word(phase) + time);
      this.#button.dataset.phase = phase;
      this.node.title = this.#sentence(phase, document);
    }
    if (this.#shown !== (document !== undefined)) {
      this.#shown = document !== undefined;
      this.#shownChanged.emit();
    }
  }

  #word(phase: Phase): string {
    return {
      live: this.#trans.__('live'),
      computing: this.#trans.__('computing'),
      stale: this.#trans.__('stale'),
      waiting: this.#trans.__('waiting'),
      off: this.#trans.__('off')
    }[phase];
  }

  #sentence(phase: Phase, { source, refused }: Document): string {
    const ran = source.value !== null;
    switch (phase) {
      case 'live':
        return this.#trans.__('The views follow the text as it is typed.');
      case 'computing':
        return this.#trans.__('The edited text is on its way to the views.');
      case 'waiting':
        return this.#trans.__('The views follow as soon as the kernel is free.');
      case 'stale':
        return (
          refused.value?.message ??
          (ran
            ? this.#trans.__('The views show an older text; run the cell to update.')
            : this.#trans.__('The cell has not run yet; run it to see its attention.'))
        );
      case 'off':
        return (
          refused.value?.message ??
          this.#trans.__('The views show this text, and do not follow edits of it.')
        );
    }
  }
}
