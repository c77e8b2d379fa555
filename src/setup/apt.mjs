/**
 * System packages through apt-get, on Debian and its kin, where we may: as root, or through a sudo that asks for no
 * password. Sources entries are read through apt itself and added only where the needed suite has none.
 */
import { output } from './child.mjs';

/** @typedef {import('../node/host.ts').SystemPackages} SystemPackages */
/** @typedef {(file: string, args: readonly string[], input?: string) => Promise<{ code: number, stdout: string, stderr: string }>} Run */

export const ENTRY = '/etc/apt/sources.list.d/layerscope-backports.sources';

/**
 * How to run a command as root: as it is, or through sudo; undefined where we may not, or LAYERSCOPE_INSTALL=never says
 * so.
 * @param {{ uid?: number, env?: NodeJS.ProcessEnv, run?: Run }} machine
 * @returns {Promise<Run | undefined>}
 */
export async function asRoot({ uid = process.getuid?.(), env = process.env, run = runHere } = {}) {
  if (env.LAYERSCOPE_INSTALL === 'never') return undefined;
  if (uid === 0) return run;
  const sudo = await run('sudo', ['-n', 'true']);
  // `env` because sudo drops the environment, and apt-get would then ask its questions.
  return sudo.code === 0
    ? (file, args, input) => run('sudo', ['-n', 'env', 'DEBIAN_FRONTEND=noninteractive', file, ...args], input)
    : undefined;
}

/** @type {Run} */
function runHere(file, args, input = '') {
  return output(file, args, { input, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' } });
}

/**
 * @param {string} text lines of `uri codename`, as `apt-get indextargets` prints them for SOURCES_FORMAT
 * @returns {{ uri: string, codename: string }[]}
 */
export function parseSources(text) {
  const lines = [...new Set(text.split('\n').filter(Boolean))];
  return lines.map((line) => {
    const [uri = '', codename = ''] = line.split(' ');
    return { uri, codename };
  });
}

const SOURCES_FORMAT = '$(REPO_URI) $(CODENAME)';

/**
 * The text of a sources entry for a backports suite, on the mirror this machine takes its release from.
 * @param {string} suite for instance bookworm-backports
 * @param {readonly { uri: string, codename: string }[]} sources
 * @returns {string | undefined} undefined where it is there already, or no mirror of the release is known
 */
export function missingEntry(suite, sources) {
  if (sources.some(({ codename }) => codename === suite)) return undefined;
  const release = suite.replace(/-backports$/, '');
  const mirror = sources.find(({ codename }) => codename === release)?.uri;
  if (mirror === undefined) return undefined;
  return [
    "# Added by Layerscope's set-up, for a newer Mesa Vulkan driver. It may be deleted.",
    'Types: deb',
    `URIs: ${mirror}`,
    `Suites: ${suite}`,
    'Components: main',
    'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg',
    '',
  ].join('\n');
}

/**
 * @param {SystemPackages} wanted
 * @param {{ run: Run, say: (line: string) => void, installArguments: readonly string[] }} machine
 * @returns {Promise<boolean>} whether apt-get says that all is installed
 */
export async function installPackages({ what, suite }, { run, say, installArguments }) {
  say(`Installing ${what}: apt-get ${installArguments.join(' ')} …`);
  await run('apt-get', ['update', '-qq']); // one broken source is no reason to stop: the installation decides
  const added = suite !== undefined && (await addSuite(suite, { run, say }));
  const { code, stderr } = await run('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=120', ...installArguments]);
  if (code === 0) return true;
  say(`Could not install ${what}: ${lastErrors(stderr) || `apt-get ended with code ${code}`}`);
  if (added) {
    await run('rm', ['-f', ENTRY]);
    say(`Removed ${ENTRY} again.`);
  }
  return false;
}

/**
 * @param {string} suite
 * @param {{ run: Run, say: (line: string) => void }} machine
 * @returns {Promise<boolean>} whether an entry was added
 */
async function addSuite(suite, { run, say }) {
  const listed = await run('apt-get', ['indextargets', '--format', SOURCES_FORMAT, 'Created-By: Packages']);
  const entry = missingEntry(suite, parseSources(listed.stdout));
  if (entry === undefined) return false;
  say(`Adding ${suite} to apt's sources: ${ENTRY}`);
  await run('tee', [ENTRY], entry);
  await run('apt-get', ['update', '-qq']);
  return true;
}

/** @param {string} stderr */
function lastErrors(stderr) {
  const errors = stderr.split('\n').filter((line) => line.startsWith('E:'));
  return errors.map((line) => line.slice(2).trim()).join(' ');
}
