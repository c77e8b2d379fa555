/** Tensors that are nothing but zeros though what they are made of is not: the plainest fault that a table of sums can show. */
import type { Trace, TraceRow } from '../trace/trace.ts';

/** A step, as far as it matters here. */
interface Made {
  readonly name: string;
  readonly inputs: Readonly<Record<string, string>>;
}

export interface DeadTensor {
  readonly name: string;
  readonly pass: number;
  /** Its inputs that are in the trace; each has something in it. */
  readonly inputs: readonly string[];
  /** False where only a sum of exactly 0 tells it, which numbers of both signs can have by chance. */
  readonly isCertain: boolean;
}

/** The dead tensors of a trace, in order of computation; what follows from a dead input is none. */
export function deadTensors({ entries }: Trace, steps: readonly Made[]): DeadTensor[] {
  const made = new Map(steps.map((step) => [step.name, step]));
  const rows = new Map(entries.map((row) => [`${row.pass} ${row.name}`, row]));
  return entries.flatMap((row) => {
    const inputs = Object.values(made.get(row.name)?.inputs ?? {}).flatMap(
      (name) => rows.get(`${row.pass} ${name}`) ?? [],
    );
    const dead = zeroness(row);
    if (!dead || inputs.length === 0 || inputs.some((input) => zeroness(input) !== null)) return [];
    return [{ name: row.name, pass: row.pass, inputs: inputs.map(({ name }) => name), isCertain: dead === 'certain' }];
  });
}

/** Whether a tensor is all zeros, as far as its row tells; null where it is not. */
function zeroness({ statistics, partly }: TraceRow): 'certain' | 'by its sum' | null {
  const knows = (name: keyof typeof statistics) => !partly || partly.known.includes(name);
  if (knows('zeroCount')) return statistics.n > 0 && statistics.zeroCount === statistics.n ? 'certain' : null;
  for (const size of ['rms', 'absmax'] as const) if (knows(size)) return statistics[size] === 0 ? 'certain' : null;
  if (partly?.sample?.values.some((value) => value !== 0)) return null;
  return knows('sum') && statistics.sum === 0 ? 'by its sum' : null;
}
