import type { Pairs } from '../state/sentences';
import { useEnv } from './env';

/** How the tokens and weights of the heads are shown; what would do nothing is not offered. */
export function HeadFilters() {
  const { state, t } = useEnv();
  const { display, selection } = state;
  const { boundary } = state.heads.reading.value;
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
    <span class="attnlab-head-filters" role="group" aria-label={t('What is drawn')}>
      {boundary !== null && (
        <select
          class="attnlab-select"
          data-testid="attnlab-pairs"
          aria-label={t('Sentences')}
          title={t(
            'From which sentence to which. The weights stay as they are: they are not renormalised.'
          )}
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
          title={t('Hide special tokens, and renormalise each query’s weights over the other keys')}
          onClick={() => (display.hideSpecial.value = !display.hideSpecial.peek())}
        >
          {t('no specials')}
        </button>
      )}
      <button
        type="button"
        class="attnlab-toggle"
        data-testid="attnlab-words"
        aria-pressed={display.words.value}
        title={t('Words in place of their pieces: summed as keys, averaged as queries')}
        onClick={() => (display.words.value = !display.words.peek())}
      >
        {t('words')}
      </button>
      {display.head.value === 'lines' && <Mass />}
    </span>
  );
}

/** How much of each query's weights is drawn as lines; a matrix always has all. */
function Mass() {
  const { state, t } = useEnv();
  const { mass } = state.display;
  const percent = Math.round(mass.value * 100);
  return (
    <label
      class="attnlab-mass"
      title={t(
        'Draw of each query its heaviest weights until they have this share of all; the rest is “other”'
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
        aria-label={t('Share of each query’s weights that is drawn')}
        aria-valuetext={t('%1 %', percent)}
        onInput={({ currentTarget }) => (mass.value = Number(currentTarget.value) / 100)}
      />
      <output>{t('%1 %', percent)}</output>
    </label>
  );
}
