/** A rectangle, in CSS pixels. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Space between a card and what it is of, and the edges that it keeps from. */
const SPACE = 8;

/**
 * Where a card of this size stands beside `of` within `bounds`, never over it: right of it,
 * else left, below, above; null where it fits nowhere.
 */
export function beside(
  of: Box,
  size: { width: number; height: number },
  bounds: Box
): { left: number; top: number } | null {
  const within = (at: number, length: number, start: number, room: number): number =>
    Math.max(start + SPACE, Math.min(at, start + room - length - SPACE));
  const top = within(of.top, size.height, bounds.top, bounds.height);
  const left = within(of.left, size.width, bounds.left, bounds.width);
  const places = [
    { left: of.left + of.width + SPACE, top },
    { left: of.left - size.width - SPACE, top },
    { left, top: of.top + of.height + SPACE },
    { left, top: of.top - size.height - SPACE }
  ];
  const fits = (place: { left: number; top: number }): boolean =>
    place.left >= bounds.left + SPACE &&
    place.top >= bounds.top + SPACE &&
    place.left + size.width <= bounds.left + bounds.width - SPACE &&
    place.top + size.height <= bounds.top + bounds.height - SPACE;
  return places.find(fits) ?? null;
}
