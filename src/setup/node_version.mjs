/**
 * @param {string} version for instance v20.20.2
 * @param {string} range engines.node in package.json, of the form >=20.19
 * @returns {string | undefined} what is wrong, where Node is too old
 */
export function tooOld(version, range) {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = range.replace(/^>=/, '').split('.').map(Number);
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return undefined;
  return `Cannot run on Node ${version}: Layerscope needs Node ${range}; install a newer one from https://nodejs.org`;
}
