import { MAX_LINES, type WeightLine } from '../../draw/weight-lines';
import type { HeadWeights } from '../../state/heads/heads';
import type { VisibleWeights } from '../../state/heads/visible-weights';
import type { WeightSlice } from '../../state/heads/weight-slice';
import type { HeadAxes } from '../../state/heads/head-axes';

/** The weights without those of padding queries, which have no meaning. */
export function withoutPadding(weights: VisibleWeights, { queries }: HeadAxes): VisibleWeights {
  return {
    ...weights,
    each: (query, start, end, see) => {
      if (!queries.entries[query]?.token.padding) {
        weights.each(query, start, end, see);
      }
    }
  };
}

/** The opacity of the weakest lines: lower with more lines, which would otherwise merge. */
export function faintest(most: number, lines: readonly WeightLine[]): number {
  return Math.min(most, (20 * most) / (lines.length + 1));
}

/** Weights smaller than the largest one by more than this factor are printed, but not drawn. */
const NEGLIGIBLE = 500;

/** The lines of the row or column in question, the largest last, without NaN. */
export function linesInQuestion(
  question: WeightSlice,
  heads: readonly HeadWeights[]
): WeightLine[] {
  const lines: WeightLine[] = [];
  heads.forEach(({ weights }, head) => {
    if (question.kind === 'row') {
      const { query } = question;
      weights.each(query, 0, weights.keys, (key, weight) =>
        lines.push({ query, key, weight, head })
      );
    } else if (question.kind === 'column') {
      const { key } = question;
      for (let query = 0; query < weights.queries; query++) {
        weights.each(query, key, key + 1, (_, weight) => lines.push({ query, key, weight, head }));
      }
    }
  });
  // Hundreds of negligible weights would be drawn as a haze.
  const largest = lines.reduce((most, { weight }) => (weight > most ? weight : most), 0);
  return lines
    .filter(({ weight }) => weight > largest / NEGLIGIBLE)
    .sort((a, b) => a.weight - b.weight)
    .slice(-MAX_LINES);
}

/**
 * Returns the weight of a head at a row of the side opposite to the question.
 *
 * It is NaN unless exact: the largest weight of a pixel would be drawn beside every token that
 * shares the pixel.
 */
export function exactWeights(
  question: WeightSlice,
  heads: readonly HeadWeights[]
): (head: number, row: number) => number {
  return (head, row) => {
    const weights = heads[head]?.weights;
    const [query, key] =
      question.kind === 'row'
        ? [question.query, row]
        : [row, question.kind === 'column' ? question.key : -1];
    const exact =
      weights &&
      query < weights.queries &&
      key < weights.keys &&
      weights.known(query, key) === 'exact' &&
      weights.isVisible(query, key);
    return exact ? weights.at(query, key) : NaN;
  };
}
