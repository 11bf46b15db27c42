import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import { Token } from '@lumino/coreutils';
import { batch, signal } from '@preact/signals-core';

/** Provides the user settings for live updates. */
export const ILiveSettings = new Token<LiveSettings>(
  'attnlab:ILiveSettings',
  'Settings for live updates while typing, and for the editors of tagged cells.'
);

/** The settings of `schema/live.json`, with its defaults until they are loaded. */
export class LiveSettings {
  /** Default for cells without a setting in their metadata. */
  readonly live = signal(true);
  /** Maximum number of tokens that are passed through a model while typing. */
  readonly limit = signal(1024);
  /** Milliseconds from the last keystroke until an edit is sent. */
  readonly delay = signal(0);
  /** Whether the editor shows what the token at the caret attends to. */
  readonly paint = signal(true);
  /** Whether the editor shows token boundaries. */
  readonly boundaries = signal(false);

  /** Applies the user's settings, now and whenever they change. */
  follow(settings: ISettingRegistry.ISettings): void {
    settings.changed.connect(this.#take, this);
    this.#take(settings);
  }

  #take(settings: ISettingRegistry.ISettings): void {
    // The registry has validated the values against the schema.
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
