/** Kernelspecs on disk, in folders of this test; that Jupyter finds and starts them is tested with Jupyter. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NotebookError, UsageError } from '../../src/errors.ts';
import { findJupyterPython } from '../../src/node/host.ts';
import { kernelspec } from '../../src/notebook/kernelspec.ts';
import { kernelFolders, prefixKernels, userKernels } from '../../src/notebook/kernelspec_folders.ts';
import { installKernel, listKernels, uninstallKernel } from '../../src/notebook/kernelspec_install.ts';
import { version } from '../../src/version.ts';
import { have } from '../skip.ts';

let place = '';
let kernels = '';

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'layerscope-kernelspec-'));
  kernels = join(place, 'share', 'jupyter', 'kernels');
});
afterEach(() => rmSync(place, { recursive: true }));

/** A kernelspec of another program. */
function foreign(name: string, text = '{"argv": ["python3"], "display_name": "Python", "language": "python"}'): string {
  const folder = join(kernels, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'kernel.json'), text);
  return folder;
}

/** What lies beside the folder of kernels, where half-written folders would be. */
const leftovers = () => readdirSync(join(place, 'share', 'jupyter')).filter((name) => name !== 'kernels');

describe('kernel.json', () => {
  test('starts our program with this Node, by absolute paths, and is interrupted by messages', () => {
    const { argv, ...rest } = kernelspec();
    expect(argv[0]).toBe(process.execPath);
    expect(argv.slice(0, 2).every(isAbsolute)).toBe(true);
    expect(argv[1]?.endsWith(join('dist', 'notebook', 'kernel.js'))).toBe(true);
    expect(argv.slice(2)).toEqual(['{connection_file}']);
    expect(rest).toEqual({
      display_name: 'TypeScript (Layerscope)',
      language: 'typescript',
      interrupt_mode: 'message',
      env: {},
      metadata: { debugger: false, layerscope: { version } },
    });
  });

  test('asks for strict cells through the environment, and says so in its name', () => {
    expect(kernelspec({ strict: true })).toMatchObject({
      display_name: 'TypeScript (Layerscope, strict)',
      env: { LAYERSCOPE_STRICT: '1' },
    });
  });
});

describe('installing', () => {
  test('writes kernel.json and icons of the sizes that their names say, and nothing beside', async () => {
    const { folder, argv } = await installKernel(kernels);
    expect(folder).toBe(join(kernels, 'layerscope'));
    expect(readdirSync(folder).sort()).toEqual(['kernel.json', 'logo-32x32.png', 'logo-64x64.png', 'logo-svg.svg']);
    expect(JSON.parse(readFileSync(join(folder, 'kernel.json'), 'utf8'))).toMatchObject({ argv });
    for (const size of [32, 64]) {
      const header = readFileSync(join(folder, `logo-${size}x${size}.png`)).subarray(0, 24);
      expect([header.toString('latin1', 1, 4), header.readUInt32BE(16), header.readUInt32BE(20)]).toEqual([
        'PNG',
        size,
        size,
      ]);
    }
    expect(leftovers()).toEqual([]);
  });

  test('replaces an earlier one of ours whole', async () => {
    const { folder } = await installKernel(kernels, { strict: true });
    writeFileSync(join(folder, 'old'), '');
    await installKernel(kernels);
    expect(readFileSync(join(folder, 'kernel.json'), 'utf8')).not.toContain('strict');
    expect(existsSync(join(folder, 'old'))).toBe(false);
    expect(leftovers()).toEqual([]);
  });

  test.for([
    ['of another program', undefined],
    ['that is broken', '{'],
  ] as const)('leaves a kernelspec %s as it is, unless that is asked for', async ([, text]) => {
    const folder = foreign('layerscope', text);
    const before = readFileSync(join(folder, 'kernel.json'), 'utf8');
    const refused = installKernel(kernels);
    await expect(refused).rejects.toThrow(NotebookError);
    await expect(refused).rejects.toThrow(
      `Cannot install kernel layerscope: ${folder} was not written by Layerscope; ` +
        'choose another name with --name NAME, or replace it with --force',
    );
    expect([readFileSync(join(folder, 'kernel.json'), 'utf8'), leftovers()]).toEqual([before, []]);
    await installKernel(kernels, { force: true });
    expect(await listKernels([kernels])).toHaveLength(1);
  });

  test('replaces a link, and not what it leads to', async () => {
    const elsewhere = foreign('elsewhere');
    symlinkSync(elsewhere, join(kernels, 'layerscope'));
    await installKernel(kernels, { force: true });
    expect(readdirSync(elsewhere)).toEqual(['kernel.json']);
  });

  test.for(['', 'Upper', 'a/b', '..', '.hidden', 'a b'])('refuses the name "%s"', async (name) => {
    await expect(installKernel(kernels, { name })).rejects.toThrow(UsageError);
    expect(existsSync(kernels)).toBe(false);
  });

  test('leaves nothing where it may not write', async (context) => {
    have(context, process.platform === 'linux' || undefined, 'there is no /proc on this machine');
    await expect(installKernel('/proc/share/jupyter/kernels')).rejects.toThrow(
      /^Cannot write \/proc\/share\/\S+: [^\n]+$/,
    );
    mkdirSync(join(place, 'share'));
    writeFileSync(join(place, 'share', 'jupyter'), 'a file');
    await expect(installKernel(kernels)).rejects.toThrow('a part of its path is a file');
    expect(readdirSync(join(place, 'share'))).toEqual(['jupyter']);
  });
});

describe('uninstalling', () => {
  test('removes ours, and nothing else', async () => {
    const other = foreign('python3');
    const { folder } = await installKernel(kernels);
    expect(await uninstallKernel(kernels)).toBe(folder);
    expect(readdirSync(kernels)).toEqual(['python3']);
    expect(leftovers()).toEqual([]);
    await expect(uninstallKernel(kernels)).rejects.toThrow(`Cannot uninstall ${folder}: there is no such kernel`);
    await expect(uninstallKernel(kernels, 'python3')).rejects.toThrow('it was not written by Layerscope');
    expect(existsSync(other)).toBe(true);
  });
});

describe('listing', () => {
  test('shows ours in every folder, and which of their paths are gone', async () => {
    foreign('python3');
    const { folder } = await installKernel(kernels, { name: 'layerscope-strict', strict: true });
    const path = join(folder, 'kernel.json');
    const spec = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify({ ...spec, argv: [process.execPath, '/gone/kernel.js', '{connection_file}'] }));
    expect(await listKernels([join(place, 'none'), kernels])).toEqual([
      {
        name: 'layerscope-strict',
        folder,
        displayName: 'TypeScript (Layerscope, strict)',
        argv: [process.execPath, '/gone/kernel.js', '{connection_file}'],
        version,
        isStrict: true,
        missing: ['/gone/kernel.js'],
      },
    ]);
  });
});

describe("Jupyter's folders", () => {
  const machine = (platform: NodeJS.Platform, env: Record<string, string> = {}) => ({
    platform,
    env,
    home: '/home/ann',
  });

  test.for<[NodeJS.Platform, Record<string, string>, string]>([
    ['linux', {}, '/home/ann/.local/share/jupyter/kernels'],
    ['linux', { XDG_DATA_HOME: '/data' }, '/data/jupyter/kernels'],
    ['linux', { XDG_DATA_HOME: '/data', JUPYTER_DATA_DIR: '/mine' }, '/mine/kernels'],
    ['darwin', { XDG_DATA_HOME: '/data' }, '/home/ann/Library/Jupyter/kernels'],
    ['win32', { APPDATA: 'C:\\Users\\ann\\AppData\\Roaming' }, 'C:\\Users\\ann\\AppData\\Roaming\\jupyter\\kernels'],
  ])("the user's on %s with %o is %s", ([platform, env, folder]) => {
    expect(userKernels(machine(platform, env))).toBe(folder);
  });

  test('begin with JUPYTER_PATH, then come the user, an active environment, the system; none twice', () => {
    const env = { JUPYTER_PATH: '/a:/usr/share/jupyter', VIRTUAL_ENV: '/venv' };
    expect(kernelFolders(machine('linux', env))).toEqual([
      '/a/kernels',
      '/usr/share/jupyter/kernels',
      '/home/ann/.local/share/jupyter/kernels',
      '/venv/share/jupyter/kernels',
      '/usr/local/share/jupyter/kernels',
    ]);
    expect(prefixKernels('C:\\py', machine('win32'))).toBe('C:\\py\\share\\jupyter\\kernels');
  });

  test.for<Record<string, string>>([
    {},
    { XDG_DATA_HOME: '/data' },
    { JUPYTER_DATA_DIR: '/mine' },
    { JUPYTER_PATH: '/a:/b' },
  ])('are those that jupyter_core knows, with %o', (env, context) => {
    const code =
      'import json; from jupyter_core import paths; print(json.dumps([paths.jupyter_data_dir(), paths.jupyter_path()]))';
    const python = have(context, findJupyterPython(), 'no Python with jupyter_core on this machine');
    const call = spawnSync(python, ['-c', code], {
      env: { HOME: '/home/ann', PATH: '/usr/bin', ...env },
      encoding: 'utf8',
    });
    const [data, path] = JSON.parse(call.stdout) as [string, string[]];
    expect(userKernels(machine('linux', env))).toBe(join(data, 'kernels'));
    expect(kernelFolders(machine('linux', env))).toEqual(path.map((folder) => join(folder, 'kernels')));
  });
});
