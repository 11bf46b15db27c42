import type { ICellModel } from '@jupyterlab/cells';

/** The cell tag that enables recording of attention. */
export const TAG = 'attention';

function tagsOf(model: ICellModel): string[] {
  // Metadata comes from the file and may have any type.
  const tags: unknown = model.getMetadata('tags');
  return Array.isArray(tags) ? tags.filter(tag => typeof tag === 'string') : [];
}

/** Whether a cell is a tagged code cell. */
export function isTagged(model: ICellModel): boolean {
  return model.type === 'code' && tagsOf(model).includes(TAG);
}

/** Adds or removes the tag and keeps the cell's other tags. */
export function setTagged(model: ICellModel, tagged: boolean): void {
  const others = tagsOf(model).filter(tag => tag !== TAG);
  if (tagged) {
    model.setMetadata('tags', [...others, TAG]);
  } else if (others.length > 0) {
    model.setMetadata('tags', others);
  } else {
    model.deleteMetadata('tags');
  }
}
