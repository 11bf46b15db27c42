import { expect, test } from 'vitest';
import * as messages from '../state/kernel/user-messages';

const SOURCES = import.meta.glob(['../**/*.{ts,tsx}', '!../**/__tests__/**'], {
  query: '?raw',
  import: 'default',
  eager: true
});

const SENTENCES = Object.values(messages).filter(value => typeof value === 'string');

test('each message about a kernel, its cells and their views is defined once', () => {
  expect(SENTENCES.length).toBeGreaterThan(30);
  expect(new Set(SENTENCES).size).toBe(SENTENCES.length);
  const all = Object.values(SOURCES).join('\n');
  const repeated = SENTENCES.filter(sentence => all.split(sentence).length > 2);
  expect(repeated).toEqual([]);
});
