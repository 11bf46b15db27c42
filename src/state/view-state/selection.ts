import { batch, computed, signal, type ReadonlySignal } from '@preact/signals-core';
import type {
  Focus,
  SelectionState,
  SiteSummary,
  Token,
  TraceSummary
} from '../../protocol/messages';
import { moved, sidesOf, type Shown, type Sides } from '../text/tokens';

/** The transient part of a selection: the tokens under the pointer or the caret. */
export interface Hover {
  query?: number;
  key?: number;
}

/** Identifies a site across traces, where its index may differ. */
interface SiteLocation {
  kind: SiteSummary['kind'];
  stack: string;
  layer: number;
  /** Index among the sites of this stack and layer, as a module may be called twice. */
  nth: number;
}

/**
 * The selection of a panel, shared by all of its views.
 *
 * `hover` is never sent to the kernel; everything else is kept when the trace changes, see `fit`.
 */
export class Selection {
  /** Batch item. */
  readonly item = signal(0);
  readonly focus = signal<Focus>({ site: 0, head: 0 });
  /** Heads of the focused site that are drawn together, sorted; includes the focused head. */
  readonly heads = signal<readonly number[]>([0]);
  readonly query = signal<number | null>(null);
  readonly key = signal<number | null>(null);
  /** A dimension of the head's queries and keys; ignored for a head with fewer dimensions. */
  readonly dimension = signal<number | null>(null);
  /** Which sentence pairs are shown of a text of two sentences. */
  readonly pairs = signal<SelectionState['pairs']>('all');
  readonly hover = signal<Hover>({});

  /** The query that views show: the hovered one, otherwise the selected one. */
  readonly shownQuery: ReadonlySignal<number | null> = computed(
    () => this.hover.value.query ?? this.query.value
  );

  /** The key that views show: the hovered one, otherwise the selected one. */
  readonly shownKey: ReadonlySignal<number | null> = computed(
    () => this.hover.value.key ?? this.key.value
  );

  private shown: Shown | null = null;
  private place: SiteLocation | null = null;
  /** The item that the user selected; kept while a trace without that item is shown. */
  private chosen = 0;

  /** Selects a batch item, clamped to the items of the trace. */
  choose(item: number): void {
    this.chosen = Math.max(0, Math.min(item, (this.shown?.trace.items ?? Infinity) - 1));
    this.item.value = this.chosen;
  }

  /** Focuses a head and draws it alone; query and key move to the same tokens, if present. */
  setFocus(focus: Focus): void {
    batch(() => {
      const before = this.sides();
      this.focus.value = focus;
      this.heads.value = [focus.head];
      this.place = this.shown && placeOf(this.shown.trace, focus.site);
      this.follow(before);
    });
  }

  /** Adds a head of the focused site to those drawn, or removes it unless it is the only one. */
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

  /** Draws only one head of the focused site; if it already is the only one, draws all. */
  isolate(head: number): void {
    const { site } = this.focus.peek();
    const alone = this.heads.peek().length === 1 && this.heads.peek()[0] === head;
    const count = this.shown?.trace.sites[site]?.heads ?? 1;
    batch(() => {
      this.heads.value = alone ? Array.from({ length: count }, (_, i) => i) : [head];
      this.focus.value = { site, head };
    });
  }

  /** Selects a query or key token, or clears it if it is already selected. */
  toggle(side: 'query' | 'key', index: number): void {
    const chosen = this[side];
    chosen.value = chosen.peek() === index ? null : index;
  }

  /** Clears everything but the item and the focused heads. */
  clear(): void {
    batch(() => {
      this.query.value = null;
      this.key.value = null;
      this.dimension.value = null;
      this.hover.value = {};
    });
  }

  /** Adapts the selection to another trace or item: the same head and the same tokens, if present. */
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
      // A location that is missing in this trace is kept: the next trace may have it again.
      this.place ??= placeOf(trace, focus.site);
      this.follow(before);
    });
  }

  toJSON(): SelectionState {
    const { site, head } = this.focus.value;
    return {
      item: this.item.value,
      site,
      head,
      heads: [...this.heads.value],
      query: this.query.value,
      key: this.key.value,
      dimension: this.dimension.value,
      pairs: this.pairs.value
    };
  }

  /** Restores a stored selection; before the first trace, it is applied when that arrives. */
  restore(saved: SelectionState): void {
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
      this.dimension.value = saved.dimension;
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
  // The index may come from Python and be out of range.
  return moved(Math.max(0, Math.min(index, from.length - 1)), from, after);
}

function placeOf(trace: TraceSummary, site: number): SiteLocation | null {
  const found = trace.sites[site];
  if (!found) {
    return null;
  }
  const { kind, stack, layer } = found;
  return { kind, stack, layer, nth: alike(trace, found).indexOf(found) };
}

/** Finds the site at a location; in another model, ignores the module names of the stack. */
function findPlace(trace: TraceSummary, place: SiteLocation): number | undefined {
  const same = alike(trace, place);
  const other = same.length ? same : alike(trace, { ...place, stack: null });
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

/** The heads of a set that exist in the focused site, and the focused head, sorted. */
function together(trace: TraceSummary, focus: Focus, heads: readonly number[]): number[] {
  const count = trace.sites[focus.site]?.heads ?? 1;
  const all = new Set([...heads.filter(head => head >= 0 && head < count), focus.head]);
  return [...all].sort((a, b) => a - b);
}
