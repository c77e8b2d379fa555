/** The model that benchmarks run: TinyLlama's shape, random weights in Q4_0. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { say } from './figures.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Its path; made where it is not there yet. */
export async function benchmarkModel() {
  const file = join(root, 'out', 'tinyllama-shape-q4_0.gguf');
  if (existsSync(file)) return file;
  say(`making ${file} (620 MB of random weights), once`);
  await mkdir(join(root, 'out'), { recursive: true });
  const script = join(root, 'fixtures', 'random_model.mjs');
  const args = [script, '--out', file, '--shape', 'tinyllama', '--type', 'Q4_0', '--seed', '1'];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the model could not be made: ${stderr}`);
  return file;
}
