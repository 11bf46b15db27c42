/** The order of heads: by a score, or by layer if `score` is null. */
export interface HeadOrder {
  score: string | null;
  ascending: boolean;
}

export const BY_LAYER: HeadOrder = { score: null, ascending: false };

/** Selects the heads that are shown. */
export interface HeadFilter {
  /** Layers and heads as entered by the user, e.g. `0-5, 9`; empty for all. */
  layers: string;
  heads: string;
  /** Bounds of the score that heads are sorted by; null for none. */
  least: number | null;
  most: number | null;
}

export const UNFILTERED: HeadFilter = { layers: '', heads: '', least: null, most: null };

/** Returns a predicate for layer and head, ignoring scores; a list that cannot be parsed selects all. */
export function filterPredicate({
  layers,
  heads
}: HeadFilter): (layer: number, head: number) => boolean {
  const [rows, columns] = [parseNumbers(layers), parseNumbers(heads)];
  return (layer, head) => (rows?.has(layer) ?? true) && (columns?.has(head) ?? true);
}

/** Parses numbers and ranges, e.g. `0-5, 9`; null if empty, undefined if invalid. */
export function parseNumbers(text: string): ReadonlySet<number> | null | undefined {
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
