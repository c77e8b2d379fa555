/** Restart, and the executor's death: the user is told, variables are gone, and the next cell runs. */

import { fileURLToPath } from 'node:url';
import { describe, expect } from 'vitest';
import { have } from '../../skip.ts';
import { prints } from '../jupyter.ts';
import { test } from './with_kernel.ts';

const MODEL = fileURLToPath(new URL('../../../fixtures/lily-4m-q8_0.gguf', import.meta.url));

test('a GPU that is lost between cells: the next one says what to do, and what it says works', async ({
  kernel,
  skip,
}) => {
  const opening = `await openModel(${JSON.stringify(MODEL)})`;
  const opened = await kernel.execute(
    `import { nodePlatform } from 'layerscope'; const model = ${opening}; model.backend.name`,
  );
  have({ skip }, opened.result?.['text/plain'] === 'webgpu' || undefined, 'no WebGPU adapter');
  await kernel.execute("const run = await model.start('Tom').layer(0); (await nodePlatform.gpu()).device.destroy();");
  const { traceback } = await kernel.execute('await run.toEnd()');
  expect(traceback).toMatch(
    /DeviceError: Cannot go on: the GPU was lost \(.+\); open the model again, or use \{ backend: 'reference' \}/,
  );
  const { result } = await kernel.execute(`(await (${opening}).start('Tom').toEnd()).trace.names.length`);
  expect(result?.['text/plain']).toBe('111');
});

describe('a cell that kills its process', () => {
  test.for([
    ['process.abort()', /SIGABRT/],
    ["process.kill(process.pid, 'SIGSEGV'); await new Promise(() => {})", /SIGSEGV/],
    ["process.kill(process.pid, 'SIGKILL'); await new Promise(() => {})", /SIGKILL/],
  ] as const)('%s: fails saying how it ended and what is lost; the kernel goes on', async ([code, how], { kernel }) => {
    await kernel.execute("var lost = 'here';");
    const { pid } = kernel;
    const cell = await kernel.begin(`console.log('before'); ${code};`);
    const queued = await kernel.begin("console.log('queued ran')");
    const { reply, stdout, traceback } = await cell.done();
    expect(stdout).toBe('before\n');
    expect(reply.status).toBe('error');
    expect(traceback).toMatch(how);
    expect(traceback).toMatch(/variables/);
    expect((await queued.done()).stdout).toBe('');
    const after = await kernel.execute('typeof globalThis.process.pid + typeof charts.attention');
    expect(after.result?.['text/plain']).toBe('numberfunction');
    expect((await kernel.execute('lost')).traceback).toMatch(/Cannot find name 'lost'/);
    expect(kernel.pid).toBe(pid);
  });

  test('process.exit is refused with the cure, and variables stay', async ({ kernel }) => {
    await kernel.execute('var stays = 1;');
    const { reply, traceback } = await kernel.execute('process.exit(3);');
    expect(reply.status).toBe('error');
    expect(traceback).toMatch(/Cannot end the process.*process\.exit\(3\).*restart/);
    expect((await kernel.execute('stays')).result?.['text/plain']).toBe('1');
  });

  test('between cells: the next one runs, and the user is told', async ({ kernel }) => {
    const first = await kernel.begin("setTimeout(() => { console.error('going'); process.abort(); }, 20);");
    await first.done();
    await first.until(prints('going'));
    await first.until(prints('variables'));
    expect((await kernel.execute('1 + 1')).result?.['text/plain']).toBe('2');
  });

  test('by using up its memory: the kernel says so and goes on', async ({ startKernel }) => {
    const kernel = await startKernel({ env: { NODE_OPTIONS: '--max-old-space-size=512' } }); // megabytes
    const { reply, traceback } = await kernel.execute(
      'const hog: object[] = []; while (true) hog.push(new Array(1_000_000).fill({}));',
    );
    expect(reply.status).toBe('error');
    expect(traceback).toMatch(/SIGABRT|SIGTRAP|memory/);
    expect((await kernel.execute('1 + 1')).result?.['text/plain']).toBe('2');
  });
});

describe('restart', () => {
  test('forgets variables, counts from 1 and is ready for the prelude', async ({ startKernel }) => {
    const kernel = await startKernel();
    const { pid } = kernel;
    await kernel.execute('const before = 1;');
    await kernel.restart();
    expect(kernel.pid).not.toBe(pid);
    const { reply, traceback } = await kernel.execute('before');
    expect([reply.execution_count, traceback]).toEqual([1, expect.stringContaining("Cannot find name 'before'")]);
    expect((await kernel.execute('typeof openModel')).result?.['text/plain']).toBe('function');
  });

  test('ends a kernel whose cell never rests by itself, within the time that Jupyter gives', async ({
    startKernel,
  }) => {
    const kernel = await startKernel();
    const cell = await kernel.begin('while (true) {}');
    await cell.until(({ header }) => header.msg_type === 'execute_input');
    const { ended } = kernel;
    await kernel.send('shutdown_request', { restart: true }, 'control');
    expect(await ended).toBe(0);
  });
});
