import type { Palette } from '../draw/palette';

/** Colours of heads that are drawn together; one alone has the panel's own. */
export function coloursOf(heads: readonly number[], { accent, heads: all }: Palette): string[] {
  return heads.length < 2 ? [accent] : heads.map(head => all[head % all.length] ?? accent);
}
