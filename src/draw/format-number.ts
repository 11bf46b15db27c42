/** Formats a weight with three significant digits; a weight above zero never prints as zero. */
export function formatWeight(weight: number): string {
  if (Number.isNaN(weight)) {
    return 'NaN';
  }
  if (weight === 0) {
    return '0';
  }
  if (Math.abs(weight) >= 0.1) {
    return weight.toFixed(3);
  }
  return Math.abs(weight) >= 0.001 ? weight.toFixed(4) : weight.toExponential(1);
}

/** Formats a score with three significant digits and a true minus; only zero prints as zero. */
export function formatScore(score: number): string {
  if (Number.isNaN(score)) {
    return 'NaN';
  }
  const size = Math.abs(score);
  if (size === Infinity) {
    return score < 0 ? '−∞' : '∞';
  }
  return (score < 0 ? '−' : '') + digits(size);
}

function digits(size: number): string {
  if (size === 0) {
    return '0';
  }
  if (size < 0.005 || size >= 1e5) {
    return size.toExponential(0).replace('+', '').replace('-', '−');
  }
  return size.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}
