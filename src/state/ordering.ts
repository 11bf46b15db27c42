import type { Focus, TraceSummary } from '../protocol/messages';
import type { Numbers } from './pictures';

/** A head, and where its thumbnail and its scores are among those of all sites. */
export interface ModelHead extends Focus {
  layer: number;
  index: number;
}

/** A head with its score; NaN where the score is not defined. */
export interface ScoredHead extends ModelHead {
  score: number;
}

/** What heads are in order of: their layers where `score` is null. */
export interface Order {
  score: string | null;
  ascending: boolean;
}

/** Which heads are shown. */
export interface Filter {
  /** Layers by their number; null for all. */
  layers: ReadonlySet<number> | null;
  /** Heads whose score is less are left out; null for none. */
  least: number | null;
}

export const UNFILTERED: Filter = { layers: null, least: null };

const ASCENDING = ' ascending';

/** Reads an order as it is stored: `layer`, `entropy`, `entropy ascending`. */
export function orderOf(stored: string): Order {
  const ascending = stored.endsWith(ASCENDING);
  const score = ascending ? stored.slice(0, -ASCENDING.length) : stored;
  return score === 'layer' ? { score: null, ascending: false } : { score, ascending };
}

export function storedOrder({ score, ascending }: Order): string {
  return score === null ? 'layer' : score + (ascending ? ASCENDING : '');
}

/** All heads of a trace, site after site. */
export function headsOf({ sites }: Pick<TraceSummary, 'sites'>): ModelHead[] {
  let index = 0;
  return sites.flatMap(({ index: site, layer, heads }) =>
    Array.from({ length: heads }, (_, head) => ({ site, head, layer, index: index++ }))
  );
}

/** One score of every head; null for a score that the kernel does not know. */
export function scoreOf({ shape, data, labels }: Numbers, name: string): Float32Array | null {
  const [heads = 0, columns = 0] = shape;
  const column = labels?.indexOf(name) ?? -1;
  return column < 0
    ? null
    : Float32Array.from({ length: heads }, (_, head) => data[head * columns + column] ?? NaN);
}

/** Heads in order of a score; those without one come last. Equal ones keep the model's order. */
export function ranked(
  heads: readonly ModelHead[],
  scores: ArrayLike<number>,
  ascending: boolean,
  { layers, least }: Filter = UNFILTERED
): ScoredHead[] {
  const sign = ascending ? 1 : -1;
  return heads
    .map(head => ({ ...head, score: scores[head.index] ?? NaN }))
    .filter(
      ({ layer, score }) => (layers?.has(layer) ?? true) && (least === null || score >= least)
    )
    .sort((a, b) => {
      const [none, other] = [Number.isNaN(a.score), Number.isNaN(b.score)];
      return none || other ? Number(none) - Number(other) : sign * (a.score - b.score);
    });
}

/** Reads layers as a person writes them, e.g. `0-5, 9`; null for all, undefined for no layers. */
export function layersIn(text: string): ReadonlySet<number> | null | undefined {
  const parts = text.split(/[,;\s]+/).filter(Boolean);
  const layers = new Set<number>();
  for (const part of parts) {
    const [, from, to = from] = /^(\d{1,4})(?:[-–](\d{1,4}))?$/.exec(part) ?? [];
    if (from === undefined) {
      return undefined;
    }
    for (let layer = Number(from); layer <= Number(to); layer++) {
      layers.add(layer);
    }
  }
  return parts.length === 0 ? null : layers;
}

/** Share of the longest bar that a score's is; a score below zero has none. */
export function barOf(score: number, scores: ArrayLike<number>): number {
  let largest = 0;
  for (const other of Array.from(scores)) {
    largest = other > largest ? other : largest;
  }
  return largest > 0 && score > 0 ? Math.min(1, score / largest) : 0;
}
