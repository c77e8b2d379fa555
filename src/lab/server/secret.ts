/**
 * What signs the cookie of a page that has shown the token. It is kept in a file that only this user reads, so that a page
 * that is open when the server ends goes on, with its edits, when the server is started again. The token in the address is
 * another each time: addresses end up in histories and process lists.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

const BYTES = 32;

/** LAYERSCOPE_STATE, else the system's folder for what programs keep for a user. */
export function stateFolder(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  if (env.LAYERSCOPE_STATE) return env.LAYERSCOPE_STATE;
  if (platform === 'win32') return join(env.LOCALAPPDATA || join(homedir(), 'AppData', 'Local'), 'layerscope');
  if (platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'layerscope');
  return join(env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'layerscope');
}

export interface Secret {
  readonly key: Buffer;
  /** Why it ends with this process, and open pages have to log in again after a restart; undefined where it is kept. */
  readonly notKept: string | undefined;
}

/** The secret in `folder`, made where there is none that is safe. */
export async function keptSecret(folder: string): Promise<Secret> {
  const file = join(folder, 'lab-secret');
  const found = await readSafe(file);
  if (found) return { key: found, notKept: undefined };
  const key = randomBytes(BYTES);
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(file, key.toString('hex'), { mode: 0o600 });
    await chmod(file, 0o600); // A file that was there keeps its mode.
    return { key, notKept: undefined };
  } catch (cause) {
    return { key, notKept: `${file} cannot be written (${(cause as Error).message})` };
  }
}

/** Undefined where there is none, others could read it, or it is not whole. */
async function readSafe(file: string): Promise<Buffer | undefined> {
  try {
    const { mode } = await stat(file);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) return undefined;
    const key = Buffer.from(await readFile(file, 'utf8'), 'hex');
    return key.length === BYTES ? key : undefined;
  } catch {
    return undefined;
  }
}

/** 192 random bits, in letters that an address may hold. */
export const newToken = (): string => randomBytes(24).toString('base64url');

/** What a page shows that has shown the token. */
export const cookieValue = ({ key }: Secret): string =>
  createHmac('sha256', key).update('lab cookie').digest('base64url');

/** Whether two texts are the same, found out in a time that does not tell where they part. */
export function isSame(given: string | undefined, wanted: string): boolean {
  if (given === undefined) return false;
  const [a, b] = [given, wanted].map((text) => createHmac('sha256', COMPARED).update(text).digest());
  return timingSafeEqual(a as Buffer, b as Buffer);
}

/** Hashes have one length, which timingSafeEqual wants; a key of our own keeps who asks from choosing them. */
const COMPARED = randomBytes(BYTES);
