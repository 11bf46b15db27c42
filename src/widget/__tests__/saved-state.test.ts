import { expect, test } from 'vitest';

import { excludeFromSavedState } from '../saved-state';

function model(manager?: object) {
  const set: unknown[][] = [];
  const widget = {
    ...(manager && { widget_manager: manager }),
    set: (...change: unknown[]) => void set.push(change)
  };
  return { widget, set };
}

test('script and styles are removed from the saved state without a notification', () => {
  const { widget, set } = model({ get_state: () => undefined });
  excludeFromSavedState(widget);
  expect(set).toEqual([
    ['_esm', 'export default {};', { silent: true }],
    ['_css', '', { silent: true }]
  ]);
});

test.each([undefined, {}])('the model of another host is left alone', manager => {
  const { widget, set } = model(manager);
  excludeFromSavedState(widget);
  expect(set).toEqual([]);
});
