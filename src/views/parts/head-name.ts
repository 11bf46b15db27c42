import { useEnv } from './env';

/** The layer and the number of the focused head, in words. */
export function useHeadName(): string {
  const { state, t } = useEnv();
  return t('layer %1, head %2', state.site.value?.layer ?? '', state.selection.focus.value.head);
}
