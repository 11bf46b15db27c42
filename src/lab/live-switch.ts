import type { ICellModel } from '@jupyterlab/cells';

/** The key of a cell's metadata in which attnlab keeps what a person chose for the cell. */
const KEY = 'attnlab';

let byDefault = true;

/** Sets whether edits are followed of cells that do not say otherwise. */
export function followByDefault(live: boolean): void {
  byDefault = live;
}

/** Whether the views follow the cell's text as it is typed. */
export function followsEdits(model: ICellModel): boolean {
  // Metadata is whatever the file holds.
  const own: unknown = model.getMetadata(KEY);
  const live = typeof own === 'object' && own !== null && 'live' in own ? own.live : undefined;
  return typeof live === 'boolean' ? live : byDefault;
}

/** Has the views follow the cell's text, or not; what is the default is not written down. */
export function setFollowsEdits(model: ICellModel, live: boolean): void {
  if (live === byDefault) {
    model.deleteMetadata(KEY);
  } else {
    model.setMetadata(KEY, { live });
  }
}
