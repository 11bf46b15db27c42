import { useComputed, useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { formatWeight } from '../../draw/format-number';
import { brokenLines } from '../../draw/line-breaks';
import { fontOf, TextRuler } from '../../draw/text-ruler';
import { RENDER_ALL, visibleRows } from '../../draw/visible-rows';
import type { Token } from '../../protocol/messages';
import { positionOf, tintOf } from '../../state/heads/token-tint';
import { isAdjacent } from '../../state/text/words';
import { useEnv } from '../parts/env';
import { useScrollArea } from '../parts/scroll-area';
import { scrollToLine, useScrollToSelection } from '../parts/scroll-into-view';
import { onTokenKey, pointerHandlers } from '../parts/token-navigation';
import { predictionText, useTokenNote } from '../parts/token-note';
import { tokenText } from '../parts/token-text';
import { TokenChip } from './token-chip';

/** Height of a line and space around a token's text, in pixels; as in `style/input-text.css`. */
const LINE = 22;
const PADDING = 8;
const JOINED = 1;

interface WrappedTokensProps {
  side: 'query' | 'key';
  tokens: Token[];
  /** Index of the first token that the model generated; null without any. */
  written: number | null;
  /** Whether each token is both a query and a key. */
  same: boolean;
}

/** Tokens in lines. They are broken here, so that only lines near the viewport are in the DOM. */
export function WrappedTokens({ side, tokens, written, same }: WrappedTokensProps) {
  const { state, t } = useEnv();
  const { selection } = state;
  const box = useRef<HTMLDivElement>(null);
  const view = useScrollArea(box);
  const ruler = useSignal<TextRuler | null>(null);
  const width = useComputed(() => view.value.width);
  useLayoutEffect(() => {
    ruler.value = box.current && new TextRuler(fontOf(box.current));
  }, []);
  const measure = ruler.value;
  const lines = useMemo(
    () => (measure ? brokenLines(widthsOf(tokens, measure), width.value) : []),
    [tokens, measure, width.value]
  );
  const perLine = Math.max(1, Math.round(tokens.length / Math.max(1, lines.length)));
  const { start, end } =
    tokens.length <= RENDER_ALL
      ? { start: 0, end: lines.length }
      : visibleRows(
          Math.max(RENDER_ALL + 1, lines.length),
          view.value.top,
          view.value.height,
          LINE,
          3
        );

  const sides = { query: same || side === 'query', key: same || side === 'key' };
  const current = side === 'query' ? selection.shownQuery.value : selection.shownKey.value;
  const hovered = selection.hover.value[side];
  const lineOf = (index: number): number => lines.findIndex(line => index < line.end);
  const scrollTo = (index: number): void => scrollToLine(box.current, lineOf(index), LINE);
  useEffect(() => {
    // Only for a caret moved by keys: a token under the pointer is visible.
    if (hovered !== undefined && box.current?.matches(':focus')) {
      scrollTo(hovered);
    }
  }, [hovered]);
  useScrollToSelection(sides.query ? selection.query.value : null, scrollTo);
  useScrollToSelection(sides.key ? selection.key.value : null, scrollTo);
  const chipOf = useChip(side, tokens, written, sides);
  return (
    <div
      ref={box}
      class="attnlab-tokens"
      role="listbox"
      tabIndex={0}
      aria-label={same ? t('Tokens') : side === 'query' ? t('Query tokens') : t('Key tokens')}
      aria-activedescendant={current === null ? undefined : `${state.id}-${side}-${current}`}
      data-side={side}
      {...pointerHandlers(selection, side)}
      onKeyDown={event => onTokenKey(event, selection, side, tokens.length, perLine)}
    >
      <div class="attnlab-lines" style={{ height: `${lines.length * LINE}px` }}>
        {lines.slice(start, end).map((line, i) => (
          <div
            class="attnlab-line"
            role="presentation"
            key={start + i}
            style={{ top: `${(start + i) * LINE}px` }}
          >
            {Array.from({ length: line.end - line.start }, (_, j) => chipOf(line.start + j))}
          </div>
        ))}
      </div>
    </div>
  );
}

/** Returns a function that renders a token with its weight in the head view. */
function useChip(
  side: 'query' | 'key',
  tokens: Token[],
  written: number | null,
  sides: { query: boolean; key: boolean }
) {
  const { state, t } = useEnv();
  const { selection } = state;
  const noteOf = useTokenNote();
  const query = selection.shownQuery.value;
  const key = selection.shownKey.value;
  return (index: number) => {
    const token = tokens[index];
    if (!token) {
      return null;
    }
    const isQuery = sides.query && index === query;
    const isKey = sides.key && index === key;
    const { row, column } = positionOf(state.heads, index, sides);
    const tint = tintOf(state.heads, index, sides);
    const outside = row < 0 && column < 0;
    const note = noteOf(token, { index, written, query: sides.query, outside });
    const prediction = predictionText(t, token);
    // The tint shows the weight only visually, and only roughly.
    const weight = tint ? t('weight %1', (tint.exact ? '' : '≈') + formatWeight(tint.weight)) : '';
    return (
      <TokenChip
        key={index}
        id={`${state.id}-${side}-${index}`}
        index={index}
        token={token}
        note={{ ...note, text: [note.text, prediction, weight].filter(Boolean).join(' · ') }}
        joined={isAdjacent(token, tokens[index - 1])}
        weight={tint?.weight}
        outside={outside}
        mark={isQuery && isKey ? 'both' : isQuery ? 'query' : isKey ? 'key' : undefined}
        selected={
          (sides.query && index === selection.query.value) ||
          (sides.key && index === selection.key.value)
        }
      />
    );
  };
}

function widthsOf(tokens: Token[], ruler: TextRuler): number[] {
  return tokens.map(
    (token, i) =>
      ruler.width(tokenText(token)) + (isAdjacent(token, tokens[i - 1]) ? JOINED : PADDING)
  );
}
