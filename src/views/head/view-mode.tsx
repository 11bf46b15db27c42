import type { SavedDisplay } from '../../state/view-state/display';
import { useEnv } from '../parts/env';

/** Switches between lines and matrix. */
export function ViewMode() {
  const { state, t } = useEnv();
  const { head } = state.display;
  const modes: [SavedDisplay['head'], string][] = [
    ['lines', t('lines')],
    ['matrix', t('matrix')]
  ];
  return (
    <span class="attnlab-head-mode" role="radiogroup" aria-label={t('Show head as')}>
      {modes.map(([mode, name]) => (
        <label key={mode}>
          <input
            type="radio"
            class="attnlab-hidden"
            name={`${state.id}-head-mode`}
            data-testid={`attnlab-head-${mode}`}
            checked={head.value === mode}
            onChange={() => (head.value = mode)}
          />
          <span>{name}</span>
        </label>
      ))}
    </span>
  );
}
