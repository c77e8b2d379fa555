/**
 * Keeps native code quiet on stderr. Dawn and the Vulkan loader print from C, straight to file descriptor 2, while they look
 * for adapters ("Warning: maxDynamicUniformBuffersPerPipelineLayout artificially reduced …"). For the length of one
 * synchronous call the descriptor points at a file; afterwards every line not known to be harmless is passed on.
 */
import { closeSync, fstatSync, openSync, readSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';

const STDERR = 2;

/** What says nothing a user could act on, or what our own DeviceError says better. */
const HARMLESS: readonly RegExp[] = [
  /^\s*$/,
  /^Warning: max\w+ artificially reduced /,
  /^Warning: (vkCreateInstance\b|Couldn't load Vulkan\b)/, // no driver, no loader: DeviceError names the cure
  /^\s+at .* \(.*\bdawn\b.*:\d+\)$/, // the place in Dawn's sources where such a warning was made
  /\[Loader Message\]/,
  /\bis not a conformant \w+ implementation/i, // lavapipe, RADV and others on start
];

export const isHarmless = (line: string): boolean => HARMLESS.some((pattern) => pattern.test(line));

interface Descriptors {
  dup(fd: number): number;
  dup2(from: number, to: number): number;
}
let descriptors: Descriptors | undefined;

/** POSIX dup and dup2 from the C library that this process already has loaded. */
function posixDescriptors(): Descriptors {
  const self = koffi.load(null);
  return { dup: self.func('int dup(int)'), dup2: self.func('int dup2(int, int)') };
}

/**
 * The value of `call()`, with what native code prints on stderr meanwhile kept from the user where it is harmless. Only
 * what is printed before `call` returns is caught, so a promise may be returned: Dawn does its talking before it makes
 * one. On Windows, or with LAYERSCOPE_NOISE set, nothing is caught.
 */
export function quietly<T>(call: () => T): T {
  if (process.platform === 'win32' || process.env.LAYERSCOPE_NOISE) return call();
  const capture = openCapture();
  if (capture === undefined) return call();
  descriptors ??= posixDescriptors();
  const saved = descriptors.dup(STDERR);
  if (saved < 0) {
    closeSync(capture); // stderr itself is closed: there is nothing to keep quiet
    return call();
  }
  descriptors.dup2(capture, STDERR);
  try {
    return call();
  } finally {
    descriptors.dup2(saved, STDERR);
    closeSync(saved);
    passOn(capture);
  }
}

/** A file without a name; undefined where no temporary file can be made, and then the noise is shown. */
function openCapture(): number | undefined {
  const path = join(tmpdir(), `layerscope-stderr-${process.pid}-${process.hrtime.bigint()}`);
  try {
    const fd = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
    return fd;
  } catch {
    return undefined;
  }
}

function passOn(capture: number): void {
  const bytes = new Uint8Array(fstatSync(capture).size);
  readSync(capture, bytes, 0, bytes.length, 0);
  closeSync(capture);
  const lines = new TextDecoder().decode(bytes).split('\n');
  const kept = lines.filter((line) => !isHarmless(line));
  if (kept.length > 0) process.stderr.write(`${kept.join('\n')}\n`);
}
