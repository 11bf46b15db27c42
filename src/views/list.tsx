import type { RefObject } from 'preact';
import { useEffect } from 'preact/hooks';
import { printed } from '../draw/number';
import type { Stretch } from '../draw/window';
import type { Axis } from '../state/axis';
import { answer, pairWith } from '../state/question';
import { Bar } from './bar';
import { noted, shown, spoken, titled } from './chip';
import { pointing, step } from './cursor';
import { useEnv } from './env';
import { scrollToLine, useReveal } from './reveal';
import { ROW } from './row';
import { tint } from './tint';
import { useTokenNote } from './token-note';
import { useWeightsOf } from './weights-of';

interface HeadListProps {
  side: 'query' | 'key';
  axis: Axis;
  window: Stretch;
  scroller: RefObject<HTMLElement>;
}

/** One side of the head view: a list of tokens, with the weights that answer the question. */
export function HeadList({ side, axis, window, scroller }: HeadListProps) {
  const { state, t } = useEnv();
  const { selection, heads } = state;
  const question = heads.question.value;
  const weights = heads.focused.value;
  const { same, written } = state.sides.value;
  const { entries } = axis;
  const noteOf = useTokenNote();
  const weightsOf = useWeightsOf();
  const query = selection.shownQuery.value;
  const key = selection.shownKey.value;
  const entryOf = (token: number | null | undefined): number =>
    token === null || token === undefined ? -1 : (axis.of[token] ?? -1);
  const own = entryOf(side === 'query' ? query : key);
  const other = entryOf(same ? (side === 'query' ? key : query) : null);
  const kept = entryOf(selection[side].value);
  const hovered = entryOf(selection.hover.value[side]);
  const id = `${state.id}-head-${side}`;
  useEffect(() => {
    if (hovered >= 0 && scroller.current?.querySelector(`[data-side="${side}"]:focus`)) {
      scrollToLine(scroller.current, hovered, ROW);
    }
  }, [hovered]);
  useReveal(kept, row => scrollToLine(scroller.current, row, ROW));

  /** Moves the caret, which is the hovered token; Enter keeps it. */
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = own >= 0 ? own : null;
    if ((event.key === 'Enter' || event.key === ' ') && at !== null) {
      event.preventDefault();
      selection.toggle(side, kept === at ? (selection[side].value ?? 0) : startOf(at));
      return;
    }
    const sideways = event.key === 'ArrowLeft' || event.key === 'ArrowRight';
    const next =
      sideways || event.ctrlKey || event.metaKey ? null : step(event.key, at, entries.length);
    if (next !== null) {
      event.preventDefault();
      selection.hover.value = { [side]: startOf(next) };
    }
  };
  const startOf = (index: number): number => entries[index]?.start ?? 0;

  const row = (index: number) => {
    const entry = entries[index];
    if (!entry) {
      return null;
    }
    const { token, start } = entry;
    const pair = pairWith(question, side, index);
    const drawn = pair === null || !weights || weights.draws(pair.query, pair.key);
    const weight = drawn ? answer(question, weights, side, index) : undefined;
    const exact = pair !== null && weights?.known(pair.query, pair.key) === 'exact';
    const number = (exact ? '' : '≈') + printed(weight ?? NaN);
    const note = noteOf(token, start, written[side]);
    const said = noted(spoken(token), note);
    // All heads' weights are said of the one token in question: hundreds of rows have a title.
    const several = pair && index === own ? weightsOf(pair) : '';
    return (
      <div
        key={start}
        id={`${id}-${start}`}
        class="attnlab-row"
        role="option"
        aria-selected={index === kept}
        aria-label={weight === undefined ? said : t('%1, weight %2', said, number)}
        aria-setsize={entries.length}
        aria-posinset={index + 1}
        title={`${noted(titled(start, token), note)}${several && `\n${several}`}`}
        data-testid={`attnlab-head-${side}`}
        data-index={start}
        data-mark={index === own ? 'own' : index === other ? 'same' : undefined}
        data-special={token.special || undefined}
        data-part={token.part || undefined}
        data-padding={token.padding || undefined}
        data-written={note.first || undefined}
        data-word={entry.end > start + 1 || undefined}
        data-other={!drawn || undefined}
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
            data-index={start}
            data-value={weight}
            data-exact={exact}
          >
            <Bar weight={weight} exact={exact} />
          </span>
        )}
      </div>
    );
  };

  const end = Math.min(window.end, entries.length);
  return (
    <div
      class={`attnlab-column attnlab-${side === 'query' ? 'queries' : 'keys'}`}
      role="listbox"
      tabIndex={0}
      data-side={side}
      aria-label={side === 'query' ? t('Queries of the head') : t('Keys of the head')}
      aria-activedescendant={own < 0 ? undefined : `${id}-${startOf(own)}`}
      {...pointing(selection, side)}
      onKeyDown={onKeyDown}
    >
      {Array.from({ length: Math.max(0, end - window.start) }, (_, i) => row(window.start + i))}
    </div>
  );
}
