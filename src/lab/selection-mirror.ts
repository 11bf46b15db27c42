import { effect } from '@preact/signals-core';
import type { IDisposable } from '@lumino/disposable';

import type { HubModel } from '../protocol/bridge';
import type { PanelState } from '../state/panel';
import type { SavedSelection } from '../state/selection';

/** Milliseconds for which a change waits for the next one before it is sent. */
const SETTLE = 100;

/** Milliseconds for which another page may still send back what this one has replaced. */
const ECHO = 5000;

type Selections = Record<string, Partial<SavedSelection> | undefined>;

function same(a: Partial<SavedSelection> | undefined, b: SavedSelection): boolean {
  return (
    a?.item === b.item &&
    a.site === b.site &&
    a.head === b.head &&
    a.query === b.query &&
    a.key === b.key
  );
}

/** Keeps a panel's selection and the hub's `selections` trait equal, for Python to see and set. */
export class SelectionMirror implements IDisposable {
  readonly #model: HubModel;
  readonly #state: PanelState;
  readonly #stop: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #given: SavedSelection | undefined;
  #replaced: { selection: SavedSelection; until: number }[] = [];
  #isDisposed = false;

  constructor(model: HubModel, state: PanelState) {
    this.#model = model;
    this.#state = state;
    // What the kernel holds under this panel's id is newer than what the browser stored.
    this.#take();
    model.on('change:selections', this.#take);
    this.#stop = effect(() => {
      this.#settle(state.selection.toJSON());
    });
  }

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#stop();
    clearTimeout(this.#timer);
    this.#model.off('change:selections', this.#take);
  }

  get #selections(): Selections {
    return (this.#model.get('selections') ?? {}) as Selections;
  }

  readonly #take = (): void => {
    const own = this.#selections[this.#state.id];
    const now = this.#state.selection.toJSON();
    // The trait is one dictionary: a page that sets its own entry sends ours as it knew it.
    if (this.#replaced.some(old => same(own, old.selection) && Date.now() < old.until)) {
      this.#settle(now);
    } else if (own && !same(own, now)) {
      // Python may leave a part out, or name no head; there is always one that is shown.
      const { item, site, head, query, key } = own;
      this.#state.selection.restore({
        item: item ?? now.item,
        site: site ?? now.site,
        head: head ?? now.head,
        query: query ?? null,
        key: key ?? null
      });
    }
  };

  #settle(selection: SavedSelection): void {
    const until = Date.now() + ECHO;
    this.#replaced = this.#replaced.filter(
      old => Date.now() < old.until && !same(old.selection, selection)
    );
    if (this.#given && !same(this.#given, selection)) {
      this.#replaced.push({ selection: this.#given, until });
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#give(selection);
    }, SETTLE);
  }

  #give(selection: SavedSelection): void {
    const selections = this.#selections;
    this.#given = selection;
    if (!same(selections[this.#state.id], selection)) {
      this.#model.set('selections', { ...selections, [this.#state.id]: selection });
      this.#model.save_changes();
    }
  }
}
