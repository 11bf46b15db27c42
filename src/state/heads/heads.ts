import { computed, type ReadonlySignal } from '@preact/signals-core';
import type { PayloadKey, SiteSummary } from '../../protocol/messages';
import type { Display } from '../view-state/display';
import type { Selection } from '../view-state/selection';
import { PENDING, type Load, type PayloadCache } from '../kernel/payload-cache';
import type { Progress } from '../kernel/payload-key';
import { debounced } from '../debounced';
import type { Shown, Sides } from '../text/tokens';
import { QUERY_DEBOUNCE } from '../timing';
import { groupWeights } from './grouped-weights';
import { isLong, longWeights, withoutCurves, withRow } from './long-weights';
import { visibleWeights, type VisibleWeights } from './visible-weights';
import { sliceOf, type WeightSlice } from './weight-slice';
import { headAxes, type HeadAxes } from './head-axes';
import { exactWeights, roughWeights, type Weights } from './weights';

/** One of the heads that are drawn together. */
export interface HeadWeights {
  head: number;
  weights: VisibleWeights;
}

/** The state that `Heads` depends on. */
export interface HeadSources {
  payloads: PayloadCache;
  selection: Selection;
  display: Display;
  shown: ReadonlySignal<Shown | null>;
  site: ReadonlySignal<SiteSummary | null>;
  sides: ReadonlySignal<Sides>;
  thumbnails: ReadonlySignal<Load>;
}

/**
 * The heads that are drawn together, with the weights that are known.
 *
 * A head of up to 512 × 512 weights is fetched whole. For a longer one, the heaviest weights of
 * each query are fetched, and the exact row of the query under the pointer.
 */
export class Heads {
  /** The focused head: all weights, or the heaviest ones of a long head. */
  readonly load: ReadonlySignal<Load>;
  readonly progress: ReadonlySignal<Progress | null>;
  /** Whether only the heaviest weights of each query are fetched. */
  readonly long: ReadonlySignal<boolean>;
  /** The focused head's weights by token; null before any have arrived. */
  readonly weights: ReadonlySignal<Weights | null>;
  readonly axes: ReadonlySignal<HeadAxes>;
  /** The heads by the rows and columns of `axes`, without those whose weights are unknown. */
  readonly all: ReadonlySignal<readonly HeadWeights[]>;
  /** The same with the exact row of the shown query; the source of all printed numbers. */
  readonly withExactRow: ReadonlySignal<readonly HeadWeights[]>;
  /** The focused head of `withExactRow`. */
  readonly focused: ReadonlySignal<VisibleWeights | null>;
  /** The selected row or column, by the rows and columns of `axes`. */
  readonly slice: ReadonlySignal<WeightSlice>;

  constructor(private readonly from: HeadSources) {
    const { payloads, selection, display, shown, site, sides } = from;
    const focus = computed(() => selection.focus.value.head);
    const heads = computed(() => {
      const count = site.value?.heads ?? 0;
      return selection.heads.value.filter(head => head < count);
    });
    this.long = computed(() => site.value !== null && isLong(site.value));
    const want = (payloadKey: PayloadKey | null): Load =>
      payloadKey ? payloads.want(payloadKey).value : PENDING;
    this.load = computed(() => want(this.payloadKey(focus.value)));
    this.progress = computed(() => {
      const payloadKey = this.payloadKey(focus.value);
      return payloadKey && payloads.progress(payloadKey).value;
    });
    const raw = computed(() =>
      heads.value.flatMap(head => {
        const weights = this.read(head, want(this.payloadKey(head)));
        return weights ? [{ head, weights }] : [];
      })
    );
    const query = computed(() =>
      this.long.value ? inRange(selection.shownQuery.value, sides.value.queries.length) : null
    );
    const settled = debounced(query, QUERY_DEBOUNCE);
    const row = computed(() => {
      const [now, { trace, item }] = [query.value, shown.value ?? { trace: null, item: 0 }];
      if (now === null || !trace || !site.value) {
        return null;
      }
      const payloadKey: PayloadKey = {
        kind: 'row',
        trace: trace.id,
        item,
        site: site.value.index,
        query: now
      };
      // A cached row needs no debounce.
      const load = settled.value === now || payloads.has(payloadKey) ? want(payloadKey) : PENDING;
      return load.state === 'ready' ? { query: now, payload: load.payload } : null;
    });
    const exact = (weights: Weights, head: number): Weights =>
      row.value ? withRow(weights, row.value.query, row.value.payload, head) : weights;
    this.weights = computed(() => {
      const focused = raw.value.find(({ head }) => head === focus.value);
      return focused ? exact(focused.weights, focused.head) : null;
    });
    this.axes = computed(() =>
      headAxes(sides.value, {
        pairs: selection.pairs.value,
        hideSpecial: display.hideSpecial.value,
        words: display.words.value
      })
    );
    const shownAs = (weights: Weights): VisibleWeights =>
      visibleWeights(groupWeights(weights, this.axes.value), display.mass.value);
    this.all = computed(() =>
      raw.value.map(({ head, weights }) => ({ head, weights: shownAs(weights) }))
    );
    this.withExactRow = computed(() =>
      row.value === null
        ? this.all.value
        : raw.value.map(({ head, weights }) => ({ head, weights: shownAs(exact(weights, head)) }))
    );
    this.focused = computed(
      () => this.withExactRow.value.find(({ head }) => head === focus.value)?.weights ?? null
    );
    this.slice = computed(() => {
      const { queries, keys } = this.axes.value;
      const entry = (of: Int32Array, token: number | null) =>
        token === null ? null : (of[token] ?? -1);
      return sliceOf(
        entry(queries.entryOf, selection.shownQuery.value),
        entry(keys.entryOf, selection.shownKey.value),
        { queries: queries.entries, keys: keys.entries }
      );
    });
  }

  private payloadKey(head: number): PayloadKey | null {
    const [shown, site] = [this.from.shown.value, this.from.site.value];
    return shown && site ? headKey(shown, site, head) : null;
  }

  /** The most exact weights that are available of a head. */
  private read(head: number, load: Load): Weights | null {
    const [trace, site] = [this.from.shown.value?.trace, this.from.site.value];
    if (!trace || !site) {
      return null;
    }
    if (load.state === 'ready' && !this.long.value) {
      return exactWeights(load.payload);
    }
    const thumbnails = this.from.thumbnails.value;
    // A sampled pixel may be of another query, so it gives no weight.
    const rough =
      thumbnails.state === 'ready' && !thumbnails.sampled
        ? roughWeights(thumbnails.payload, trace, site, head)
        : null;
    if (load.state === 'ready') {
      return longWeights(load.payload, rough, site.keys);
    }
    return rough && this.long.value ? withoutCurves(rough) : rough;
  }
}

/** The request key of a head: all its weights, or the heaviest ones of a long head. */
export function headKey({ trace, item }: Shown, site: SiteSummary, head: number): PayloadKey {
  const kind = isLong(site) ? 'topk' : 'head';
  return { kind, trace: trace.id, item, site: site.index, head };
}

function inRange(index: number | null, length: number): number | null {
  return index !== null && index < length ? index : null;
}
