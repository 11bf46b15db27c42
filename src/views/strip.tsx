import { useComputed, useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { broken } from '../draw/lines';
import { printed } from '../draw/number';
import { fontOf, Ruler } from '../draw/ruler';
import { ALL, stretch } from '../draw/window';
import type { Token } from '../protocol/messages';
import { placeOf, tintOf } from '../state/tinted';
import { continues } from '../state/words';
import { Chip, shown } from './chip';
import { onTokenKey, pointing } from './cursor';
import { useEnv } from './env';
import { scrollToLine, useReveal } from './reveal';
import { useView } from './size';
import { useTokenNote } from './token-note';

/** Height of a line of tokens, and what surrounds a token's text; as in `style/strip.css`. */
const LINE = 22;
const PADDING = 8;
const JOINED = 1;

/** The input as the model reads it; two texts where the keys are of another. */
export function Strip() {
  const { state, t } = useEnv();
  const { queries, keys, same, written } = state.sides.value;
  return (
    <section class="attnlab-strip" aria-label={t('Text')}>
      {same ? (
        <Tokens side="query" tokens={queries} written={written.query} same />
      ) : (
        <>
          <h3>{t('Queries')}</h3>
          <Tokens side="query" tokens={queries} written={written.query} same={false} />
          <h3>{t('Keys')}</h3>
          <Tokens side="key" tokens={keys} written={written.key} same={false} />
        </>
      )}
    </section>
  );
}

interface TokensProps {
  side: 'query' | 'key';
  tokens: Token[];
  /** Where the text begins that the model itself has written. */
  written: number | null;
  /** Whether each token is both a query and a key. */
  same: boolean;
}

/** Tokens on lines that are broken here, so that only the lines in view are in the page. */
function Tokens({ side, tokens, written, same }: TokensProps) {
  const { state, t } = useEnv();
  const { selection } = state;
  const noteOf = useTokenNote();
  const box = useRef<HTMLDivElement>(null);
  const view = useView(box);
  const ruler = useSignal<Ruler | null>(null);
  const width = useComputed(() => view.value.width);
  useLayoutEffect(() => {
    ruler.value = box.current && new Ruler(fontOf(box.current));
  }, []);
  const measure = ruler.value;
  const lines = useMemo(
    () => (measure ? broken(widthsOf(tokens, measure), width.value) : []),
    [tokens, measure, width.value]
  );
  const perLine = Math.max(1, Math.round(tokens.length / Math.max(1, lines.length)));
  const { start, end } =
    tokens.length <= ALL
      ? { start: 0, end: lines.length }
      : stretch(Math.max(ALL + 1, lines.length), view.value.top, view.value.height, LINE, 3);

  // The weights as the head view has them: of the pairs, the tokens and the words that are shown.
  const sides = { query: same || side === 'query', key: same || side === 'key' };
  const query = selection.shownQuery.value;
  const key = selection.shownKey.value;
  const keptQuery = selection.query.value;
  const keptKey = selection.key.value;
  const active = side === 'query' ? query : key;
  const hovered = selection.hover.value[side];
  const lineOf = (index: number): number => lines.findIndex(line => index < line.end);
  useEffect(() => {
    // The caret moves by keys: bring its line into view. A pointer is in view already.
    if (hovered !== undefined && box.current?.matches(':focus')) {
      scrollToLine(box.current, lineOf(hovered), LINE);
    }
  }, [hovered]);
  const reveal = (index: number): void => scrollToLine(box.current, lineOf(index), LINE);
  useReveal(same || side === 'query' ? keptQuery : null, reveal);
  useReveal(same || side === 'key' ? keptKey : null, reveal);

  const chip = (index: number) => {
    const token = tokens[index];
    if (!token) {
      return null;
    }
    const isQuery = (same || side === 'query') && index === query;
    const isKey = (same || side === 'key') && index === key;
    const { row, column } = placeOf(state.heads, index, sides);
    const tint = tintOf(state.heads, index, sides);
    const outside = row < 0 && column < 0;
    const note = noteOf(token, index, written, outside);
    // The tint says it to the eye alone, and only roughly.
    const said = tint ? t('weight %1', (tint.exact ? '' : '≈') + printed(tint.weight)) : '';
    return (
      <Chip
        key={index}
        id={`${state.id}-${side}-${index}`}
        index={index}
        token={token}
        note={{ ...note, text: [note.text, said].filter(Boolean).join(' · ') }}
        joined={continues(token, tokens[index - 1])}
        weight={tint?.weight}
        outside={outside}
        mark={isQuery && isKey ? 'both' : isQuery ? 'query' : isKey ? 'key' : undefined}
        kept={
          ((same || side === 'query') && index === keptQuery) ||
          ((same || side === 'key') && index === keptKey)
        }
      />
    );
  };

  return (
    <div
      ref={box}
      class="attnlab-tokens"
      role="listbox"
      tabIndex={0}
      aria-label={same ? t('Tokens') : side === 'query' ? t('Query tokens') : t('Key tokens')}
      aria-activedescendant={active === null ? undefined : `${state.id}-${side}-${active}`}
      data-side={side}
      {...pointing(selection, side)}
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
            {Array.from({ length: line.end - line.start }, (_, j) => chip(line.start + j))}
          </div>
        ))}
      </div>
    </div>
  );
}

function widthsOf(tokens: Token[], ruler: Ruler): number[] {
  return tokens.map(
    (token, i) => ruler.width(shown(token)) + (continues(token, tokens[i - 1]) ? JOINED : PADDING)
  );
}
