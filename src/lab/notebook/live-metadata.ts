import type { ICellModel } from '@jupyterlab/cells';

/** The metadata key of a cell's settings. */
const KEY = 'attnlab';

/** Whether the views update while the user types in a cell; the default if its metadata has no setting. */
export function followsEdits(model: ICellModel, byDefault: boolean): boolean {
  // Metadata comes from the file and may have any type.
  const metadata: unknown = model.getMetadata(KEY);
  const live =
    typeof metadata === 'object' && metadata !== null && 'live' in metadata
      ? metadata.live
      : undefined;
  return typeof live === 'boolean' ? live : byDefault;
}

/** Stores the setting in the cell's metadata, or removes it if it equals the default. */
export function setFollowsEdits(model: ICellModel, live: boolean, byDefault: boolean): void {
  if (live === byDefault) {
    model.deleteMetadata(KEY);
  } else {
    model.setMetadata(KEY, { live });
  }
}
