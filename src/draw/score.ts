/** A score as printed: three significant digits, a true minus, and never one that looks like zero. */
export function scored(score: number): string {
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
