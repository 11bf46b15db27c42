import type { SavedDisplay } from '../state/display';
import { useEnv } from './env';

/** The head as lines, or as a matrix. */
export function HeadLook() {
  const { state, t } = useEnv();
  const { head } = state.display;
  const looks: [SavedDisplay['head'], string][] = [
    ['lines', t('lines')],
    ['matrix', t('matrix')]
  ];
  return (
    <span class="attnlab-head-look" role="radiogroup" aria-label={t('The head as')}>
      {looks.map(([look, name]) => (
        <label key={look}>
          <input
            type="radio"
            class="attnlab-hidden"
            name={`${state.id}-head-look`}
            data-testid={`attnlab-head-${look}`}
            checked={head.value === look}
            onChange={() => (head.value = look)}
          />
          <span>{name}</span>
        </label>
      ))}
    </span>
  );
}
