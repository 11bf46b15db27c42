import { defineConfig } from 'vitest/config';

export default defineConfig({
  // vscode-jsonrpc's browser build; JSX as the build compiles it.
  resolve: { conditions: ['browser'] },
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  test: {
    include: ['src/**/__tests__/**/*.test.{ts,tsx}'],
    restoreMocks: true
  }
});
