import { computed, effect, signal, untracked, type ReadonlySignal } from '@preact/signals-core';
import type { Backend } from '../protocol/backend';
import type { SiteSummary, SubscribeParams, TraceSummary } from '../protocol/messages';
import { Pictures, THUMBNAIL, type Load, type Progress, type Wish } from './pictures';
import { questionOf, type Question } from './question';
import { Selection } from './selection';
import { Session } from './session';
import { Texts } from './texts';
import { NO_SIDES, sidesOf, type Shown, type Sides } from './tokens';
import { exactWeights, roughWeights, type Weights } from './weights';

/** Milliseconds for which a subscription waits for the next change of the selection. */
const SETTLE = 60;

/** All that a panel knows: what the kernel holds, what is selected, what is drawn. */
export class PanelState {
  readonly pictures = new Pictures();
  readonly texts = new Texts();
  readonly session = new Session(this.pictures, this.texts);
  readonly selection = new Selection();
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
  readonly head: ReadonlySignal<Load>;
  /** How far the kernel is with thumbnails and head that take it long. */
  readonly progress: {
    thumbnails: ReadonlySignal<Progress | null>;
    head: ReadonlySignal<Progress | null>;
  };
  /** The head's weights, the best there are; null before any have come. */
  readonly weights: ReadonlySignal<Weights | null>;
  /** What is asked of the weights by what is hovered and selected. */
  readonly question: ReadonlySignal<Question>;

  private readonly disposers: (() => void)[] = [];

  /** @param id - The panel's id, unique among the kernel's panels and kept over a reload. */
  constructor(readonly id: string) {
    const { session, selection, pictures } = this;
    let last: TraceSummary | null = null;
    this.trace = computed(() => (last = this.visible.value ? session.current.value : last));
    let before: Shown | null = null;
    this.shown = computed(() => (before = this.show(before)));
    this.site = computed(() => this.trace.value?.sites[selection.focus.value.site] ?? null);
    this.sides = computed(() => {
      const [shown, site] = [this.shown.value, this.site.value];
      return shown && site ? sidesOf(shown, site) : NO_SIDES;
    });
    const all = computed<Wish | null>(() => {
      const { trace, item } = this.shown.value ?? {};
      return trace ? { kind: 'thumbnails', trace: trace.id, item: item ?? 0 } : null;
    });
    const one = computed<Wish | null>(() => {
      const [wish, site] = [all.value, this.site.value];
      const { head } = selection.focus.value;
      return wish && site ? { ...wish, kind: 'head', site: site.index, head } : null;
    });
    this.thumbnails = computed(() => wanted(pictures, all.value));
    this.head = computed(() => wanted(pictures, one.value));
    const far = (wish: Wish | null) => (wish ? pictures.progress(wish).value : null);
    this.progress = {
      thumbnails: computed(() => far(all.value)),
      head: computed(() => far(one.value))
    };
    this.weights = computed(() => {
      const [trace, site] = [this.trace.value, this.site.value];
      if (this.head.value.state === 'ready') {
        return exactWeights(this.head.value.picture);
      }
      const rough = this.thumbnails.value;
      // A sampled pixel may be of another query altogether: no number is read from it.
      return trace && site && rough.state === 'ready' && !rough.sampled
        ? roughWeights(rough.picture, trace, site, selection.focus.value.head)
        : null;
    });
    this.question = computed(() =>
      questionOf(selection.shownQuery.value, selection.shownKey.value, this.sides.value)
    );
    this.disposers.push(
      effect(() => {
        const shown = this.shown.value;
        untracked(() => selection.fit(shown));
      }),
      effect(() => this.subscribe()),
      this.askTexts(),
      effect(() => {
        if (this.texts.failure.value) {
          // What cannot be had is not selected: every view shows the other item.
          untracked(() => selection.choose(this.shown.value?.item ?? 0));
        }
      })
    );
  }

  /** Asks the kernel for nothing any more. */
  dispose(): void {
    this.disposers.splice(0).forEach(dispose => dispose());
    this.session.detach('The panel is closed.');
  }

  /** What is shown: until the selected item's text has come, what was shown before. */
  private show(before: Shown | null): Shown | null {
    const trace = this.trace.value;
    if (!trace) {
      return null;
    }
    const item = itemOf(this.selection, trace);
    const sequences = this.texts.of(trace, item);
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
    const { texts } = this;
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
      untracked(() => void texts.ask(id, item));
      return () => texts.stop();
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
      query: this.selection.query.value,
      pinned: this.session.pinned.value === null ? null : (this.trace.value?.id ?? null)
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
