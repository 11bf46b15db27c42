import { expect, test } from 'vitest';
import { bridge, type HubModel } from '../../protocol/bridge';
import widget from '../bridge';

const model = {
  widget_manager: { kernel: { id: 'k1', clientId: 'c1' } }
} as unknown as HubModel;

test('a hub is handed over until its host is done with it, however the host says so', () => {
  // anywidget before 0.11 gives no signal, and calls what `initialize` returned.
  const close = widget.initialize({ model });
  const [hub] = bridge().hubs;
  expect([hub?.kernel, hub?.connection, hub?.signal.aborted]).toEqual(['k1', 'c1', false]);
  close();
  expect(hub?.signal.aborted).toBe(true);
  expect([...bridge().hubs]).toEqual([]);

  const until = new AbortController();
  widget.initialize({ model, signal: until.signal });
  expect(bridge().hubs.size).toBe(1);
  until.abort();
  expect([...bridge().hubs]).toEqual([]);
});
