/** A rectangle, in CSS pixels. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Space between a card and its target, and between the card and the bounds, in pixels. */
const SPACE = 8;

/**
 * The position of a card beside its target: to the right, or else left, below or above.
 *
 * @returns The upper left corner; null if the card fits on no side within `bounds`.
 */
export function positionBeside(
  target: Box,
  size: { width: number; height: number },
  bounds: Box
): { left: number; top: number } | null {
  const within = (at: number, length: number, start: number, room: number): number =>
    Math.max(start + SPACE, Math.min(at, start + room - length - SPACE));
  const top = within(target.top, size.height, bounds.top, bounds.height);
  const left = within(target.left, size.width, bounds.left, bounds.width);
  const positions = [
    { left: target.left + target.width + SPACE, top },
    { left: target.left - size.width - SPACE, top },
    { left, top: target.top + target.height + SPACE },
    { left, top: target.top - size.height - SPACE }
  ];
  const fits = (position: { left: number; top: number }): boolean =>
    position.left >= bounds.left + SPACE &&
    position.top >= bounds.top + SPACE &&
    position.left + size.width <= bounds.left + bounds.width - SPACE &&
    position.top + size.height <= bounds.top + bounds.height - SPACE;
  return positions.find(fits) ?? null;
}
