/** Scores of a head, as `attnlab/analysis/scores.py` defines them, of rows that all count. */
export const LABELS = ['entropy', 'confidence', 'self_token', 'previous_token', 'first_token'];

export function scoresOf(weights: Float32Array, queries: number, keys: number): number[] {
  const mean = (of: (query: number) => number, from = 0): number => {
    let sum = 0;
    for (let query = from; query < queries; query++) {
      sum += of(query);
    }
    return sum / (queries - from);
  };
  const row = (query: number) => weights.subarray(query * keys, (query + 1) * keys);
  return [
    mean(query => -row(query).reduce((sum, a) => sum + (a > 0 ? a * Math.log(a) : 0), 0)),
    mean(query => Math.max(...row(query))),
    mean(query => row(query)[query] ?? NaN),
    mean(query => row(query)[query - 1] ?? NaN, 1),
    mean(query => row(query)[0] ?? NaN)
  ];
}
