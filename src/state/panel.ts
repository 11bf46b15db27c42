import { computed, effect, signal, untracked, type ReadonlySignal } from '@preact/signals-core';
import type { Backend } from '../protocol/backend';
import type { SiteSummary, SubscribeParams, TraceSummary } from '../protocol/messages';
import { Pictures, THUMBNAIL, type Load } from './pictures';
import { questionOf, type Question } from './question';
import { Selection } from './selection';
import { Session } from './session';
import { sidesOf, type Sides } from './tokens';
import { exactWeights, roughWeights, type Weights } from './weights';

/** Milliseconds for which a subscription waits for the next change of the selection. */
const SETTLE = 60;

/** All that a panel knows: what the kernel holds, what is selected, what is drawn. */
export class PanelState {
  readonly pictures = new Pictures();
  readonly session = new Session(this.pictures);
  readonly selection = new Selection();
  /** Whether a person can see the panel; what cannot be seen asks the kernel for nothing. */
  readonly visible = signal(true);

  /** The trace on screen. */
  readonly trace: ReadonlySignal<TraceSummary | null>;
  /** The site on screen. */
  readonly site: ReadonlySignal<SiteSummary | null>;
  /** The tokens of the site's two sides. */
  readonly sides: ReadonlySignal<Sides>;
  readonly thumbnails: ReadonlySignal<Load>;
  readonly head: ReadonlySignal<Load>;
  /** The head's weights, the best there are; null before any have come. */
  readonly weights: ReadonlySignal<Weights | null>;
  /** What is asked of the weights by what is hovered and selected. */
  readonly question: ReadonlySignal<Question>;

  private readonly disposers: (() => void)[] = [];

  /** @param id - The panel's id, unique among the kernel's panels and kept over a reload. */
  constructor(readonly id: string) {
    const { session, selection, pictures } = this;
    const nothing: Load = { state: 'pending' };
    let last: TraceSummary | null = null;
    this.trace = computed(() => (last = this.visible.value ? session.current.value : last));
    this.site = computed(() => this.trace.value?.sites[selection.focus.value.site] ?? null);
    this.sides = computed(() => {
      const [trace, site] = [this.trace.value, this.site.value];
      return trace && site ? sidesOf(trace, site) : { queries: [], keys: [], same: true };
    });
    this.thumbnails = computed(() => {
      const trace = this.trace.value;
      return trace ? pictures.thumbnails(trace.id).value : nothing;
    });
    this.head = computed(() => {
      const [trace, site] = [this.trace.value, this.site.value];
      const head = selection.focus.value.head;
      return trace && site ? pictures.head(trace.id, site.index, head).value : nothing;
    });
    this.weights = computed(() => {
      const [trace, site] = [this.trace.value, this.site.value];
      if (this.head.value.state === 'ready') {
        return exactWeights(this.head.value.picture);
      }
      const rough = this.thumbnails.value;
      return trace && site && rough.state === 'ready'
        ? roughWeights(rough.picture, trace, site, selection.focus.value.head)
        : null;
    });
    this.question = computed(() =>
      questionOf(selection.shownQuery.value, selection.shownKey.value, this.sides.value)
    );
    this.disposers.push(
      effect(() => {
        const trace = session.current.value;
        untracked(() => selection.fit(trace));
      }),
      effect(() => this.subscribe())
    );
  }

  /** Asks the kernel for nothing any more. */
  dispose(): void {
    this.disposers.splice(0).forEach(dispose => dispose());
    this.session.detach('The panel is closed.');
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
      focus: this.selection.focus.value,
      query: this.selection.query.value
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
