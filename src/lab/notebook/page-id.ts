import { UUID } from '@lumino/coreutils';

const KEY = 'attnlab:page';

/**
 * Returns the id of this browser tab, which survives a reload.
 *
 * Two pages of one notebook have separate selections, so their panels need different ids.
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
