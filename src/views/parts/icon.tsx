interface IconProps {
  /** SVG path in a viewBox of 16 × 16. */
  path: string;
  filled?: boolean;
}

/** A line icon in the color of the text. */
export function Icon({ path, filled = false }: IconProps) {
  return (
    <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
      <path
        d={path}
        fill={filled ? 'currentColor' : 'none'}
        stroke="currentColor"
        stroke-width="1.3"
        stroke-linejoin="round"
        stroke-linecap="round"
      />
    </svg>
  );
}
