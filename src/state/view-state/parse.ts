/** Parses a stored value; undefined if this version does not support it. */
export type Parse<Value> = (stored: unknown) => Value | undefined;

export const parseBoolean: Parse<boolean> = stored =>
  typeof stored === 'boolean' ? stored : undefined;

export const parseString: Parse<string> = stored =>
  typeof stored === 'string' ? stored : undefined;

// JSON has no -0, which adding 0 makes 0.
export const parseNumber: Parse<number> = stored =>
  typeof stored === 'number' && Number.isFinite(stored) ? stored + 0 : undefined;

export function parseBetween(least: number, most: number): Parse<number> {
  return stored => {
    const found = parseNumber(stored);
    return found !== undefined && found >= least && found <= most ? found : undefined;
  };
}

export function parseOneOf<Value extends string>(...values: Value[]): Parse<Value> {
  return stored => values.find(value => value === stored);
}

export function parseNullable<Value>(read: Parse<Value>): Parse<Value | null> {
  return stored => (stored === null ? null : read(stored));
}

/** Keeps the valid entries of a stored list. */
export function parseList<Value>(read: Parse<Value>): Parse<Value[]> {
  return stored => (Array.isArray(stored) ? stored.flatMap(entry => read(entry) ?? []) : undefined);
}
