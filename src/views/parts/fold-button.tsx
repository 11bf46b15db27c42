import type { PanelPart } from '../../state/view-state/display';
import { useEnv } from './env';

/** The name of a view as a button that collapses and expands its section. */
export function FoldButton({ part, name }: { part: PanelPart; name: string }) {
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
