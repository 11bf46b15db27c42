import { computed, type ReadonlySignal } from '@preact/signals-core';
import type { SiteSummary } from '../protocol/messages';
import {
  neuronOf,
  productsOf,
  rotatedOf,
  vectorsOf,
  type Neuron,
  type Rotated,
  type Vectors
} from './neuron';
import type { Load, Numbers, Pictures } from './pictures';
import { rested } from './rested';
import type { Selection } from './selection';
import type { Shown } from './tokens';
import { idOf, type Wish } from './wish';

/** Milliseconds for which a query is hovered before the kernel is asked to take it apart. */
const REST = 60;

const PENDING: Load = { state: 'pending' };

/** A query that is taken apart. */
export interface Dissected {
  query: number;
  neuron: Neuron;
  vectors: Vectors;
  products: Vectors;
  /** By dimension, where pairs were seen to be rotated. */
  rotated: ReadonlyMap<number, Rotated>;
}

/** Where a head is. */
type Place = Omit<Extract<Wish, { kind: 'head' }>, 'kind'>;

/**
 * The shown query of the focused head, taken apart.
 *
 * Nothing is asked for until someone watches. A hovered query is asked for when the pointer
 * rests; until its numbers have come, those of the query before it are kept, so that the view
 * does not flicker: `shown` says whose they are.
 */
export class Dissection {
  /** The query whose numbers are wanted. */
  readonly query: ReadonlySignal<number | null>;
  readonly vectors: ReadonlySignal<Load>;
  readonly neuron: ReadonlySignal<Load>;
  readonly shown: ReadonlySignal<Dissected | null>;

  constructor(
    private readonly pictures: Pictures,
    private readonly selection: Selection,
    shown: ReadonlySignal<Shown | null>,
    private readonly site: ReadonlySignal<SiteSummary | null>
  ) {
    const place = computed<Place | null>(() => {
      const { trace, item } = shown.value ?? {};
      const of = site.value?.terms === 'weights' ? null : site.value;
      const { head } = selection.focus.value;
      return trace && of && head < of.heads
        ? { trace: trace.id, item: item ?? 0, site: of.index, head }
        : null;
    });
    const resting = rested(
      computed(() => selection.hover.value.query),
      REST
    );
    this.query = computed(() => this.wanted(place.value, resting.value));
    this.vectors = computed(() =>
      place.value && this.query.value !== null
        ? pictures.want({ kind: 'vectors', ...place.value }).value
        : PENDING
    );
    this.neuron = computed(() =>
      place.value && this.query.value !== null
        ? pictures.want({ kind: 'neuron', query: this.query.value, ...place.value }).value
        : PENDING
    );
    this.shown = this.latest(place);
  }

  /**
   * The hovered query, where it is here already or the pointer rests on it; else the kept one.
   * Where none is kept a hover asks for nothing: the view would come and go with it.
   */
  private wanted(place: Place | null, resting: number | undefined): number | null {
    const { hover, query } = this.selection;
    const over = hover.value.query;
    const count = this.site.value?.queries ?? 0;
    const kept = query.value !== null && query.value < count ? query.value : null;
    if (!place || kept === null || over === undefined || over >= count) {
      return kept;
    }
    const here = this.pictures.has({ kind: 'neuron', query: over, ...place });
    return here || resting === over ? over : kept;
  }

  /** What is here of the wanted query; until all is, of the last one in the same head. */
  private latest(place: ReadonlySignal<Place | null>): ReadonlySignal<Dissected | null> {
    let last: { of: string; dissected: Dissected } | null = null;
    return computed(() => {
      const [neuron, vectors, query] = [this.neuron.value, this.vectors.value, this.query.value];
      const of = place.value && idOf({ kind: 'head', ...place.value });
      if (of === null || query === null) {
        return (last = null);
      }
      if (neuron.state === 'ready' && vectors.state === 'ready') {
        const dissected = taken(query, neuron.picture, vectors.picture, last?.dissected ?? null);
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
  neuronPicture: Numbers,
  vectorsPicture: Numbers,
  before: Dissected | null
): Dissected | null {
  const same = before?.vectors.data === vectorsPicture.data;
  const vectors = same ? before.vectors : vectorsOf(vectorsPicture);
  const rotated = same ? before.rotated : rotatedOf(vectorsPicture);
  const neuron = vectors && neuronOf(neuronPicture, vectors.keys);
  return vectors && neuron?.q.length === vectors.width
    ? { query, neuron, vectors, products: productsOf(neuron.q, vectors), rotated }
    : null;
}
