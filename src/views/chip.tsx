import type { Token } from '../protocol/messages';
import { tint } from './tint';
import type { TokenNote } from './token-note';

/** What a token's element is told. */
export interface ChipProps {
  id: string;
  index: number;
  token: Token;
  note: TokenNote;
  /** Whether the token goes on where the one before it ended, inside one word. */
  joined: boolean;
  weight: number | undefined;
  /** Whether the head view leaves the token out. */
  outside: boolean;
  /** Hovered or selected as a query, as a key, or neither. */
  mark: 'query' | 'key' | 'both' | undefined;
  kept: boolean;
}

/** A token in the text strip. */
export function Chip({ id, index, token, note, joined, weight, outside, mark, kept }: ChipProps) {
  return (
    <span
      id={id}
      class="attnlab-token"
      role="option"
      aria-selected={kept}
      aria-label={noted(spoken(token), note)}
      title={noted(titled(index, token), note)}
      style={tint(weight)}
      data-testid="attnlab-token"
      data-index={index}
      data-mark={mark}
      data-special={token.special || undefined}
      data-part={token.part || undefined}
      data-padding={token.padding || undefined}
      data-written={note.first || undefined}
      data-outside={outside || undefined}
      data-joined={joined || undefined}
      data-tinted={weight !== undefined || undefined}
      data-nan={(weight !== undefined && Number.isNaN(weight)) || undefined}
    >
      {shown(token)}
    </span>
  );
}

/** A token's text as drawn; one without any is still to be seen and hit. */
export function shown({ text }: Token): string {
  return text === '' ? '∅' : text;
}

/** A token's text as read aloud. */
export function spoken({ text, piece }: Token): string {
  return text.trim() || piece || '∅';
}

/** What a tooltip says of a token: its position, and what the vocabulary holds. */
export function titled(index: number, { id, piece, text }: Token): string {
  const raw = piece && piece !== text ? ` “${piece}”` : '';
  return id < 0 ? `${index}` : `${index}: ${text}${raw} (${id})`;
}

/** What is said of a token, and what else there is to say. */
export function noted(said: string, { text }: TokenNote): string {
  return text ? `${said} · ${text}` : said;
}
