/** Where the inspector runs in the lab: Node's GPU, the files of the lab's folder and no others, and llama.cpp where it is. */

import { readdir, stat } from 'node:fs/promises';
import { LayerscopeError } from '../../errors.ts';
import { readDump, readDumpFrom } from '../../node/dump.ts';
import { openFile } from '../../node/files.ts';
import { nodePlatform } from '../../node/index.ts';
import { f32Twin, type LlamaCpp, llamaCpp, oracleAvailable } from '../../oracle/index.ts';
import type { ByteSource } from '../../platform.ts';
import type { InspectorHost } from '../inspector/host.ts';
import type { Root } from './root.ts';

export function labHost(root: Root): InspectorHost {
  /** Of these llama.cpp can be given the path. */
  const opened = new WeakSet<ByteSource>();
  /** By weights and path. A process of llama.cpp stays until this one ends: a model is loaded once. */
  const engines = new Map<string, LlamaCpp>();
  return {
    platform: nodePlatform,
    readDump: readDumpFrom,
    async openDump(path, known) {
      const { file, table } = await dumpAt(root, path);
      return readDump(file, { ...known, ...(table === undefined ? {} : { table }) });
    },
    async open(path) {
      const { file } = await root.locate(path);
      const source = await openFile(file);
      opened.add(source);
      return source;
    },
    llamaCpp:
      oracleAvailable() !== null
        ? null
        : async (model, tokens, watch, weights) => {
            const { name } = model;
            if (!opened.has(model.gguf.source)) {
              throw new LayerscopeError(
                `Cannot run llama.cpp on ${name}: it was dropped on the page, and llama.cpp reads files by path; copy it ` +
                  "into the lab's folder and open it there",
                { file: name },
              );
            }
            const key = `${weights} ${name}`;
            const engine = engines.get(key) ?? llamaCpp(weights === 'f32' ? await f32Twin(model, watch) : model);
            engines.set(key, engine);
            return engine.trace(tokens, watch);
          },
  };
}

/** Where a dump lies, and which table of it is meant. Throws Refusal where it, or a file of its folder, is not of the lab's. */
async function dumpAt(root: Root, path: string): Promise<{ readonly file: string; readonly table?: string }> {
  const at = path.lastIndexOf('#');
  const { file } = await root.locate(path);
  const found = await stat(file).catch(() => null);
  if (!found && at > 0) return { file: (await root.locate(path.slice(0, at))).file, table: path.slice(at + 1) };
  // Says that it is not there; and what is not there is no `path#table` to whoever opens it either.
  if (!found) await (await openFile(file)).close();
  if (found?.isDirectory()) {
    const links = (await readdir(file, { withFileTypes: true })).filter((item) => item.isSymbolicLink());
    for (const { name } of links) await root.locate(`${path}/${name}`);
  }
  return { file };
}
