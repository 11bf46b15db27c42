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

export const BY_LAYER: Order = { score: null, ascending: false };

/** Which heads are shown. */
export interface Filter {
  /** Layers and heads as a person writes them, e.g. `0-5, 9`; all where that is empty. */
  layers: string;
  heads: string;
  /** The range of the score that heads are in order of; null for no bound. */
  least: number | null;
  most: number | null;
}

export const UNFILTERED: Filter = { layers: '', heads: '', least: null, most: null };

/** Whether the filter shows a head, whatever its score; what cannot be read shows all. */
export function passes({ layers, heads }: Filter): (layer: number, head: number) => boolean {
  const [rows, columns] = [numbersIn(layers), numbersIn(heads)];
  return (layer, head) => (rows?.has(layer) ?? true) && (columns?.has(head) ?? true);
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
  filter: Filter = UNFILTERED
): ScoredHead[] {
  const { least, most } = filter;
  const shows = passes(filter);
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

/** Reads numbers as a person writes them, e.g. `0-5, 9`; null for all, undefined for no numbers. */
export function numbersIn(text: string): ReadonlySet<number> | null | undefined {
  const parts = text.split(/[,;\s]+/).filter(Boolean);
  const numbers = new Set<number>();
  for (const part of parts) {
    const [, from, to = from] = /^(\d{1,4})(?:[-–](\d{1,4}))?$/.exec(part) ?? [];
    if (from === undefined) {
      return undefined;
    }
    for (let number = Number(from); number <= Number(to); number++) {
      numbers.add(number);
    }
  }
  return parts.length === 0 ? null : numbers;
}

/** Share of the longest bar that a score's is; a score below zero has none. */
export function barOf(score: number, scores: ArrayLike<number>): number {
  let largest = 0;
  for (const other of Array.from(scores)) {
    largest = other > largest ? other : largest;
  }
  return largest > 0 && score > 0 ? Math.min(1, score / largest) : 0;
}
