/**
 * Prepends the licenses of bundled packages to a bundle, because the kernel sends it to pages
 * without any other file. Arguments: the bundle, and esbuild's metafile.
 */
const { readFileSync, writeFileSync } = require('node:fs');

const { licenses } = require('./licenses.cjs');

const [bundle, metafile] = process.argv.slice(2);
const { inputs } = JSON.parse(readFileSync(metafile, 'utf8')).outputs[bundle];
const notices = licenses(Object.keys(inputs)).map(
  ({ name, versionInfo, extractedText }) => `${name} ${versionInfo}\n\n${extractedText}`
);
if (notices.length > 0) {
  const notice = `/*! This file contains:\n\n${notices.join('\n\n')}\n*/\n`;
  writeFileSync(bundle, notice + readFileSync(bundle, 'utf8'));
}
