import { UUID } from '@lumino/coreutils';

const KEY = 'attnlab:page';

/**
 * Returns the id of this browser tab, which outlives a reload.
 *
 * Two pages on one notebook have each their own selection, so each needs a name.
 */
export function pageId(): string {
  const known = sessionStorage.getItem(KEY);
  if (known !== null) {
    return known;
  }
  const id = UUID.uuid4();
  sessionStorage.setItem(KEY, id);
  return id;
}
