/** A weight as printed: three significant digits, and never a number that looks like zero. */
export function printed(weight: number): string {
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
