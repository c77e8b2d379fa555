import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { doctor, formatDoctor, mesaOf } from '../../src/node/doctor.ts';
import {
  aptAdvice,
  chromiumPackage,
  compilerPackages,
  findChromium,
  findCompiler,
  findJupyterPython,
  jupyterPackages,
  parseOsRelease,
  vulkanDriver,
} from '../../src/node/host.ts';
import { have } from '../skip.ts';

afterEach(() => vi.unstubAllEnvs());

const BOOKWORM = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_CODENAME=bookworm\n';
const NOBLE = "PRETTY_NAME='Ubuntu 24.04.1 LTS'\nID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n";

describe('the host', () => {
  test('Debian 12 takes the driver from backports, its kin from their own release, others not from apt', () => {
    expect(vulkanDriver(parseOsRelease(BOOKWORM))).toMatchObject({ suite: 'bookworm-backports' });
    expect(vulkanDriver(parseOsRelease(NOBLE))).not.toHaveProperty('suite');
    expect(vulkanDriver(parseOsRelease('ID=linuxmint\nID_LIKE="ubuntu debian"\n'))).toBeDefined();
    expect(vulkanDriver(parseOsRelease('ID=fedora\n'))).toBeUndefined();
    expect(chromiumPackage(parseOsRelease(NOBLE))).toBeUndefined();
    expect(jupyterPackages(parseOsRelease(NOBLE))?.packages).toContain('python3-nbclient');
    expect(jupyterPackages(parseOsRelease(BOOKWORM))).toMatchObject({ suite: 'bookworm-backports' });
    expect(jupyterPackages(parseOsRelease('ID=fedora\n'))).toBeUndefined();
    expect(compilerPackages(parseOsRelease(BOOKWORM), 'gcc')?.packages).toEqual(['gcc', 'libc6-dev']);
    expect(compilerPackages(parseOsRelease('ID=fedora\n'), 'rustc')).toBeUndefined();
  });

  test('what to install by hand is one line, and says where the packages come from', () => {
    expect(aptAdvice({ what: 'Mesa', packages: ['mesa-vulkan-drivers'], suite: 'bookworm-backports' })).toBe(
      'as root: apt-get install -y --no-install-recommends -t bookworm-backports mesa-vulkan-drivers' +
        " (with bookworm-backports in apt's sources)",
    );
  });

  test('os-release is read with double, single and no quotes', () => {
    expect(parseOsRelease(BOOKWORM).pretty).toBe('Debian GNU/Linux 12 (bookworm)');
    expect(parseOsRelease(NOBLE)).toEqual({
      id: 'ubuntu',
      like: ['debian'],
      codename: 'noble',
      pretty: 'Ubuntu 24.04.1 LTS',
    });
  });

  test('LAYERSCOPE_CHROMIUM decides alone, and a path that is no program is none', () => {
    expect(findChromium({ LAYERSCOPE_CHROMIUM: process.execPath })).toBe(process.execPath);
    expect(findChromium({ LAYERSCOPE_CHROMIUM: '/no/such/chromium', PATH: process.env.PATH })).toBeUndefined();
  });

  test('LAYERSCOPE_GCC and LAYERSCOPE_RUSTC decide alone, and a compiler that is nowhere is none', () => {
    expect(findCompiler('gcc', { LAYERSCOPE_GCC: process.execPath })).toBe(process.execPath);
    expect(findCompiler('rustc', { LAYERSCOPE_RUSTC: '/no/such/rustc', PATH: process.env.PATH })).toBeUndefined();
    expect(findCompiler('rustc', { PATH: '/no/such/folder' })).toBeUndefined();
  });

  test("LAYERSCOPE_PYTHON comes first where it has Jupyter's modules, and is passed over where it has not", () => {
    const found = findJupyterPython({ PATH: process.env.PATH });
    expect(findJupyterPython({ LAYERSCOPE_PYTHON: '/bin/true', PATH: process.env.PATH })).toBe('/bin/true');
    expect(findJupyterPython({ LAYERSCOPE_PYTHON: '/bin/false', PATH: process.env.PATH })).toBe(found);
    expect(findJupyterPython({ LAYERSCOPE_PYTHON: '/no/such/python', PATH: process.env.PATH })).toBe(found);
  });

  test("Mesa's version is taken from the adapter's description, and from no other driver's", () => {
    expect(mesaOf('llvmpipe: Mesa 25.0.7-2~bpo12+1 (LLVM 15.0.6) 0.0.1')).toBe('Mesa 25.0.7-2~bpo12+1');
    expect(mesaOf('NVIDIA: 550.54.14')).toBeNull();
  });
});

describe('the doctor', () => {
  const isCompiled = existsSync(new URL('../../dist/node/adapter_probe.js', import.meta.url));

  test('without a driver, it says so, what that costs and what to do', async (context) => {
    have(context, isCompiled || undefined, 'dist/ is not compiled; npm test does that first');
    have(context, process.platform === 'linux' || undefined, 'the Vulkan loader is on Linux alone');
    vi.stubEnv('VK_ICD_FILENAMES', '/no/such/driver.json');
    vi.stubEnv('VK_DRIVER_FILES', '/no/such/driver.json');
    const report = await doctor();
    expect(report.adapter).toBeNull();
    const [missing] = report.missing;
    expect(missing).toMatchObject({
      what: 'a WebGPU adapter',
      found: expect.stringContaining('no WebGPU adapter was found'),
    });
    expect(missing?.costs).toContain('reference backend');
    const text = formatDoctor(report);
    expect(text).toContain(`missing  ${missing?.what}: ${missing?.found}`);
    expect(text).toContain(`to mend: ${missing?.cure}`);
  });

  test('with one, it gives its features and limits, and the report is plain data', async (context) => {
    have(context, isCompiled || undefined, 'dist/ is not compiled; npm test does that first');
    const report = await doctor();
    const adapter = have(context, report.adapter ?? undefined, 'no WebGPU adapter on this machine');
    expect(adapter.limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(2 ** 27);
    expect(adapter.features).toContain('core-features-and-limits');
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    expect(formatDoctor(report)).toContain('maxStorageBufferBindingSize');
  });

  test('a folder that is not there yet can be written where its parent can; below a file it cannot', async () => {
    expect((await doctor({ out: join(tmpdir(), 'a', 'b') })).out.writable).toBe(true);
    const { out, missing } = await doctor({ out: join(process.execPath, 'out') });
    expect(out.writable).toBe(false);
    expect(missing.some(({ cure }) => cure.includes('--out'))).toBe(true);
  });

  test('a llama.cpp that cannot be found is missing with its reason; one not looked for is not spoken of', async () => {
    const report = await doctor({
      llamaCpp: () => {
        throw new Error('no package');
      },
    });
    expect(report.llamaCpp).toBeNull();
    expect(report.missing.some(({ what, found }) => what === 'llama.cpp' && found === 'no package')).toBe(true);
    expect((await doctor({ llamaCpp: () => '3.22.1' })).llamaCpp).toBe('3.22.1');
    expect(await doctor()).not.toHaveProperty('llamaCpp');
  });
});
