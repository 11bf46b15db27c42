/** Takes up a stored value; undefined where it is none that this version knows. */
export type Read<Value> = (stored: unknown) => Value | undefined;

export const flag: Read<boolean> = stored => (typeof stored === 'boolean' ? stored : undefined);

export const text: Read<string> = stored => (typeof stored === 'string' ? stored : undefined);

export const number: Read<number> = stored =>
  typeof stored === 'number' && Number.isFinite(stored) ? stored : undefined;

export function between(least: number, most: number): Read<number> {
  return stored => {
    const found = number(stored);
    return found !== undefined && found >= least && found <= most ? found : undefined;
  };
}

export function oneOf<Value extends string>(...values: Value[]): Read<Value> {
  return stored => values.find(value => value === stored);
}

export function orNull<Value>(read: Read<Value>): Read<Value | null> {
  return stored => (stored === null ? null : read(stored));
}

/** The entries of a stored list that can be taken up. */
export function listOf<Value>(read: Read<Value>): Read<Value[]> {
  return stored => (Array.isArray(stored) ? stored.flatMap(entry => read(entry) ?? []) : undefined);
}
