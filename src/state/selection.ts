import { batch, computed, signal, type ReadonlySignal } from '@preact/signals-core';
import type { Focus, Selected, SiteSummary, Token, TraceSummary } from '../protocol/messages';
import { moved, sidesOf, type Shown, type Sides } from './tokens';

/** The passing part of a selection: what the pointer or the caret is on. */
export interface Hover {
  query?: number;
  key?: number;
}

/** What a site is to a reader, whatever its index in this or that trace. */
interface Place {
  kind: SiteSummary['kind'];
  stack: string;
  layer: number;
  /** Which of the sites of this stack and layer, from 0: a module may be called twice. */
  nth: number;
}

/**
 * The one selection of a panel, which every view shows and changes.
 *
 * `hover` never leaves the browser; the rest outlives traces, see `fit`.
 */
export class Selection {
  /** Which item of the batch. */
  readonly item = signal(0);
  readonly focus = signal<Focus>({ site: 0, head: 0 });
  /** Heads of the focused site that are drawn together, in order; the focus is one of them. */
  readonly heads = signal<readonly number[]>([0]);
  readonly query = signal<number | null>(null);
  readonly key = signal<number | null>(null);
  /** A dimension of the head's queries and keys; of a narrower head, none. */
  readonly neuron = signal<number | null>(null);
  /** Which pairs of tokens are shown of a text of two sentences. */
  readonly pairs = signal<Selected['pairs']>('all');
  readonly hover = signal<Hover>({});

  /** The query that views show: the hovered one, else the selected one. */
  readonly shownQuery: ReadonlySignal<number | null> = computed(
    () => this.hover.value.query ?? this.query.value
  );

  /** The key that views show: the hovered one, else the selected one. */
  readonly shownKey: ReadonlySignal<number | null> = computed(
    () => this.hover.value.key ?? this.key.value
  );

  private shown: Shown | null = null;
  private place: Place | null = null;
  /** The item that was chosen: a trace that lacks it does not make the next one lose it. */
  private chosen = 0;

  /** Shows another item of the batch, as far as there is one. */
  choose(item: number): void {
    this.chosen = Math.max(0, Math.min(item, (this.shown?.trace.items ?? Infinity) - 1));
    this.item.value = this.chosen;
  }

  /** Shows another head, alone. The query and the key stay where both sides keep their tokens. */
  look(focus: Focus): void {
    batch(() => {
      const before = this.sides();
      this.focus.value = focus;
      this.heads.value = [focus.head];
      this.place = this.shown && placeOf(this.shown.trace, focus.site);
      this.follow(before);
    });
  }

  /** Draws a head of the focused site with the others, or no longer; the last one stays. */
  toggleHead(head: number): void {
    const { site, head: focused } = this.focus.peek();
    const others = this.heads.peek().filter(other => other !== head);
    const added = others.length === this.heads.peek().length;
    const heads = added ? [...others, head].sort((a, b) => a - b) : others;
    const [first] = heads;
    if (first === undefined) {
      return;
    }
    batch(() => {
      this.heads.value = heads;
      this.focus.value = { site, head: added ? head : heads.includes(focused) ? focused : first };
    });
  }

  /** Draws one head of the focused site alone; where it is alone already, all of them. */
  isolate(head: number): void {
    const { site } = this.focus.peek();
    const alone = this.heads.peek().length === 1 && this.heads.peek()[0] === head;
    const count = this.shown?.trace.sites[site]?.heads ?? 1;
    batch(() => {
      this.heads.value = alone ? Array.from({ length: count }, (_, i) => i) : [head];
      this.focus.value = { site, head };
    });
  }

  /** Selects a token of either side; selecting it again lets go of it. */
  toggle(side: 'query' | 'key', index: number): void {
    const chosen = this[side];
    chosen.value = chosen.peek() === index ? null : index;
  }

  /** Lets go of the query, the key, the neuron and the hover; the focus stays. */
  clear(): void {
    batch(() => {
      this.query.value = null;
      this.key.value = null;
      this.neuron.value = null;
      this.hover.value = {};
    });
  }

  /** Carries the selection over to another trace or item: the same head, the same tokens. */
  fit(shown: Shown | null): void {
    if (!shown || shown === this.shown) {
      return;
    }
    batch(() => {
      const before = this.sides();
      const { trace } = shown;
      this.shown = shown;
      this.item.value = this.chosen < trace.items ? this.chosen : 0;
      const site = (this.place && findPlace(trace, this.place)) ?? this.focus.peek().site;
      const focus = clamped(trace, { site, head: this.focus.peek().head });
      if (focus.site !== this.focus.peek().site || focus.head !== this.focus.peek().head) {
        this.focus.value = focus;
      }
      this.heads.value = together(trace, focus, this.heads.peek());
      // A place that this trace lacks is kept: the next trace may have it again.
      this.place ??= placeOf(trace, focus.site);
      this.follow(before);
    });
  }

  toJSON(): Selected {
    const { site, head } = this.focus.value;
    return {
      item: this.item.value,
      site,
      head,
      heads: [...this.heads.value],
      query: this.query.value,
      key: this.key.value,
      neuron: this.neuron.value,
      pairs: this.pairs.value
    };
  }

  /** Takes up a stored selection; without a trace yet, it is fitted to the first one. */
  restore(saved: Selected): void {
    batch(() => {
      const asked = { site: saved.site, head: saved.head };
      const trace = this.shown?.trace;
      this.choose(saved.item);
      const focus = trace ? clamped(trace, asked) : asked;
      this.focus.value = focus;
      this.heads.value = trace ? together(trace, focus, saved.heads) : saved.heads;
      this.place = trace ? placeOf(trace, focus.site) : null;
      this.query.value = saved.query;
      this.key.value = saved.key;
      this.neuron.value = saved.neuron;
      this.pairs.value = saved.pairs;
      this.follow(this.sides());
    });
  }

  private sides(): Sides | null {
    const site = this.shown?.trace.sites[this.focus.peek().site];
    return this.shown && site ? sidesOf(this.shown, site) : null;
  }

  private follow(before: Sides | null): void {
    const after = this.sides();
    if (!after) {
      return;
    }
    this.query.value = place(this.query.peek(), before?.queries, after.queries);
    this.key.value = place(this.key.peek(), before?.keys, after.keys);
    const { query, key } = this.hover.peek();
    if ((query ?? -1) >= after.queries.length || (key ?? -1) >= after.keys.length) {
      this.hover.value = {};
    }
  }
}

function place(index: number | null, before: Token[] | undefined, after: Token[]): number | null {
  if (index === null || after.length === 0) {
    return null;
  }
  const from = before?.length ? before : after;
  // Python may name a token that is not there.
  return moved(Math.max(0, Math.min(index, from.length - 1)), from, after);
}

function placeOf(trace: TraceSummary, site: number): Place | null {
  const own = trace.sites[site];
  if (!own) {
    return null;
  }
  const { kind, stack, layer } = own;
  return { kind, stack, layer, nth: alike(trace, own).indexOf(own) };
}

/** The site at a place; of another model, whose modules have other names, the nearest to it. */
function findPlace(trace: TraceSummary, place: Place): number | undefined {
  const own = alike(trace, place);
  const other = own.length ? own : alike(trace, { ...place, stack: null });
  return other[place.nth]?.index;
}

function alike(
  trace: TraceSummary,
  { kind, stack, layer }: { kind: string; stack: string | null; layer: number }
): SiteSummary[] {
  return trace.sites.filter(
    site => site.kind === kind && site.layer === layer && (stack === null || site.stack === stack)
  );
}

function clamped(trace: TraceSummary, focus: Focus): Focus {
  const site = Math.max(0, Math.min(focus.site, trace.sites.length - 1));
  const heads = trace.sites[site]?.heads ?? 1;
  return { site, head: Math.max(0, Math.min(focus.head, heads - 1)) };
}

/** The heads of a set that the focused site has, the focus among them. */
function together(trace: TraceSummary, focus: Focus, heads: readonly number[]): number[] {
  const count = trace.sites[focus.site]?.heads ?? 1;
  const all = new Set([...heads.filter(head => head >= 0 && head < count), focus.head]);
  return [...all].sort((a, b) => a - b);
}
