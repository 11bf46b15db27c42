import { expect, test } from 'vitest';

import type { HubModel } from '../../protocol/bridge';
import { PanelState } from '../../state/panel';
import { SelectionMirror } from '../selection-mirror';

test('what Python leaves out of a selection stays as it is, or is let go', () => {
  const state = new PanelState('p');
  state.selection.choose(1);
  state.selection.look({ site: 2, head: 3 });
  state.selection.toggle('query', 4);
  const model = {
    get: () => ({ p: { key: 1, site: null } }),
    on: () => undefined,
    off: () => undefined
  } as unknown as HubModel;
  const mirror = new SelectionMirror(model, state);
  expect(state.selection.toJSON()).toEqual({ item: 1, site: 2, head: 3, query: null, key: 1 });
  mirror.dispose();
  state.dispose();
});
