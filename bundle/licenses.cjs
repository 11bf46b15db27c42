const { readFileSync, readdirSync } = require('node:fs');
const { join } = require('node:path');

/** Returns the folder of the package that a file belongs to. */
function packageOf(path) {
  return /^.*node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(path)?.[0];
}

/**
 * Describes the packages of some files, in the format of JupyterLab's license reports.
 *
 * @throws If a package has no license text, since it must not be bundled without one.
 */
function licenses(paths) {
  const folders = new Set([...paths].map(packageOf).filter(folder => folder !== undefined));
  const packages = [...folders].map(folder => {
    const { name, version, license } = JSON.parse(
      readFileSync(join(folder, 'package.json'), 'utf8')
    );
    const file = readdirSync(folder).find(own => /^licen[cs]e(\.\w+)?$/i.test(own));
    if (!file) {
      throw new Error(`The package ${name} is bundled, but it has no license file.`);
    }
    const extractedText = readFileSync(join(folder, file), 'utf8').trim();
    return { name, versionInfo: version, licenseId: license, extractedText };
  });
  return packages.sort((left, right) => (left.name < right.name ? -1 : 1));
}

module.exports = { licenses };
