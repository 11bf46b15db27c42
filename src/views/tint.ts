/** A token's background: `--attnlab-weight` from 0 to 1, as the stylesheet mixes it. */
export function tint(weight: number | undefined): Record<string, string> {
  return weight === undefined || Number.isNaN(weight)
    ? {}
    : { '--attnlab-weight': Math.max(0, Math.min(1, weight)).toFixed(3) };
}
