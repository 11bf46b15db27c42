import type { Part } from '../state/display';
import { useEnv } from './env';

/** A part's name, which folds the part to its title and unfolds it. */
export function Fold({ part, name }: { part: Part; name: string }) {
  const { state } = useEnv();
  return (
    <button
      type="button"
      class="attnlab-fold"
      data-testid="attnlab-fold"
      data-part={part}
      aria-expanded={!state.display.folded.value.includes(part)}
      onClick={() => state.display.fold(part)}
    >
      {name}
    </button>
  );
}
