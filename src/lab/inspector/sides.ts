/** The two sides of a comparison as the page names them, and how they become runs and traces. */
import type { Comparable, DifferenceKind } from '../../compare/comparison.ts';
import { f64Trace } from '../../compare/f64.ts';
import type { Model } from '../../engine/model.ts';
import type { Run } from '../../engine/run.ts';
import { UsageError } from '../../errors.ts';
import type { Watch } from '../../platform.ts';
import { isArrowFile } from '../../trace/dumps/arrow.ts';
import type { Trace } from '../../trace/trace.ts';
import { type Experiment, keyOf } from './experiment.ts';
import type { KnownOfDump } from './host.ts';
import type { Session } from './session.ts';

/**
 * run: the experiment as it is, or the trace that is its file. healthy: its model without faults and changes. f64: that
 * model on the reference backend. llama.cpp: the real one; llama.cpp-f32: the same on the model's F32 twin. file: a trace or a dump.
 */
export type Side =
  | { readonly kind: 'run' | 'healthy' | 'f64' | 'llama.cpp' | 'llama.cpp-f32' }
  | { readonly kind: 'file'; readonly file: string };

export interface Sides {
  readonly experiment: Experiment;
  /** The side in doubt. */
  readonly ours: Side;
  readonly reference: Side;
  /** In what the two may be different experiments. */
  readonly allow?: readonly DifferenceKind[];
  /** Token ids of each pass, run in place of the experiment's text: a probe. */
  readonly passes?: readonly (readonly number[])[];
}

export interface OpenedSide {
  readonly comparable: Comparable;
  /** What reports call it; null where the trace itself says it best. */
  readonly label: string | null;
  close(): Promise<void> | void;
}

/** Bytes of values that a side may keep: what a comparison needs of a text of some hundred tokens. */
const BUDGET = 1e9;

/** Opens one side. Throws UsageError where this lab has no such side, and whatever opening and running throw. */
export async function openSide(session: Session, side: Side, sides: Sides, watch: Watch): Promise<OpenedSide> {
  const { experiment } = sides;
  if (side.kind === 'run' && (await session.kind(experiment.file)) === 'trace') {
    return { comparable: await session.trace(experiment.file), label: experiment.file, close() {} };
  }
  if (side.kind === 'file') return openFile(session, side.file, sides);
  const model = await session.model(experiment);
  const healthy = model.name.replace(/^.*[\\/]/, '');
  switch (side.kind) {
    case 'run': {
      const engine = await session.engine(experiment);
      const { hunt } = experiment;
      // A probe is a text more that the broken engine was given.
      if (hunt && sides.passes) (await session.hunt({ ...experiment, hunt }, watch)).countText(keyOf(sides.passes));
      return ran(engine, sides.passes ?? [tokensOf(engine, experiment)], sides, watch, null);
    }
    case 'healthy': {
      const passes = sides.passes ?? [tokensOf(model, experiment)];
      return ran(model, passes, sides, watch, `${healthy} without faults and changes`);
    }
    case 'f64': {
      const tokens = sides.passes?.flat() ?? tokensOf(model, experiment);
      return { comparable: await f64Trace(model, tokens, watch), label: `${healthy} in f64`, close() {} };
    }
    case 'llama.cpp':
    case 'llama.cpp-f32': {
      const { llamaCpp } = session.host;
      if (!llamaCpp) {
        throw new UsageError(
          'Cannot compare with llama.cpp: there is none here; start the lab with "npx layerscope lab" on a machine ' +
            'that has it, or drop a trace of it',
        );
      }
      const tokens = sides.passes?.flat() ?? tokensOf(model, experiment);
      const isTwin = side.kind === 'llama.cpp-f32';
      const trace = await llamaCpp(model, tokens, watch, isTwin ? 'f32' : 'file');
      return { comparable: trace, label: isTwin ? 'llama.cpp on the F32 twin' : null, close: () => closed(trace) };
    }
    default:
      throw side satisfies never;
  }
}

/** What the text is to a model: a fault may be one of the tokens. */
function tokensOf(model: Model, { tokens, text, bos, chat }: Experiment): readonly number[] {
  const how = { ...(bos === undefined ? {} : { bos }), ...(chat === undefined ? {} : { chat }) };
  return tokens ?? model.tokenize(text, how);
}

async function ran(
  model: Model,
  [prompt = [], ...rest]: readonly (readonly number[])[],
  { experiment, passes }: Sides,
  watch: Watch,
  label: string | null,
): Promise<OpenedSide> {
  const { text, chat } = experiment;
  const run: Run = model.start(prompt, {
    ...(passes ? {} : { prompt: text, ...(chat === undefined ? {} : { chat }) }),
    budget: BUDGET,
  });
  const close = () => run.close();
  try {
    await run.toEnd(watch);
    for (const tokens of rest) await (await run.append(tokens)).toEnd(watch);
  } catch (error) {
    close();
    throw error;
  }
  return { comparable: run, label, close };
}

/** Bytes that tell an Arrow file. */
const HEAD_BYTES = 16;

/** A trace; where the host reads them, a dump of another program, which may need the model and the tokens to be understood. */
async function openFile(session: Session, file: string, sides: Sides): Promise<OpenedSide> {
  const { openDump } = session.host;
  if (openDump && !session.isDropped(file)) {
    const trace = await openDump(file, await knownOfDump(session, sides));
    return { comparable: trace, label: file, close: () => closed(trace) };
  }
  const source = await session.source(file);
  try {
    const { readDump } = session.host;
    const isArrow = isArrowFile(await source.read(0, Math.min(HEAD_BYTES, source.size)));
    if (!readDump) {
      if (!isArrow) {
        throw new UsageError(
          `Cannot read ${file}: without a server this page reads .arrow traces alone; convert it with ` +
            '"layerscope compare", or open it in the lab ("npx layerscope lab")',
          { file },
        );
      }
      await source.close();
      return { comparable: await session.trace(file), label: file, close() {} };
    }
    const trace = await readDump(source, await knownOfDump(session, sides));
    return { comparable: trace, label: file, close: () => closed(trace) };
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function knownOfDump(session: Session, { experiment, passes }: Sides): Promise<KnownOfDump> {
  if ((await session.kind(experiment.file)) === 'trace') return {};
  const model = await session.model(experiment);
  return { model, tokens: passes?.flat() ?? tokensOf(model, experiment) };
}

/** Traces that are files, or lie in some, can be closed; others are memory. */
async function closed(trace: Trace & { close?(): unknown }): Promise<void> {
  await trace.close?.();
}
