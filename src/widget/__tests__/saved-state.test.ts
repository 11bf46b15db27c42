import { expect, test } from 'vitest';

import { excludeFromSavedState } from '../saved-state';

function model(manager?: object) {
  const set: unknown[][] = [];
  const own = {
    ...(manager && { widget_manager: manager }),
    set: (...change: unknown[]) => void set.push(change)
  };
  return { own, set };
}

test('where the state of widgets can be saved, script and styles leave it unannounced', () => {
  const { own, set } = model({ get_state: () => undefined });
  excludeFromSavedState(own);
  expect(set).toEqual([
    ['_esm', 'export default {};', { silent: true }],
    ['_css', '', { silent: true }]
  ]);
});

test.each([undefined, {}])('the model of another host is left alone', manager => {
  const { own, set } = model(manager);
  excludeFromSavedState(own);
  expect(set).toEqual([]);
});
