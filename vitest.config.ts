import { defineConfig } from 'vitest/config';

export default defineConfig({
  // JSX as the build compiles it.
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  test: {
    include: ['src/**/__tests__/**/*.test.{ts,tsx}'],
    restoreMocks: true
  }
});
