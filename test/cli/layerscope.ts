/** The built command line as a child process, and a small model with a chat template for it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { joinBytes } from '../../src/gguf/bytes.ts';
import { type RandomModelOptions, randomModelContent } from '../../src/gguf/random_model.ts';
import { type GgufContent, ggufPieces } from '../../src/gguf/writer.ts';
import { heldCommand } from '../file_modes.ts';

export const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

if (!existsSync(CLI)) throw new Error(`Cannot test the command line: ${CLI} is missing; run "npm run build"`);

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

export interface CallOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Whether files' modes hold it (test/file_modes.ts). */
  readonly isHeld?: boolean;
}

/** What a user's shell has, but for what would choose a backend or colours. */
const { LAYERSCOPE_BACKEND: _, NO_COLOR: __, ...ENV } = process.env;

export function start(args: readonly string[], { env = {}, cwd, isHeld = false }: CallOptions = {}): Started {
  const command = [process.execPath, CLI, ...args];
  const [program = '', ...rest] = isHeld ? heldCommand(command) : command;
  const child = spawn(program, rest, { env: { ...ENV, ...env }, cwd });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, ended };
}

export const layerscope = (args: readonly string[], options: CallOptions = {}): Promise<Ended> =>
  start(args, options).ended;

export const TINY: RandomModelOptions = {
  nLayer: 2,
  nEmbd: 64,
  nHead: 4,
  nHeadKv: 2,
  nFf: 96,
  nVocab: 400,
  nCtx: 64,
  type: 'F32',
  seed: 11,
};

const CHAT_TEMPLATE =
  "{% for message in messages %}{{ bos_token }}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}" +
  '{% if add_generation_prompt %}assistant:{% endif %}';

/** A folder for a test file's own files, with models in it. */
export class Workplace {
  readonly folder = mkdtempSync(join(tmpdir(), 'layerscope-cli-'));

  path(...parts: readonly string[]): string {
    return join(this.folder, ...parts);
  }

  /** Writes a file and gives its path. */
  file(name: string, bytes: Uint8Array | string): string {
    writeFileSync(this.path(name), bytes);
    return this.path(name);
  }

  /** A random model with a chat template; `metadata` adds to its keys or replaces them. */
  async model(
    name: string,
    options: RandomModelOptions = TINY,
    metadata: GgufContent['metadata'] = {},
  ): Promise<string> {
    const content = randomModelContent(options);
    const chat: GgufContent['metadata'] = { 'tokenizer.chat_template': ['string', CHAT_TEMPLATE] };
    const all = { ...content, metadata: { ...content.metadata, ...chat, ...metadata } };
    return this.file(name, await joinBytes(ggufPieces(all)));
  }

  /** What stands in the folder whose name holds `part`. */
  named(part: string): string[] {
    return readdirSync(this.folder).filter((name) => name.includes(part));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
