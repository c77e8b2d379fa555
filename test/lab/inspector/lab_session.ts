/** A session on this machine: the shipped models, llama.cpp where there is one, and what else a test puts beside. */

import type { Experiment } from '../../../src/lab/inspector/experiment.ts';
import type { InspectorHost } from '../../../src/lab/inspector/host.ts';
import type { Request } from '../../../src/lab/inspector/request.ts';
import { Session } from '../../../src/lab/inspector/session.ts';
import { readDump, readDumpFrom } from '../../../src/node/dump.ts';
import { openFile } from '../../../src/node/files.ts';
import { nodePlatform } from '../../../src/node/index.ts';
import { f32Twin, llamaCpp, oracleAvailable } from '../../../src/oracle/index.ts';
import { noAdapter } from '../../engine/models.ts';

export const FILE = 'fixtures/lily-4m-f16.gguf';

/** On a device where there is one: the tests' other backend takes a minute for what this does in a second. */
export const backend = noAdapter === null ? 'webgpu' : 'reference';

export const lily: Experiment = {
  ...{ file: FILE, backend, text: 'Lily gave the ball to Tom. Tom thanked' },
  ...{ faults: [], changes: [] },
};

export const nodeHost: InspectorHost = {
  platform: nodePlatform,
  open: (path) => openFile(path),
  llamaCpp:
    oracleAvailable() === null
      ? async (model, tokens, watch, weights) =>
          llamaCpp(weights === 'f32' ? await f32Twin(model, watch) : model).trace(tokens, watch)
      : null,
  readDump: (source, known) => readDumpFrom(source, known),
  openDump: readDump,
};

export function openSession(host: Partial<InspectorHost> = {}): Session {
  return new Session({ ...nodeHost, ...host });
}

/** Asks the session, and gives the answer as it would arrive at the page: by way of what a websocket carries. */
export async function ask<Params, Result>(
  session: Session,
  request: Request<Params, Result>,
  params: Params,
): Promise<Result> {
  const { fromBytes, toBytes } = await import('../../../src/lab/inspector/wire.ts');
  const sent = fromBytes(toBytes(params)) as Params;
  return fromBytes(toBytes(await request(session, sent, {}))) as Result;
}
