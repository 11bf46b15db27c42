import { computed, type ReadonlySignal } from '@preact/signals-core';
import type { HeadKey, SiteSummary } from '../../protocol/messages';
import type { Selection } from '../view-state/selection';
import { PENDING, type Load, type Numbers, type PayloadCache } from '../kernel/payload-cache';
import { idOf } from '../kernel/payload-key';
import { debounced } from '../debounced';
import type { Shown } from '../text/tokens';
import { QUERY_DEBOUNCE } from '../timing';
import {
  neuronOf,
  productsOf,
  rotatedOf,
  vectorsOf,
  type Neuron,
  type Rotated,
  type Vectors
} from './neuron';

/** One query, broken down by dimensions and terms. */
export interface Breakdown {
  query: number;
  neuron: Neuron;
  vectors: Vectors;
  products: Vectors;
  /** By dimension, if rotated pairs were detected. */
  rotated: ReadonlyMap<number, Rotated>;
}

/**
 * The breakdown of the shown query in the focused head.
 *
 * Nothing is requested until a view watches. A hovered query is requested after a debounce; to
 * avoid flicker, the previous query's breakdown is kept until it arrives. `shown` contains the
 * query that its numbers belong to.
 */
export class QueryBreakdown {
  /** The query that is requested. */
  readonly query: ReadonlySignal<number | null>;
  readonly vectors: ReadonlySignal<Load>;
  readonly neuron: ReadonlySignal<Load>;
  readonly shown: ReadonlySignal<Breakdown | null>;

  constructor(
    private readonly payloads: PayloadCache,
    private readonly selection: Selection,
    shown: ReadonlySignal<Shown | null>,
    private readonly site: ReadonlySignal<SiteSummary | null>
  ) {
    const place = computed<HeadKey | null>(() => {
      const { trace, item } = shown.value ?? {};
      const of = site.value?.terms === 'weights' ? null : site.value;
      const { head } = selection.focus.value;
      return trace && of && head < of.heads
        ? { trace: trace.id, item: item ?? 0, site: of.index, head }
        : null;
    });
    const resting = debounced(
      computed(() => selection.hover.value.query),
      QUERY_DEBOUNCE
    );
    this.query = computed(() => this.wanted(place.value, resting.value));
    this.vectors = computed(() =>
      place.value && this.query.value !== null
        ? payloads.want({ kind: 'vectors', ...place.value }).value
        : PENDING
    );
    this.neuron = computed(() =>
      place.value && this.query.value !== null
        ? payloads.want({ kind: 'neuron', query: this.query.value, ...place.value }).value
        : PENDING
    );
    this.shown = this.latest(place);
  }

  /**
   * The hovered query if it is cached or the pointer rests on it, otherwise the selected one.
   * Without a selected query, hovering requests nothing: the view would appear and disappear.
   */
  private wanted(place: HeadKey | null, resting: number | undefined): number | null {
    const { hover, query } = this.selection;
    const over = hover.value.query;
    const count = this.site.value?.queries ?? 0;
    const kept = query.value !== null && query.value < count ? query.value : null;
    if (!place || kept === null || over === undefined || over >= count) {
      return kept;
    }
    const here = this.payloads.has({ kind: 'neuron', query: over, ...place });
    return here || resting === over ? over : kept;
  }

  /** The breakdown of the requested query; until it arrives, the previous one of the same head. */
  private latest(place: ReadonlySignal<HeadKey | null>): ReadonlySignal<Breakdown | null> {
    let last: { of: string; dissected: Breakdown } | null = null;
    return computed(() => {
      const [neuron, vectors, query] = [this.neuron.value, this.vectors.value, this.query.value];
      const of = place.value && idOf({ kind: 'head', ...place.value });
      if (of === null || query === null) {
        return (last = null);
      }
      if (neuron.state === 'ready' && vectors.state === 'ready') {
        const dissected = taken(query, neuron.payload, vectors.payload, last?.dissected ?? null);
        last = dissected && { of, dissected };
      } else if (last?.of !== of || neuron.state === 'failed' || vectors.state === 'failed') {
        last = null;
      }
      return last?.dissected ?? null;
    });
  }
}

function taken(
  query: number,
  neuronPayload: Numbers,
  vectorsPayload: Numbers,
  before: Breakdown | null
): Breakdown | null {
  const same = before?.vectors.data === vectorsPayload.data;
  const vectors = same ? before.vectors : vectorsOf(vectorsPayload);
  const rotated = same ? before.rotated : rotatedOf(vectorsPayload);
  const neuron = vectors && neuronOf(neuronPayload, vectors.keys);
  return vectors && neuron?.q.length === vectors.width
    ? { query, neuron, vectors, products: productsOf(neuron.q, vectors), rotated }
    : null;
}
