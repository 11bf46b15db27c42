import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import { Token } from '@lumino/coreutils';
import { batch, signal } from '@preact/signals-core';

/** What a person has set of how edits are followed, in all notebooks. */
export const ILiveSettings = new Token<LiveSettings>(
  'attnlab:ILiveSettings',
  'How the views follow edits, and what the editors of tagged cells show.'
);

/** As in `schema/live.json`, whose defaults hold until the settings have been read. */
export class LiveSettings {
  /** Whether edits are followed of cells that do not say otherwise. */
  readonly live = signal(true);
  /** Most tokens that are passed through a model while typing. */
  readonly limit = signal(1024);
  /** Milliseconds after the last keystroke until an edit is followed. */
  readonly delay = signal(0);
  /** Whether the editor shows what the word at the caret attends to. */
  readonly paint = signal(true);
  /** Whether the editor shows where tokens begin. */
  readonly boundaries = signal(false);

  /** Takes what a person has set, now and whenever it changes. */
  follow(settings: ISettingRegistry.ISettings): void {
    settings.changed.connect(this.#take, this);
    this.#take(settings);
  }

  #take(settings: ISettingRegistry.ISettings): void {
    // The registry has checked the values against the schema.
    const { live, limit, delay, paint, boundaries } = settings.composite;
    batch(() => {
      this.live.value = live as boolean;
      this.limit.value = limit as number;
      this.delay.value = delay as number;
      this.paint.value = paint as boolean;
      this.boundaries.value = boundaries as boolean;
    });
  }
}
