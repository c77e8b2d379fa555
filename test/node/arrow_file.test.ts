import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { TraceError } from '../../src/errors.ts';
import { freeSpace, readArrow, writeArrowFile } from '../../src/node/arrow_file.ts';
import type { ArrowTraceWriter } from '../../src/trace/arrow_writer.ts';
import { normals, seeded } from '../seeded.ts';
import { rowFor } from '../trace/rows.ts';

const folder = mkdtempSync(join(tmpdir(), 'layerscope-arrow-'));
afterAll(() => rm(folder, { recursive: true }));

const values = normals(seeded(1), 5000);

async function fill(writer: ArrowTraceWriter): Promise<{ sampled: number[] }> {
  for (let seq = 0; seq < 3; seq++) await writer.append(rowFor(`x-${seq}`, values, { seq }), values);
  return { sampled: [4] };
}

/** A program that writes a trace without end, or `tensors` of 4 MB; as a file, because it runs in another process. */
async function program(name: string): Promise<string> {
  const outfile = join(folder, `${name}.mjs`);
  const contents = `
    import { writeArrowFile } from './src/node/arrow_file.ts';
    import { rowFor } from './test/trace/rows.ts';
    const [path, tensors] = [process.argv[2], Number(process.argv[3])];
    const values = new Float32Array(1 << 20).fill(1);
    const row = rowFor('x', values);
    try {
      await writeArrowFile(path, {}, async (writer) => {
        for (let seq = 0; seq < tensors; seq++) {
          await writer.append({ ...row, seq }, values);
          if (seq === 3) process.stdout.write('under way');
        }
        return {};
      });
    } catch (error) {
      process.stdout.write(error.name + ': ' + error.message);
    }`;
  const stdin = { contents, resolveDir: process.cwd(), loader: 'ts' as const };
  const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" };
  await build({ stdin, bundle: true, platform: 'node', format: 'esm', outfile, banner, logLevel: 'error' });
  return outfile;
}

describe('a trace in a file', () => {
  it('is there under its name, whole, with sha256 of each tensor and nothing beside it', async () => {
    const path = join(folder, 'whole.arrow');
    const size = await writeArrowFile(path, { prompt: 'Tom' }, fill);
    expect(readFileSync(path)).toHaveLength(size);
    expect(readdirSync(folder)).toEqual(['whole.arrow']);
    const trace = await readArrow(path);
    expect(trace.manifest).toEqual({ prompt: 'Tom' });
    expect(trace.end).toEqual({ sampled: [4] });
    expect([...(await trace.tensor('x-1')).data]).toEqual([...values]);
    const { createHash } = await import('node:crypto');
    expect(trace.entries[1]!.sha256).toBe(createHash('sha256').update(values).digest('hex'));
    await trace.close();
  });

  it('that fails on the way leaves what was there before, and no partial file', async () => {
    const path = join(folder, 'kept.arrow');
    writeFileSync(path, 'before');
    const failing = writeArrowFile(path, {}, async (writer) => {
      await fill(writer);
      throw new Error('the run broke');
    });
    await expect(failing).rejects.toThrow('the run broke');
    expect(readFileSync(path, 'utf8')).toBe('before');
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
  });

  it('is not there when its writer was killed', async () => {
    const path = join(folder, 'killed.arrow');
    const child = spawn(process.execPath, [await program('killed'), path, '500'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    const [, signal] = await once(child, 'exit');
    expect(signal).toBe('SIGKILL');
    expect(existsSync(path)).toBe(false);
    const left = readdirSync(folder).filter((name) => name.startsWith('killed.arrow'));
    expect(left).toEqual([expect.stringMatching(/^killed\.arrow\.[0-9a-f]{8}\.partial$/)]);
    await rm(join(folder, left[0]!));
  });

  it('says why it cannot be written, and what to do', async () => {
    writeFileSync(join(folder, 'file'), '');
    const cases: [string, string][] = [
      [join(folder, 'no', 'x.arrow'), 'there is no such folder; make it, or write elsewhere'],
      [join(folder, 'file', 'x.arrow'), 'a part of its path is a file'],
      [folder, 'it is a folder; name a file in it'],
      [join(folder, `${'x'.repeat(300)}.arrow`), 'its name is too long'],
      ['/proc/x.arrow', process.platform === 'linux' ? 'Cannot write /proc/x.arrow' : 'Cannot write'],
    ];
    for (const [path, message] of cases) {
      await expect(writeArrowFile(path, {}, fill)).rejects.toThrow(TraceError);
      await expect(writeArrowFile(path, {}, fill)).rejects.toThrow(message);
    }
  });

  it.skipIf(process.platform === 'win32')('that outgrows the disk leaves one error and no partial file', async () => {
    const path = join(folder, 'large.arrow');
    // 20 MB at most, in blocks of 512 or 1024 bytes: the nearest thing to a full disk that a user may ask for.
    const command = `ulimit -f 20000; exec "$0" "$1" "$2" 100`;
    const { stdout } = spawnSync('sh', ['-c', command, process.execPath, await program('large'), path], {
      encoding: 'utf8',
    });
    expect(stdout).toContain(
      `TraceError: Cannot write ${path}: it is larger than a file may be there; keep fewer values`,
    );
    expect(readdirSync(folder).filter((name) => name.startsWith('large.arrow'))).toEqual([]);
  });

  it('that is no trace is refused by name', async () => {
    const path = join(folder, 'text.arrow');
    writeFileSync(path, 'this is just a text, and long enough');
    await expect(readArrow(path)).rejects.toThrow(`Cannot read the trace ${path}: it is no Arrow IPC file`);
    await expect(readArrow(join(folder, 'missing.arrow'))).rejects.toThrow('there is no such file');
  });
});

describe('free space', () => {
  it('is that of the disk where the file would be, whether its folder exists or not', async () => {
    const here = await freeSpace(join(folder, 'x.arrow'));
    expect(here).toBeGreaterThan(0);
    expect(await freeSpace(join(folder, 'a', 'b', 'x.arrow'))).toBeGreaterThan(0.5 * here);
  });
});
