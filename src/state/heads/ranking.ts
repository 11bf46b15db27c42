import type { Focus, TraceSummary } from '../../protocol/messages';
import { filterPredicate, UNFILTERED, type HeadFilter } from '../view-state/head-filter';
import type { Numbers } from '../kernel/payload-cache';

/** A head, and the index of its thumbnail and scores among the heads of all sites. */
export interface ModelHead extends Focus {
  layer: number;
  index: number;
}

/** A head with its score; NaN if undefined. */
export interface ScoredHead extends ModelHead {
  score: number;
}

/** All heads of a trace, by site. */
export function headsOf({ sites }: Pick<TraceSummary, 'sites'>): ModelHead[] {
  let index = 0;
  return sites.flatMap(({ index: site, layer, heads }) =>
    Array.from({ length: heads }, (_, head) => ({ site, head, layer, index: index++ }))
  );
}

/** One score of every head; null if the kernel does not compute it. */
export function scoreOf({ shape, data, labels }: Numbers, name: string): Float32Array | null {
  const [heads = 0, columns = 0] = shape;
  const column = labels?.indexOf(name) ?? -1;
  return column < 0
    ? null
    : Float32Array.from({ length: heads }, (_, head) => data[head * columns + column] ?? NaN);
}

/** Sorts heads by a score; those without a score come last, equal ones keep the model's order. */
export function rankHeads(
  heads: readonly ModelHead[],
  scores: ArrayLike<number>,
  ascending: boolean,
  filter: HeadFilter = UNFILTERED
): ScoredHead[] {
  const { least, most } = filter;
  const shows = filterPredicate(filter);
  const sign = ascending ? 1 : -1;
  return heads
    .map(head => ({ ...head, score: scores[head.index] ?? NaN }))
    .filter(
      ({ layer, head, score }) =>
        shows(layer, head) && (least === null || score >= least) && (most === null || score <= most)
    )
    .sort((a, b) => {
      const [none, other] = [Number.isNaN(a.score), Number.isNaN(b.score)];
      return none || other ? Number(none) - Number(other) : sign * (a.score - b.score);
    });
}

/** Length of a score's bar as a fraction of the longest; 0 for negative scores. */
export function barLength(score: number, scores: ArrayLike<number>): number {
  let largest = 0;
  for (const other of Array.from(scores)) {
    largest = other > largest ? other : largest;
  }
  return largest > 0 && score > 0 ? Math.min(1, score / largest) : 0;
}
