const { writeFileSync } = require('node:fs');
const { join } = require('node:path');

const { licenses } = require('./licenses.cjs');

/**
 * Writes the licenses of all bundled packages.
 *
 * It replaces JupyterLab's report, which lists folders inside a package as packages without a
 * license, and omits the runtime that the bundler adds.
 */
class LicenseReport {
  apply(compiler) {
    compiler.hooks.done.tap('LicenseReport', ({ compilation }) => {
      const bundled = [...compilation.modules].map(module => module.resource ?? '');
      const packages = licenses([...bundled, require.resolve('@rspack/core')]);
      const report = join(compiler.outputPath, 'third-party-licenses.json');
      writeFileSync(report, JSON.stringify({ packages }, null, 2));
    });
  }
}

module.exports = {
  // The default ids are hashes of paths, which differ between checkouts.
  optimization: { moduleIds: 'natural', chunkIds: 'natural' },
  plugins: [new LicenseReport()]
};
