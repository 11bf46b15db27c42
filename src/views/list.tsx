import type { RefObject } from 'preact';
import { useEffect } from 'preact/hooks';
import { printed } from '../draw/number';
import type { Stretch } from '../draw/window';
import type { Token } from '../protocol/messages';
import { answer } from '../state/question';
import { Bar } from './bar';
import { noted, shown, spoken, titled } from './chip';
import { onTokenKey, pointing } from './cursor';
import { useEnv } from './env';
import { ROW } from './row';
import { tint } from './tint';
import { useTokenNote } from './token-note';

interface HeadListProps {
  side: 'query' | 'key';
  tokens: Token[];
  window: Stretch;
  scroller: RefObject<HTMLElement>;
}

/** One side of the head view: a list of tokens, with the weights that answer the question. */
export function HeadList({ side, tokens, window, scroller }: HeadListProps) {
  const { state, t } = useEnv();
  const { selection } = state;
  const question = state.question.value;
  const weights = state.weights.value;
  const { same, written } = state.sides.value;
  const noteOf = useTokenNote();
  const query = selection.shownQuery.value;
  const key = selection.shownKey.value;
  const own = side === 'query' ? query : key;
  const other = side === 'query' ? key : query;
  const kept = selection[side].value;
  const hovered = selection.hover.value[side];
  const id = `${state.id}-head-${side}`;
  useEffect(() => {
    const box = scroller.current;
    if (box && hovered !== undefined && box.querySelector(`[data-side="${side}"]:focus`)) {
      if (hovered * ROW < box.scrollTop) {
        box.scrollTop = hovered * ROW;
      } else if ((hovered + 1) * ROW > box.scrollTop + box.clientHeight) {
        box.scrollTop = (hovered + 1) * ROW - box.clientHeight;
      }
    }
  }, [hovered]);

  const row = (index: number) => {
    const token = tokens[index];
    if (!token) {
      return null;
    }
    const weight = answer(question, weights, side, index);
    const note = noteOf(token, index, written[side]);
    const said = noted(spoken(token), note);
    return (
      <div
        key={index}
        id={`${id}-${index}`}
        class="attnlab-row"
        role="option"
        aria-selected={index === kept}
        aria-label={weight === undefined ? said : t('%1, weight %2', said, printed(weight))}
        aria-setsize={tokens.length}
        aria-posinset={index + 1}
        title={noted(titled(index, token), note)}
        data-testid={`attnlab-head-${side}`}
        data-index={index}
        data-mark={index === own ? 'own' : same && index === other ? 'same' : undefined}
        data-special={token.special || undefined}
        data-part={token.part || undefined}
        data-padding={token.padding || undefined}
        data-written={note.first || undefined}
        data-tinted={weight !== undefined || undefined}
        data-nan={(weight !== undefined && Number.isNaN(weight)) || undefined}
        style={{ top: `${index * ROW}px`, ...tint(weight) }}
      >
        <span class="attnlab-row-text">
          <bdi>{shown(token)}</bdi>
        </span>
        {weight !== undefined && (
          <span
            class="attnlab-row-weight"
            data-testid={side === 'key' ? 'attnlab-weight' : 'attnlab-query-weight'}
            data-index={index}
            data-value={weight}
            data-exact={weights?.exact}
          >
            <Bar weight={weight} exact={weights?.exact ?? false} />
          </span>
        )}
      </div>
    );
  };

  const end = Math.min(window.end, tokens.length);
  return (
    <div
      class={`attnlab-column attnlab-${side === 'query' ? 'queries' : 'keys'}`}
      role="listbox"
      tabIndex={0}
      data-side={side}
      aria-label={side === 'query' ? t('Queries of the head') : t('Keys of the head')}
      aria-activedescendant={own === null ? undefined : `${id}-${own}`}
      {...pointing(selection, side)}
      onKeyDown={event => {
        if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') {
          onTokenKey(event, selection, side, tokens.length);
        }
      }}
    >
      {Array.from({ length: Math.max(0, end - window.start) }, (_, i) => row(window.start + i))}
    </div>
  );
}
