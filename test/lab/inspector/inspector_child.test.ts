/** The inspector's process as the lab's server starts it: its folder, llama.cpp, and how it ends. */
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { bytesSource } from '../../../src/gguf/bytes.ts';
import { modelShapes, randomModelSource } from '../../../src/gguf/random_model.ts';
import type { Experiment } from '../../../src/lab/inspector/experiment.ts';
import { Client } from '../../../src/lab/inspector/port.ts';
import type { ParamsOf, RequestName, ResultOf } from '../../../src/lab/inspector/requests/index.ts';
import { fromBytes, toBytes } from '../../../src/lab/inspector/wire.ts';
import { openModel } from '../../../src/node/index.ts';
import type { Watch } from '../../../src/platform.ts';
import { have } from '../../skip.ts';

const PROGRAM = fileURLToPath(new URL('../../../dist/lab/server/inspector_child.js', import.meta.url));
const NOT_COMPILED = 'dist/ is not compiled; npm test does that first';
const fixture = (name: string): string => fileURLToPath(new URL(`../../../fixtures/${name}`, import.meta.url));
const experiment: Experiment = {
  file: 'models/lily.gguf',
  backend: 'reference',
  text: 'Lily gave',
  faults: [],
  changes: [],
};

let folder: string;
let child: ChildProcess | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'layerscope-inspector-'));
  await mkdir(join(folder, 'models'));
  await copyFile(fixture('lily-4m-q8_0.gguf'), join(folder, 'models/lily.gguf'));
  await symlink(fixture('lily-4m-f16.gguf'), join(folder, 'outside.gguf'));
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => {
  child?.kill('SIGKILL');
});

/** What a page asks of a fresh process. */
function started() {
  const begun = fork(PROGRAM, [folder], { serialization: 'advanced' });
  child = begun;
  const client = new Client({
    post: (message) => void begun.send(toBytes(message)),
    onMessage: (listener) => begun.on('message', (bytes: Uint8Array) => listener(fromBytes(bytes))),
    onClose: (listener) => begun.once('exit', (code, signal) => listener(`the process ended with ${signal ?? code}`)),
  });
  const ask = <Name extends RequestName>(name: Name, params: ParamsOf<Name>, watch?: Watch): Promise<ResultOf<Name>> =>
    client.ask(name, params, watch) as Promise<never>;
  return { client, ask, begun };
}

const isCompiled = existsSync(PROGRAM) || undefined;

test('a model of the folder runs to the values that Node computes', async (context) => {
  have(context, isCompiled, NOT_COMPILED);
  const { ask } = started();
  expect(await ask('move', { experiment, move: { to: 'end' } })).toMatchObject({ next: null });
  const { data } = await ask('tensor', { experiment, name: 'result_output' });
  const model = await openModel(fixture('lily-4m-q8_0.gguf'), { backend: 'reference' });
  const run = await model.start('Lily gave').toEnd();
  expect(data).toEqual((await run.trace.tensor('result_output')).data);
});

test.for(['../secret.gguf', 'models/../../x.gguf', '/etc/passwd', 'outside.gguf', '.hidden.gguf'])(
  '%s, which is not of the folder, is not opened',
  async (file, context) => {
    have(context, isCompiled, NOT_COMPILED);
    const { ask } = started();
    await expect(ask('kind', { file })).rejects.toThrow(/^Cannot (open|read) [^ ]+: (?!it begins with)/);
  },
);

test('a file that was dropped is read from the page', async (context) => {
  have(context, isCompiled, NOT_COMPILED);
  const { ask, client } = started();
  const source = await randomModelSource({ ...modelShapes.awkward, type: 'F32', seed: 7 }, 'dropped.gguf');
  client.lend(bytesSource('dropped.gguf', await source.read(0, source.size)));
  expect(await ask('drop', { name: 'dropped.gguf', size: source.size })).toEqual({ kind: 'model' });
  expect(await ask('open', { file: 'dropped.gguf', backend: 'reference' })).toMatchObject({ config: { nLayer: 2 } });
});

test('an answer that is too large for a message is a failure with the cure, and the process goes on', async (context) => {
  have(context, isCompiled, NOT_COMPILED);
  const { ask, client } = started();
  const shape = { ...modelShapes.awkward, nVocab: 40_000 };
  const source = await randomModelSource({ ...shape, type: 'F32', seed: 7 }, 'large.gguf');
  client.lend(source);
  await ask('drop', { name: 'large.gguf', size: source.size });
  const large: Experiment = { ...experiment, file: 'large.gguf', tokens: [1] };
  const name = 'token_embd.weight';
  await expect(ask('tensor', { experiment: large, name })).rejects.toThrow(
    'Cannot send the answer: it has 32 MB and a message to the page holds 31 MB. Ask for a part',
  );
  expect((await ask('tensor', { experiment: large, name, part: { rows: [0, 2] } })).shape).toEqual([2, 200]);
});

test('one that is killed is told to who waits, and one whose server is gone ends', async (context) => {
  have(context, isCompiled, NOT_COMPILED);
  const { ask, begun } = started();
  await ask('kind', { file: experiment.file });
  const waiting = ask('move', { experiment, move: { draw: 400 } });
  begun.kill('SIGKILL');
  await expect(waiting).rejects.toThrow('the process ended with SIGKILL');
  await expect(ask('kind', { file: experiment.file })).rejects.toThrow('the process ended with SIGKILL');
  const { ask: askOther, begun: other } = started();
  await askOther('kind', { file: experiment.file });
  const ended = new Promise((resolve) => other.once('exit', resolve));
  other.disconnect();
  expect(await ended).toBe(0);
});
