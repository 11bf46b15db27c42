import { computed, type ReadonlySignal } from '@preact/signals-core';
import type { SiteSummary } from '../protocol/messages';
import type { Display } from './display';
import { folded } from './folded';
import { isLong, longWeights, withoutCurves, withRow } from './long-weights';
import { drawn, type Drawn } from './mass';
import type { Load, Pictures, Progress, Wish } from './pictures';
import { questionOf, type Question } from './question';
import { readingOf, type Reading } from './reading';
import { rested } from './rested';
import type { Selection } from './selection';
import type { Shown, Sides } from './tokens';
import { exactWeights, roughWeights, type Weights } from './weights';

/** Milliseconds for which the pointer rests on a query before its exact row is asked for. */
const REST = 60;

const PENDING: Load = { state: 'pending' };

/** One of the heads that are drawn together. */
export interface HeadWeights {
  head: number;
  weights: Drawn;
}

/** What the heads of a panel are read from. */
export interface HeadSources {
  pictures: Pictures;
  selection: Selection;
  display: Display;
  shown: ReadonlySignal<Shown | null>;
  site: ReadonlySignal<SiteSummary | null>;
  sides: ReadonlySignal<Sides>;
  thumbnails: ReadonlySignal<Load>;
}

/**
 * The heads that are drawn together, as far as their weights are known and as they are shown.
 *
 * A head of up to 512 × 512 weights is fetched whole. Of a longer one each query's heaviest
 * weights are, and the exact row of the query that the pointer rests on.
 */
export class Heads {
  /** The focused head: whole, or of a long text its heaviest weights. */
  readonly load: ReadonlySignal<Load>;
  readonly progress: ReadonlySignal<Progress | null>;
  /** Whether only the heaviest weights of each query are here. */
  readonly long: ReadonlySignal<boolean>;
  /** The focused head's weights, token by token; null before any have come. */
  readonly weights: ReadonlySignal<Weights | null>;
  readonly reading: ReadonlySignal<Reading>;
  /** The heads by the reading's rows and columns; those of which nothing is known are missing. */
  readonly all: ReadonlySignal<readonly HeadWeights[]>;
  /** The same with the exact row of the query in question: what numbers are read from. */
  readonly asked: ReadonlySignal<readonly HeadWeights[]>;
  /** The focused one of these. */
  readonly focused: ReadonlySignal<Drawn | null>;
  /** What is asked of them, by the reading's rows and columns. */
  readonly question: ReadonlySignal<Question>;

  constructor(private readonly from: HeadSources) {
    const { pictures, selection, display, shown, site, sides } = from;
    const focus = computed(() => selection.focus.value.head);
    const heads = computed(() => {
      const count = site.value?.heads ?? 0;
      return selection.heads.value.filter(head => head < count);
    });
    this.long = computed(() => site.value !== null && isLong(site.value));
    const want = (wish: Wish | null): Load => (wish ? pictures.want(wish).value : PENDING);
    this.load = computed(() => want(this.wish(focus.value)));
    this.progress = computed(() => {
      const wish = this.wish(focus.value);
      return wish && pictures.progress(wish).value;
    });
    const raw = computed(() =>
      heads.value.flatMap(head => {
        const weights = this.read(head, want(this.wish(head)));
        return weights ? [{ head, weights }] : [];
      })
    );
    const query = computed(() =>
      this.long.value ? inRange(selection.shownQuery.value, sides.value.queries.length) : null
    );
    const settled = rested(query, REST);
    const row = computed(() => {
      const [now, { trace, item }] = [query.value, shown.value ?? { trace: null, item: 0 }];
      if (now === null || !trace || !site.value) {
        return null;
      }
      const wish: Wish = { kind: 'row', trace: trace.id, item, site: site.value.index, query: now };
      // One that is here already needs no rest.
      const load = settled.value === now || pictures.has(wish) ? want(wish) : PENDING;
      return load.state === 'ready' ? { query: now, picture: load.picture } : null;
    });
    const exact = (weights: Weights, head: number): Weights =>
      row.value ? withRow(weights, row.value.query, row.value.picture, head) : weights;
    this.weights = computed(() => {
      const own = raw.value.find(({ head }) => head === focus.value);
      return own ? exact(own.weights, own.head) : null;
    });
    this.reading = computed(() =>
      readingOf(sides.value, {
        pairs: selection.pairs.value,
        hideSpecial: display.hideSpecial.value,
        words: display.words.value
      })
    );
    const shownAs = (weights: Weights): Drawn =>
      drawn(folded(weights, this.reading.value), display.mass.value);
    this.all = computed(() =>
      raw.value.map(({ head, weights }) => ({ head, weights: shownAs(weights) }))
    );
    this.asked = computed(() =>
      row.value === null
        ? this.all.value
        : raw.value.map(({ head, weights }) => ({ head, weights: shownAs(exact(weights, head)) }))
    );
    this.focused = computed(
      () => this.asked.value.find(({ head }) => head === focus.value)?.weights ?? null
    );
    this.question = computed(() => {
      const { queries, keys } = this.reading.value;
      const entry = (of: Int32Array, token: number | null) =>
        token === null ? null : (of[token] ?? -1);
      return questionOf(
        entry(queries.of, selection.shownQuery.value),
        entry(keys.of, selection.shownKey.value),
        { queries: queries.entries, keys: keys.entries }
      );
    });
  }

  private wish(head: number): Wish | null {
    const [shown, site] = [this.from.shown.value, this.from.site.value];
    return shown && site ? headWish(shown, site, head) : null;
  }

  /** A head's weights, the best there are. */
  private read(head: number, load: Load): Weights | null {
    const [trace, site] = [this.from.shown.value?.trace, this.from.site.value];
    if (!trace || !site) {
      return null;
    }
    if (load.state === 'ready' && !this.long.value) {
      return exactWeights(load.picture);
    }
    const thumbnails = this.from.thumbnails.value;
    // A sampled pixel may be of another query altogether: no number is read from it.
    const rough =
      thumbnails.state === 'ready' && !thumbnails.sampled
        ? roughWeights(thumbnails.picture, trace, site, head)
        : null;
    if (load.state === 'ready') {
      return longWeights(load.picture, rough, site.keys);
    }
    return rough && this.long.value ? withoutCurves(rough) : rough;
  }
}

/** The picture that a head is shown from: all its weights, or of a long one the heaviest. */
export function headWish({ trace, item }: Shown, site: SiteSummary, head: number): Wish {
  const kind = isLong(site) ? 'edges' : 'head';
  return { kind, trace: trace.id, item, site: site.index, head };
}

function inRange(index: number | null, length: number): number | null {
  return index !== null && index < length ? index : null;
}
