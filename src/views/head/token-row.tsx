import { formatWeight } from '../../draw/format-number';
import type { Entry } from '../../state/heads/axis';
import { weightIn, pairWith } from '../../state/heads/weight-slice';
import { useEnv } from '../parts/env';
import { ROW_HEIGHT } from '../parts/row-height';
import { useTokenNote, withNote } from '../parts/token-note';
import { spokenText, tokenText, tokenTooltip } from '../parts/token-text';
import { tintStyle, WeightBar } from '../parts/weight-bar';
import { useWeightsByHead } from '../parts/weights-by-head';

interface TokenRowProps {
  id: string;
  side: 'query' | 'key';
  index: number;
  /** Number of rows of this side. */
  count: number;
  entry: Entry;
  selected: boolean;
  /** `current`: hovered or selected on this side; `same`: the same token on the other side. */
  mark: 'current' | 'same' | undefined;
}

/** One token, or one word, with its weight in the row or column in question. */
export function TokenRow({ id, side, index, count, entry, selected, mark }: TokenRowProps) {
  const { state, t } = useEnv();
  const noteOf = useTokenNote();
  const weightsByHead = useWeightsByHead();
  const { token, start, end } = entry;
  const question = state.heads.slice.value;
  const weights = state.heads.focused.value;
  const pair = pairWith(question, side, index);
  const drawn = pair === null || !weights || weights.isVisible(pair.query, pair.key);
  const weight = drawn ? weightIn(question, weights, side, index) : undefined;
  const exact = pair !== null && weights?.known(pair.query, pair.key) === 'exact';
  const number = (exact ? '' : '≈') + formatWeight(weight ?? NaN);
  const written = state.sides.value.written[side];
  const note = noteOf(token, { index: start, written, query: side === 'query' });
  const text = withNote(spokenText(token), note);
  // Only the current row lists the weights of all heads: there can be hundreds of rows.
  const byHead = pair && mark === 'current' ? weightsByHead(pair) : '';
  return (
    <div
      id={id}
      class="attnlab-row"
      role="option"
      aria-selected={selected}
      aria-label={weight === undefined ? text : t('%1, weight %2', text, number)}
      aria-setsize={count}
      aria-posinset={index + 1}
      title={`${withNote(tokenTooltip(start, token), note)}${byHead && `\n${byHead}`}`}
      data-testid={`attnlab-head-${side}`}
      data-index={start}
      data-mark={mark}
      data-special={token.special || undefined}
      data-part={token.part || undefined}
      data-padding={token.padding || undefined}
      data-stale={token.stale}
      data-generated={note.first || undefined}
      data-word={end > start + 1 || undefined}
      data-other={!drawn || undefined}
      data-tinted={weight !== undefined || undefined}
      data-nan={(weight !== undefined && Number.isNaN(weight)) || undefined}
      style={{ top: `${index * ROW_HEIGHT}px`, ...tintStyle(weight) }}
    >
      <span class="attnlab-row-text">
        <bdi>{tokenText(token)}</bdi>
      </span>
      {weight !== undefined && (
        <span
          class="attnlab-row-weight"
          data-testid={side === 'key' ? 'attnlab-weight' : 'attnlab-query-weight'}
          data-index={start}
          data-value={weight}
          data-exact={exact}
        >
          <WeightBar weight={weight} exact={exact} />
        </span>
      )}
    </div>
  );
}
