import type { Token } from '../../protocol/messages';
import { withNote, type TokenNote } from '../parts/token-note';
import { spokenText, tokenText, tokenTooltip } from '../parts/token-text';
import { tintStyle } from '../parts/weight-bar';

interface TokenChipProps {
  id: string;
  index: number;
  token: Token;
  note: TokenNote;
  /** Whether the token continues the word of the previous token. */
  joined: boolean;
  weight: number | undefined;
  /** Whether the head view does not show the token. */
  outside: boolean;
  /** Whether the token is hovered or selected, and as what. */
  mark: 'query' | 'key' | 'both' | undefined;
  selected: boolean;
}

/** One token of the input text. */
export function TokenChip({
  id,
  index,
  token,
  note,
  joined,
  weight,
  outside,
  mark,
  selected
}: TokenChipProps) {
  return (
    <span
      id={id}
      class="attnlab-token"
      role="option"
      aria-selected={selected}
      aria-label={withNote(spokenText(token), note)}
      title={withNote(tokenTooltip(index, token), note)}
      style={tintStyle(weight)}
      data-testid="attnlab-token"
      data-index={index}
      data-mark={mark}
      data-special={token.special || undefined}
      data-part={token.part || undefined}
      data-padding={token.padding || undefined}
      data-stale={token.stale}
      data-generated={note.first || undefined}
      data-outside={outside || undefined}
      data-joined={joined || undefined}
      data-tinted={weight !== undefined || undefined}
      data-nan={(weight !== undefined && Number.isNaN(weight)) || undefined}
    >
      {tokenText(token)}
    </span>
  );
}
