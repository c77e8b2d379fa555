import { execFileSync, spawnSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { TraceError } from '../../src/errors.ts';
import { writeWholeFile } from '../../src/node/whole_file.ts';

const folder = mkdtempSync(join(tmpdir(), 'layerscope-whole-'));
afterAll(() => rmSync(folder, { recursive: true }));

const text = (words: string) => new TextEncoder().encode(words);

describe('a file that is written whole', () => {
  it('holds the pieces in order, and its size is returned', async () => {
    const path = join(folder, 'pieces');
    const size = await writeWholeFile(path, async (write) => {
      for (const piece of ['one ', '', 'two']) await write(text(piece));
    });
    expect([size, readFileSync(path, 'utf8')]).toEqual([7, 'one two']);
  });

  it('leaves nothing when its program calls process.exit() in the middle', async () => {
    const outfile = join(folder, 'exits.mjs');
    const contents = `
      import { existsSync, readdirSync } from 'node:fs';
      import { writeWholeFile } from './src/node/whole_file.ts';
      await writeWholeFile(process.argv[2], async (write) => {
        await write(new Uint8Array(9));
        process.stdout.write(readdirSync(process.argv[3]).filter((name) => name.endsWith('.partial')).join());
        process.exit(7);
      });`;
    await build({
      stdin: { contents, resolveDir: process.cwd(), loader: 'ts' },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile,
      logLevel: 'error',
    });
    const { status, stdout } = spawnSync(process.execPath, [outfile, join(folder, 'half'), folder], {
      encoding: 'utf8',
    });
    expect([status, stdout]).toEqual([7, expect.stringMatching(/^half\.[0-9a-f]{8}\.partial$/)]);
    expect(readdirSync(folder).filter((name) => name.startsWith('half'))).toEqual([]);
  });

  it('goes where a link leads, and the link stays', async () => {
    const [real, link] = [join(folder, 'real'), join(folder, 'link')];
    writeFileSync(real, 'before');
    symlinkSync(real, link);
    await writeWholeFile(link, (write) => write(text('after')));
    expect([readFileSync(real, 'utf8'), lstatSync(link).isSymbolicLink()]).toEqual(['after', true]);
  });

  it.skipIf(process.platform === 'win32')('never takes the place of a device or a pipe', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    for (const path of [pipe, '/dev/null']) {
      await expect(writeWholeFile(path, (write) => write(text('x')))).rejects.toThrow(
        new TraceError(`Cannot write ${path}: it is a device or a pipe; name a file`, { file: path }),
      );
    }
  });
});
