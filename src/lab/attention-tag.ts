import type { ICellModel } from '@jupyterlab/cells';

/** The cell tag that says: watch the attention of what runs here. */
export const TAG = 'attention';

function tagsOf(model: ICellModel): string[] {
  // Metadata is whatever the file holds.
  const tags: unknown = model.getMetadata('tags');
  return Array.isArray(tags) ? tags.filter(tag => typeof tag === 'string') : [];
}

/** Whether the cell is watched; only code cells are. */
export function isTagged(model: ICellModel): boolean {
  return model.type === 'code' && tagsOf(model).includes(TAG);
}

/** Adds or takes away the tag and leaves the cell's other tags as they are. */
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
