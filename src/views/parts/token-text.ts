import type { Token } from '../../protocol/messages';

/** The token's text on screen; an empty text gets a visible symbol that can be clicked. */
export function tokenText({ text }: Token): string {
  return text === '' ? '∅' : text;
}

/** The token's text for screen readers. */
export function spokenText({ text, piece }: Token): string {
  return text.trim() || piece || '∅';
}

/** The token's tooltip: its position, its text, and its piece and id in the vocabulary. */
export function tokenTooltip(index: number, { id, piece, text }: Token): string {
  const raw = piece && piece !== text ? ` “${piece}”` : '';
  return id < 0 ? `${index}` : `${index}: ${text}${raw} (${id})`;
}
