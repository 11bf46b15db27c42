import { formatWeight } from '../../draw/format-number';

interface WeightBarProps {
  weight: number;
  /** Whether the number is exact; one read from a rounded payload is printed with ≈. */
  exact: boolean;
}

/** A weight as a bar and a number. */
export function WeightBar({ weight, exact }: WeightBarProps) {
  const known = !Number.isNaN(weight);
  const share = known ? Math.max(0, Math.min(1, weight)) : 1;
  return (
    <span class="attnlab-bar" data-nan={!known || undefined}>
      <span class="attnlab-bar-fill" style={{ '--attnlab-share': share.toFixed(4) }} />
      <span class="attnlab-number">
        {known && !exact ? '≈' : ''}
        {formatWeight(weight)}
      </span>
    </span>
  );
}

/** Sets `--attnlab-weight`, from 0 to 1, from which the stylesheet mixes a token's background. */
export function tintStyle(weight: number | undefined): Record<string, string> {
  return weight === undefined || Number.isNaN(weight)
    ? {}
    : { '--attnlab-weight': Math.max(0, Math.min(1, weight)).toFixed(3) };
}
