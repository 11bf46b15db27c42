import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { Connection } from '../connection';
import { greet } from '../greeting';
import { ErrorCode, PROTOCOL } from '../messages';
import { FakeKernel } from './fake-kernel';

const STATE = { revision: 4, running: null, traces: [], problems: [], sources: [] };

let kernel: FakeKernel;
let connection: Connection;

beforeEach(() => {
  vi.useFakeTimers();
  kernel = new FakeKernel();
  connection = new Connection(kernel, { session: 'abc', client: 'me', deadline: 1000 });
});

afterEach(() => {
  connection.close('test over');
  vi.useRealTimers();
});

test('sends its protocol version and receives the kernel’s traces', async () => {
  const greeting = greet(connection);
  expect(kernel.requests('initialize')).toMatchObject([{ params: { protocol: PROTOCOL } }]);
  const result = { capabilities: ['busy/control'], missing: [], state: STATE };
  kernel.tell('me', { id: 0, result });
  expect(await greeting).toEqual({
    outcome: 'met',
    capabilities: ['busy/control'],
    state: STATE
  });
});

test('reports what the environment lacks', async () => {
  const greeting = greet(connection);
  kernel.tell('me', { id: 0, result: { capabilities: [], missing: ['torch'], state: STATE } });
  expect(await greeting).toEqual({ outcome: 'lacks', packages: ['torch'] });
});

test('passes on why another version is refused, with the command that updates it', async () => {
  const greeting = greet(connection);
  const remedy = 'pip install --upgrade attnlab';
  const error = { code: ErrorCode.VERSION_MISMATCH, message: 'Too old.', data: { remedy } };
  kernel.tell('me', { id: 0, error });
  expect(await greeting).toEqual({ outcome: 'refused', message: 'Too old.', remedy });
});

test('distinguishes silence from refusal', async () => {
  const greeting = greet(connection);
  await vi.advanceTimersByTimeAsync(3000);
  expect(await greeting).toEqual({ outcome: 'unanswered' });
});
