import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { layerscope, Workplace } from './layerscope.ts';

const place = new Workplace();
afterAll(() => place.remove());

/** A user whose home is empty. */
function user(name: string) {
  const home = place.path(name);
  mkdirSync(home);
  const env = {
    HOME: home,
    XDG_DATA_HOME: '',
    JUPYTER_DATA_DIR: join(home, 'jupyter'),
    JUPYTER_PATH: '',
    VIRTUAL_ENV: '',
  };
  return { home, call: (...args: string[]) => layerscope(['kernel', ...args], { env, cwd: home }) };
}

describe('layerscope kernel', () => {
  test('installs for the user, lists, and uninstalls', async () => {
    const { home, call } = user('ann');
    const folder = join(home, 'jupyter', 'kernels', 'layerscope');
    expect(await call('list')).toMatchObject({
      code: 0,
      stdout: 'No kernel of Layerscope is installed here. Install it: npx layerscope kernel install\n',
    });
    expect(await call('install')).toEqual({
      code: 0,
      signal: null,
      stdout:
        `Installed TypeScript (Layerscope) in ${folder}.\n` +
        'Choose it in JupyterLab, Notebook or VS Code; at a terminal: jupyter console --kernel layerscope\n',
      stderr: '',
    });
    expect(JSON.parse((await call('list', '--json')).stdout)).toMatchObject([{ name: 'layerscope', folder }]);
    expect(await call('uninstall', '--user')).toMatchObject({ code: 0, stdout: `Removed ${folder}.\n` });
    expect(readdirSync(join(home, 'jupyter'))).toEqual(['kernels']);
  });

  test('installs into a prefix under a name, and says who finds it there', async () => {
    const { home, call } = user('ben');
    const { stdout } = await call('install', '--prefix', 'env', '--name', 'strict', '--strict');
    const data = join(home, 'env', 'share', 'jupyter');
    expect(stdout).toContain(`any other with JUPYTER_PATH=${data}\n`);
    const [listed] = JSON.parse((await call('list', '--prefix', 'env', '--json')).stdout);
    expect(listed).toMatchObject({ name: 'strict', folder: join(data, 'kernels', 'strict'), isStrict: true });
    const removed = await call('uninstall', '--prefix', 'env', '--name', 'strict', '--json');
    expect(JSON.parse(removed.stdout)).toEqual({ name: 'strict', folder: listed.folder });
  });

  test('says which path of a kernel is gone, and how to install that kernel again', async () => {
    const { home, call } = user('eve');
    const options = ['--prefix', join(home, 'an env'), '--name', 'mine', '--strict'];
    const { folder } = JSON.parse((await call('install', ...options, '--json')).stdout);
    const path = join(folder, 'kernel.json');
    const spec = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify({ ...spec, argv: ['/gone/node', '/gone/kernel.js', '{connection_file}'] }));
    const { stdout } = await call('list', '--prefix', 'an env');
    expect(stdout).toContain(
      '  cannot start: /gone/node and /gone/kernel.js are gone; install it again: ' +
        `npx layerscope kernel install --prefix '${join(home, 'an env')}' --name mine --strict\n`,
    );
  });

  test('refuses what is wrong in one line: 2 for a wrong call, 1 for what it may not touch', async () => {
    const { home, call } = user('mia');
    const other = join(home, 'jupyter', 'kernels', 'layerscope');
    mkdirSync(other, { recursive: true });
    const cases: [code: number, message: string, args: string[]][] = [
      [2, 'Cannot run layerscope kernel install: option', ['install', '--user', '--prefix', 'env']],
      [2, "Cannot run layerscope kernel install: unknown option '--nmae'", ['install', '--nmae', 'a']],
      [2, 'Cannot run layerscope kernel: unknown command', ['instal']],
      [2, 'Cannot use "A" as a kernel\'s name', ['install', '--name', 'A']],
      [1, `Cannot install kernel layerscope: ${other} was not written by Layerscope`, ['install']],
      [1, `Cannot uninstall ${other}: it was not written by Layerscope`, ['uninstall']],
      [1, 'Cannot uninstall', ['uninstall', '--name', 'none']],
    ];
    for (const [code, message, args] of cases) {
      const found = await call(...args);
      expect(found.stderr).toMatch(/^Cannot [^\n]+\n$/);
      expect(found.stderr).toContain(message);
      expect({ code: found.code, stdout: found.stdout }).toEqual({ code, stdout: '' });
    }
    expect(existsSync(join(other, 'kernel.json'))).toBe(false);
  });

  test('without more shows its help', async () => {
    const { code, stderr } = await user('tom').call();
    expect([code, stderr]).toEqual([2, expect.stringContaining('Usage: layerscope kernel')]);
  });
});
