import ts from 'typescript';
import { expect, test } from 'vitest';

declare global {
  interface ImportMeta {
    glob(pattern: string[], options: object): Record<string, string>;
  }
}

const SOURCES = import.meta.glob(['../**/*.{ts,tsx}', '!../**/__tests__/**'], {
  query: '?raw',
  import: 'default',
  eager: true
});

type Graph = ReadonlyMap<string, readonly string[]>;

/** By file: the files that it imports anything of, types as well. */
function graphOf(sources: Record<string, string>): Graph {
  const found = (path: string) =>
    [path, `${path}.ts`, `${path}.tsx`, `${path}/index.ts`].find(file => file in sources);
  return new Map(
    Object.entries(sources).map(([file, text]) => {
      const names = ts.preProcessFile(text).importedFiles.map(({ fileName }) => fileName);
      const relative = names.filter(name => name.startsWith('.'));
      return [
        file,
        relative.map(name => found(joined(file, name)) ?? `${joined(file, name)} is missing`)
      ];
    })
  );
}

/** The path that a name stands for in a file. */
function joined(file: string, name: string): string {
  const path = ['..', ...file.split('/').slice(1, -1)];
  for (const part of name.split('/')) {
    if (part === '..') {
      path.pop();
    } else if (part !== '.') {
      path.push(part);
    }
  }
  return path.join('/');
}

/** A way from a file back to itself; null where there is none. */
function cycleIn(graph: Graph): string[] | null {
  const done = new Set<string>();
  const search = (file: string, way: readonly string[]): string[] | null => {
    if (way.includes(file)) {
      return [...way.slice(way.indexOf(file)), file];
    }
    if (done.has(file)) {
      return null;
    }
    for (const next of graph.get(file) ?? []) {
      const cycle = search(next, [...way, file]);
      if (cycle) {
        return cycle;
      }
    }
    done.add(file);
    return null;
  };
  for (const file of graph.keys()) {
    const cycle = search(file, []);
    if (cycle) {
      return cycle;
    }
  }
  return null;
}

// The linter's rule does not follow imports of types.
test('no file imports itself through others, not even for types', () => {
  const graph = graphOf(SOURCES);
  const all = [...graph.values()].flat();
  expect(all.filter(file => !graph.has(file))).toEqual([]);
  expect(all.length).toBeGreaterThan(500);
  expect(cycleIn(graph)).toBeNull();
});

test('a cycle of types is found', () => {
  const graph = graphOf({
    '../a/one.ts': "import type { Two } from './two';",
    '../a/two.ts': "import { three } from '../b/three';",
    '../b/three.tsx': "export type One = import('../a/one').One;"
  });
  expect(cycleIn(graph)).toEqual(['../a/one.ts', '../a/two.ts', '../b/three.tsx', '../a/one.ts']);
});
