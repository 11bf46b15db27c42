import { batch, computed, signal, type ReadonlySignal } from '@preact/signals-core';
import type { Focus, SiteSummary, Token, TraceSummary } from '../protocol/messages';
import { moved, sidesOf, type Shown, type Sides } from './tokens';

/** The passing part of a selection: what the pointer or the caret is on. */
export interface Hover {
  query?: number;
  key?: number;
}

/** A selection as it is stored: by index, for the trace that it was made on. */
export interface SavedSelection {
  item: number;
  site: number;
  head: number;
  query: number | null;
  key: number | null;
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
  readonly query = signal<number | null>(null);
  readonly key = signal<number | null>(null);
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

  /** Shows another head. The query and the key stay where both sides keep their tokens. */
  look(focus: Focus): void {
    batch(() => {
      const before = this.sides();
      this.focus.value = focus;
      this.place = this.shown && placeOf(this.shown.trace, focus.site);
      this.follow(before);
    });
  }

  /** Selects a token of either side; selecting it again lets go of it. */
  toggle(side: 'query' | 'key', index: number): void {
    const chosen = this[side];
    chosen.value = chosen.peek() === index ? null : index;
  }

  /** Lets go of the query, the key and the hover; the focus stays. */
  clear(): void {
    batch(() => {
      this.query.value = null;
      this.key.value = null;
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
      // A place that this trace lacks is kept: the next trace may have it again.
      this.place ??= placeOf(trace, focus.site);
      this.follow(before);
    });
  }

  toJSON(): SavedSelection {
    const { site, head } = this.focus.value;
    return { item: this.item.value, site, head, query: this.query.value, key: this.key.value };
  }

  /** Takes up a stored selection; without a trace yet, it is fitted to the first one. */
  restore(saved: SavedSelection): void {
    batch(() => {
      const focus = { site: saved.site, head: saved.head };
      const trace = this.shown?.trace;
      this.choose(saved.item);
      this.focus.value = trace ? clamped(trace, focus) : focus;
      this.place = trace ? placeOf(trace, this.focus.peek().site) : null;
      this.query.value = saved.query;
      this.key.value = saved.key;
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
  return index === null || after.length === 0 ? null : moved(index, before ?? after, after);
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
