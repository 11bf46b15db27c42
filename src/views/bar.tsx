import { printed } from '../draw/number';

interface BarProps {
  weight: number;
  /** Whether the number is the kernel's own; one read from a picture is printed with ≈. */
  exact: boolean;
}

/** A weight as a bar and as a number. */
export function Bar({ weight, exact }: BarProps) {
  const known = !Number.isNaN(weight);
  const share = known ? Math.max(0, Math.min(1, weight)) : 1;
  return (
    <span class="attnlab-bar" data-nan={!known || undefined}>
      <span class="attnlab-bar-fill" style={{ '--attnlab-share': share.toFixed(4) }} />
      <span class="attnlab-number">
        {known && !exact ? '≈' : ''}
        {printed(weight)}
      </span>
    </span>
  );
}
