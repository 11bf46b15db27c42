import type { Pairs } from '../../state/text/sentences';
import { useEnv } from '../parts/env';

/** Options for the tokens and weights of the heads; options without an effect are left out. */
export function DisplayOptions() {
  const { state, t } = useEnv();
  const { display, selection } = state;
  const { boundary } = state.heads.axes.value;
  const { queries, keys } = state.sides.value;
  const specials = [...queries, ...keys].some(({ special }) => special);
  const pairs: [Pairs, string][] = [
    ['all', t('all pairs')],
    ['aa', t('A → A')],
    ['bb', t('B → B')],
    ['ab', t('A → B')],
    ['ba', t('B → A')]
  ];
  return (
    <span class="attnlab-head-filters" role="group" aria-label={t('Display options')}>
      {boundary !== null && (
        <select
          class="attnlab-select"
          data-testid="attnlab-pairs"
          aria-label={t('Sentences')}
          title={t('Which sentence attends to which. The weights are not renormalized.')}
          value={selection.pairs.value}
          onChange={({ currentTarget }) => (selection.pairs.value = currentTarget.value as Pairs)}
        >
          {pairs.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      )}
      {specials && (
        <button
          type="button"
          class="attnlab-toggle"
          data-testid="attnlab-hide-special"
          aria-pressed={display.hideSpecial.value}
          title={t(
            'Hide special tokens and renormalize each query’s weights over the remaining keys'
          )}
          onClick={() => (display.hideSpecial.value = !display.hideSpecial.peek())}
        >
          {t('no special tokens')}
        </button>
      )}
      <button
        type="button"
        class="attnlab-toggle"
        data-testid="attnlab-words"
        aria-pressed={display.words.value}
        title={t(
          'Merge word pieces into words: weights are summed over keys and averaged over queries'
        )}
        onClick={() => (display.words.value = !display.words.peek())}
      >
        {t('words')}
      </button>
      {display.head.value === 'lines' && <MassSlider />}
    </span>
  );
}

/** The share of each query's weights that is drawn as lines; a matrix always shows all. */
function MassSlider() {
  const { state, t } = useEnv();
  const { mass } = state.display;
  const percent = Math.round(mass.value * 100);
  return (
    <label
      class="attnlab-mass"
      title={t(
        'Draw the largest weights of each query until they reach this share of its total; the rest is shown as “other keys”'
      )}
    >
      {t('mass')}
      <input
        type="range"
        data-testid="attnlab-mass"
        min={50}
        max={100}
        step={1}
        value={percent}
        aria-label={t('Share of each query’s weights to draw')}
        aria-valuetext={t('%1%', percent)}
        onInput={({ currentTarget }) => (mass.value = Number(currentTarget.value) / 100)}
      />
      <output>{t('%1%', percent)}</output>
    </label>
  );
}
