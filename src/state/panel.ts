import {
  batch,
  computed,
  effect,
  signal,
  untracked,
  type ReadonlySignal
} from '@preact/signals-core';
import type { Backend } from '../protocol/backend';
import type { Selected, SiteSummary, SubscribeParams, TraceSummary } from '../protocol/messages';
import { Display, type SavedDisplay } from './display';
import { Dissection } from './dissection';
import { Follower, type Followed } from './follower';
import { Heads } from './heads';
import { THUMBNAIL, type Pictures, type Load, type Progress, type Wish } from './pictures';
import { Selection } from './selection';
import { Session } from './session';
import { Trial } from './trial';
import { NO_SIDES, sidesOf, type Shown, type Sides } from './tokens';
import type { Weights } from './weights';
import { thumbRegions, type Regions } from './thumb-regions';

/** Milliseconds for which a subscription waits for the next change of the selection. */
const SETTLE = 60;

/** An item that the kernel did not give. */
export interface Failure {
  trace: string;
  why: string;
}

/** What a panel is given back over a reload, and hands to one that is opened from it. */
export interface SavedPanel {
  selection: Selected;
  display: SavedDisplay;
  followed: Followed;
}

/** All that a panel knows: what the kernel holds, what is selected, what is drawn. */
export class PanelState {
  readonly pictures: Pictures;
  readonly follower: Follower;
  readonly selection = new Selection();
  readonly display = new Display();
  /** Whether a person can see the panel; what cannot be seen asks the kernel for nothing. */
  readonly visible = signal(true);

  /** The trace on screen. */
  readonly trace: ReadonlySignal<TraceSummary | null>;
  /** The same with the item that is shown: the selected one, as soon as its text is here. */
  readonly shown: ReadonlySignal<Shown | null>;
  /** The site on screen. */
  readonly site: ReadonlySignal<SiteSummary | null>;
  /** The tokens of the site's two sides. */
  readonly sides: ReadonlySignal<Sides>;
  readonly thumbnails: ReadonlySignal<Load>;
  /** Which region of them the sentence filter leaves. */
  readonly regions: ReadonlySignal<Regions | null>;
  /** The scores of all heads; asked for while a view watches. */
  readonly scores: ReadonlySignal<Load>;
  /** The heads that are drawn together, as they are shown. */
  readonly heads: Heads;
  /** The focused head; of a long text, its heaviest weights. */
  readonly head: ReadonlySignal<Load>;
  /** How far the kernel is with thumbnails and head that take it long. */
  readonly progress: {
    thumbnails: ReadonlySignal<Progress | null>;
    scores: ReadonlySignal<Progress | null>;
    head: ReadonlySignal<Progress | null>;
  };
  /** The head's weights, the best there are; null before any have come. */
  readonly weights: ReadonlySignal<Weights | null>;
  /** The shown query, taken apart. */
  readonly dissection: Dissection;
  /** Another text in place of the shown call's own. */
  readonly trial: Trial;

  /** Why the selected item's text has not come; null where nothing failed. */
  readonly failure: ReadonlySignal<Failure | null>;

  private readonly failed = signal<Failure | null>(null);
  private readonly disposers: (() => void)[] = [];

  /**
   * @param id - The panel's id, unique among the kernel's panels and kept over a reload.
   * @param session - What the kernel holds, which the notebook's other panels show as well.
   */
  constructor(
    readonly id: string,
    readonly session = new Session()
  ) {
    const { selection } = this;
    const pictures = (this.pictures = session.pictures);
    const follower = (this.follower = new Follower(session));
    this.failure = this.failed;
    this.trial = new Trial(session, follower);
    let last: TraceSummary | null = null;
    this.trace = computed(() => (last = this.visible.value ? follower.current.value : last));
    let before: Shown | null = null;
    this.shown = computed(() => (before = this.show(before)));
    this.site = computed(() => this.trace.value?.sites[selection.focus.value.site] ?? null);
    this.sides = computed(() => {
      const [shown, site] = [this.shown.value, this.site.value];
      return shown && site ? sidesOf(shown, site) : NO_SIDES;
    });
    const all = computed<(Wish & { kind: 'thumbnails' }) | null>(() => {
      const { trace, item } = this.shown.value ?? {};
      return trace ? { kind: 'thumbnails', trace: trace.id, item: item ?? 0 } : null;
    });
    const scored = computed<Wish | null>(() => all.value && { ...all.value, kind: 'scores' });
    this.dissection = new Dissection(pictures, selection, this.shown, this.site);
    this.thumbnails = computed(() => wanted(pictures, all.value));
    this.scores = computed(() => wanted(pictures, scored.value));
    const { shown, site, sides, thumbnails, display } = this;
    this.heads = new Heads({ pictures, selection, display, shown, site, sides, thumbnails });
    this.head = this.heads.load;
    this.regions = thumbRegions({ selection, trace: this.trace, site, sides, heads: this.heads });
    const far = (wish: Wish | null) => (wish ? pictures.progress(wish).value : null);
    this.progress = {
      thumbnails: computed(() => far(all.value)),
      scores: computed(() => far(scored.value)),
      head: this.heads.progress
    };
    this.weights = this.heads.weights;
    this.disposers.push(
      effect(() => {
        const shown = this.shown.value;
        untracked(() => selection.fit(shown));
      }),
      effect(() => this.subscribe()),
      this.askTexts(),
      effect(() => {
        if (this.failed.value) {
          // What cannot be had is not selected: every view shows the other item.
          untracked(() => selection.choose(this.shown.value?.item ?? 0));
        }
      }),
      session.texts.backend.subscribe(() => (this.failed.value = null)),
      // A panel that nobody sees is not the one that Python speaks of.
      effect(() => (this.visible.value ? session.selections.join(id, selection) : undefined))
    );
  }

  toJSON(): SavedPanel {
    const { selection, display, follower } = this;
    return {
      selection: selection.toJSON(),
      display: display.toJSON(),
      followed: follower.toJSON()
    };
  }

  /** Takes up what was stored; what an older version did not store stays as it is. */
  restore({ selection, display, followed }: Partial<SavedPanel>): void {
    batch(() => {
      this.follower.restore(followed ?? {});
      this.display.restore(display);
      this.selection.restore({ ...this.selection.toJSON(), ...selection });
    });
  }

  /** A person uses this panel: it is the one that Python's `attnlab.selection` speaks of. */
  use(): void {
    this.session.selections.activate(this.id);
  }

  /** Asks the kernel for nothing any more; the session stays, for other panels. */
  dispose(): void {
    this.trial.close();
    this.disposers.splice(0).forEach(dispose => dispose());
  }

  /** What is shown: until the selected item's text has come, what was shown before. */
  private show(before: Shown | null): Shown | null {
    const trace = this.trace.value;
    if (!trace) {
      return null;
    }
    const item = itemOf(this.selection, trace);
    const sequences = this.session.texts.of(trace, item);
    const now = sequences
      ? { trace, item, sequences }
      : before?.trace.id === trace.id
        ? { ...before, trace }
        : { trace, item: trace.item, sequences: trace.sequences };
    const same =
      before?.trace === now.trace && before.item === now.item && before.sequences === now.sequences;
    return same ? before : now;
  }

  /** Asks for the selected item's text where no push has brought it. */
  private askTexts(): () => void {
    const { texts } = this.session;
    const trace = computed(() => this.trace.value?.id);
    const missing = computed(() => {
      const trace = this.trace.value;
      const item = trace ? itemOf(this.selection, trace) : 0;
      return !trace || texts.of(trace, item) ? null : item;
    });
    return effect(() => {
      if (trace.value === undefined || missing.value === null || !texts.backend.value) {
        return undefined;
      }
      const [id, item] = [trace.value, missing.value];
      const asking = new AbortController();
      this.failed.value = null;
      untracked(() => texts.ask(id, item, asking.signal)).catch((error: unknown) => {
        if (!asking.signal.aborted) {
          const why = error instanceof Error ? error.message : String(error);
          this.failed.value = { trace: id, why };
        }
      });
      return () => asking.abort();
    });
  }

  /** Tells the kernel what this panel shows, so that a push brings just that. */
  private subscribe(): (() => void) | undefined {
    const backend = this.session.backend.value;
    if (!backend || !this.visible.value) {
      return undefined;
    }
    const params = computed<SubscribeParams>(() => ({
      panel: this.id,
      size: THUMBNAIL,
      item: this.selection.item.value,
      focus: this.selection.focus.value,
      heads: [...this.selection.heads.value],
      query: this.selection.query.value,
      neuron: !this.display.folded.value.includes('neuron'),
      pinned: this.follower.pinned.value === null ? null : (this.trace.value?.id ?? null)
    }));
    let timer: ReturnType<typeof setTimeout> | undefined;
    let asking: AbortController | undefined;
    const stop = effect(() => {
      const now = params.value;
      clearTimeout(timer);
      // The first at once: a push may be near.
      timer = setTimeout(
        () => {
          asking?.abort();
          asking = new AbortController();
          void tell(backend, now, asking.signal);
        },
        asking ? SETTLE : 0
      );
    });
    return () => {
      stop();
      clearTimeout(timer);
      asking?.abort();
      void backend.request('unsubscribe', { panel: this.id }).catch(() => undefined);
    };
  }
}

/** The selected item, or the first of a trace that lacks it. */
function itemOf(selection: Selection, trace: TraceSummary): number {
  const item = selection.item.value;
  return item < trace.items ? item : 0;
}

const PENDING: Load = { state: 'pending' };

function wanted(pictures: Pictures, wish: Wish | null): Load {
  return wish ? pictures.want(wish).value : PENDING;
}

/** A subscription that fails costs a round trip for each picture, and nothing else. */
async function tell(backend: Backend, params: SubscribeParams, signal: AbortSignal): Promise<void> {
  try {
    await backend.request('subscribe', params, signal);
  } catch (error) {
    if (!signal.aborted) {
      console.warn('attnlab: the kernel did not take the subscription.', error);
    }
  }
}
