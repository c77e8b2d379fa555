/** What this machine has for Layerscope, and what to do about each thing that is missing. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rmdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, availableParallelism, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import prettyBytes from 'pretty-bytes';
import { version } from '../version.ts';
import type { AdapterReport } from './adapter_probe.ts';
import { aptAdvice, chromiumPackage, driverAdvice, findChromium, release, vulkanDriver } from './host.ts';

export interface DoctorOptions {
  /** The version of the llama.cpp package; null or a throw where it is missing. Without it nothing is said of llama.cpp. */
  readonly llamaCpp?: () => string | null;
  /** Where traces go. */
  readonly out?: string;
}

export interface DoctorReport {
  readonly versions: { readonly layerscope: string; readonly node: string; readonly webgpu: string };
  readonly system: { readonly name: string; readonly arch: string; readonly cores: number; readonly memory: number };
  /** Null where no device can be opened; `missing` then says why. */
  readonly adapter: (AdapterReport & { readonly api: string; readonly driver: string | null }) | null;
  /** Absent where nobody said how to look for it. */
  readonly llamaCpp?: string | null;
  readonly chromium: { readonly path: string; readonly version: string | null } | null;
  readonly out: { readonly path: string; readonly writable: boolean };
  readonly missing: readonly Missing[];
}

/** Something that is not there: what was found instead, what that costs, and what to do about it. */
export interface Missing {
  readonly what: string;
  readonly found: string;
  readonly costs: string;
  readonly cure: string;
}

/** Dawn's choice in the `webgpu` package; it does not tell. */
const APIS: Readonly<Record<string, string>> = { linux: 'Vulkan', darwin: 'Metal', win32: 'Direct3D 12' };

/** Looks at this machine. Throws nothing: what fails is in the report. */
export async function doctor({ llamaCpp, out = 'out' }: DoctorOptions = {}): Promise<DoctorReport> {
  const found = await probeAdapter();
  const oracle = llamaCpp && lookFor(llamaCpp);
  const chromium = findChromium();
  const folder = await writability(resolve(out));
  const { pretty } = release();
  return {
    versions: { layerscope: version, node: process.version, webgpu: webgpuVersion() },
    system: { name: pretty, arch: arch(), cores: availableParallelism(), memory: totalmem() },
    adapter:
      'error' in found
        ? null
        : { ...found, api: APIS[process.platform] ?? 'unknown', driver: mesaOf(found.description) },
    ...(oracle && { llamaCpp: oracle.version }),
    chromium: chromium ? { path: chromium, version: await chromiumVersion(chromium) } : null,
    out: folder,
    missing: [
      ...('error' in found ? [await missingAdapter(found.error)] : []),
      ...(oracle?.error ? [missingOracle(oracle.error)] : []),
      ...(chromium ? [] : [missingChromium()]),
      ...(folder.writable ? [] : [missingOut(folder.path)]),
    ],
  };
}

/** `adapter_probe` as compiled; from TypeScript, as in tests, the one in dist. */
const probe = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../dist/node/adapter_probe.js' : 'adapter_probe.js', import.meta.url),
);

async function probeAdapter(): Promise<AdapterReport | { readonly error: string }> {
  const { code, stdout, stderr } = await output(process.execPath, [probe], 60_000);
  if (stdout) return JSON.parse(stdout) as AdapterReport | { readonly error: string };
  return { error: `the process that looks for one ended with ${code}: ${stderr.trim().split('\n').at(-1)}` };
}

/** Never rejects; `code` is an exit code, a signal, or the reason for not starting. */
function output(
  file: string,
  args: readonly string[],
  timeout: number,
): Promise<{ code: number | string; stdout: string; stderr: string }> {
  return new Promise((settle) => {
    execFile(file, args, { timeout }, (error, stdout, stderr) =>
      settle({ code: error ? (error.code ?? error.signal ?? error.message) : 0, stdout, stderr }),
    );
  });
}

function lookFor(find: () => string | null): { version: string | null; error?: string } {
  try {
    const found = find();
    return found === null ? { version: null, error: 'its package gives no version' } : { version: found };
  } catch (error) {
    return { version: null, error: error instanceof Error ? error.message : String(error) };
  }
}

function webgpuVersion(): string {
  return createRequire(import.meta.url)('webgpu/package.json').version;
}

/** `25.0.7-2~bpo12+1` of an adapter's description; null where the driver is not Mesa's. */
export function mesaOf(description: string): string | null {
  const found = /\bMesa (\S+)/.exec(description)?.[1];
  return found ? `Mesa ${found}` : null;
}

async function chromiumVersion(path: string): Promise<string | null> {
  const { code, stdout } = await output(path, ['--version'], 10_000);
  return code === 0 ? (/\d+(\.\d+)+/.exec(stdout)?.[0] ?? null) : null;
}

/** Whether files can be made in `path`, or where there is none yet, in the nearest folder above it. */
async function writability(path: string): Promise<{ path: string; writable: boolean }> {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      await rmdir(await mkdtemp(join(folder, '.layerscope-')));
      return { path, writable: true };
    } catch (error) {
      const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT' && !existsSync(folder);
      if (!isMissing || folder === dirname(folder)) return { path, writable: false };
    }
  }
}

async function missingAdapter(error: string): Promise<Missing> {
  const driver = process.platform === 'linux' ? vulkanDriver(release()) : undefined;
  const installed = driver && (await installedMesa());
  return {
    what: 'a WebGPU adapter',
    found: firstClause(error) + (installed ? `; Mesa ${installed} is installed, so it is too old or broken` : ''),
    costs: 'everything runs on the slower f64 reference backend',
    cure: driver ? aptAdvice(driver) : driverAdvice(process.platform),
  };
}

/** What was found, of an error in our style: without "Cannot …:" before it and the cure behind it. */
const firstClause = (message: string): string => message.replace(/^Cannot [^:]*: /, '').split('; ')[0] ?? message;

/** The version of Debian's package, where it is installed. */
async function installedMesa(): Promise<string | undefined> {
  const { code, stdout } = await output('dpkg-query', ['-W', 'mesa-vulkan-drivers'], 10_000);
  return code === 0 ? stdout.trim().split('\t')[1] : undefined;
}

const missingOracle = (error: string): Missing => ({
  what: 'llama.cpp',
  found: firstClause(error),
  costs: 'nothing can be compared with llama.cpp',
  cure: 'install Layerscope again with optional dependencies: npm install --include=optional',
});

function missingChromium(): Missing {
  const wanted = chromiumPackage(release());
  return {
    what: 'Chromium',
    found: 'none on the PATH',
    costs: 'the tests in a browser are skipped; nothing else needs it',
    cure: `${wanted ? aptAdvice(wanted) : 'install Chromium or Chrome'}, or set LAYERSCOPE_CHROMIUM to its path`,
  };
}

const missingOut = (path: string): Missing => ({
  what: 'a folder for traces',
  found: `${path} cannot be written`,
  costs: 'no trace can be saved there',
  cure: 'change its permissions, or give another path with --out',
});

/** Limits that decide what fits; bytes but for the one that counts. */
const SHOWN_LIMITS: readonly (readonly [name: string, label: string])[] = [
  ['maxStorageBufferBindingSize', 'a weight is split above'],
  ['maxBufferSize', 'a buffer holds'],
  ['maxComputeWorkgroupStorageSize', 'a workgroup shares'],
];

/** The report as text for a terminal. */
export function formatDoctor(report: DoctorReport): string {
  const { versions, system, missing } = report;
  const lines = [
    `Layerscope ${versions.layerscope}, Node ${versions.node}, webgpu ${versions.webgpu}`,
    `${system.name}, ${system.arch}, ${system.cores} cores, ${bytes(system.memory)} memory`,
    '',
    ...adapterLines(report.adapter),
    ...(report.llamaCpp ? [`ok       llama.cpp: @node-llama-cpp ${report.llamaCpp}`] : []),
    ...(report.chromium
      ? [`ok       Chromium: ${report.chromium.version ?? 'version unknown'}, ${report.chromium.path}`]
      : []),
    ...(report.out.writable ? [`ok       traces: ${report.out.path} can be written`] : []),
    ...missing.flatMap(({ what, found, costs, cure }) => [
      `missing  ${what}: ${found}`,
      `         so ${costs}`,
      `         to mend: ${cure}`,
    ]),
  ];
  return lines.join('\n');
}

function adapterLines(adapter: DoctorReport['adapter']): string[] {
  if (!adapter) return [];
  const { api, driver, description, vendor, architecture, software, subgroups, features, limits } = adapter;
  const where = software ? ', computed on the CPU' : '';
  const lanes = subgroups
    ? `subgroups of ${subgroups.min === subgroups.max ? subgroups.min : `${subgroups.min} to ${subgroups.max}`}`
    : 'no subgroups';
  return [
    `ok       WebGPU: ${description || `${vendor} ${architecture}`}`,
    `         ${api}${driver ? `, ${driver}` : ''}${where}, ${lanes}`,
    `         features: ${features.join(', ')}`,
    ...SHOWN_LIMITS.map(([name, label]) => `         ${label} ${bytes(limits[name] ?? 0)} (${name})`),
  ];
}

const bytes = (n: number): string => prettyBytes(n, { binary: true });
