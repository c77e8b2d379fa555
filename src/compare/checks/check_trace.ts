/** The checks that traces allow, be they a stranger's dumps or our own runs: what each lacked is said, and what to dump for it. */
import type { Model } from '../../engine/model.ts';
import { mustGoOn, watchedBy } from '../../engine/watched.ts';
import { UsageError } from '../../errors.ts';
import type { Watch } from '../../platform.ts';
import type { Trace } from '../../trace/trace.ts';
import type { Check, CheckReport, CheckResult, RunsCheck } from './check.ts';
import { Findings } from './findings.ts';
import { checks } from './index.ts';
import { couldNot, otherDump, reportOf, resultOf } from './result.ts';
import { Subject } from './subject.ts';

export interface CheckTraceOptions extends Watch {
  /** The model that the trace is of; some checks need its metadata or its weights. Its transforms are left out. */
  readonly model?: Model;
  /** What the report calls the trace. Default: the manifest's file, or `trace`. */
  readonly label?: string;
}

/**
 * Checks a trace. Of several of one engine, the first is looked at, and the others serve the checks of two runs: the same
 * tokens in several passes or at other positions, or others at the end. Throws UsageError where none is given,
 * InterruptedError where it is stopped.
 */
export async function checkTrace(
  traces: Trace | readonly Trace[],
  { model, label, signal, onProgress }: CheckTraceOptions = {},
): Promise<CheckReport> {
  const [base, ...others] = [traces].flat() as readonly Trace[];
  if (!base || base.entries.length === 0) throw new UsageError('Cannot check a trace: it holds no tensors; dump some');
  const watched = model ? watchedBy(model.platform, { signal, onProgress }) : { stop: signal, onProgress };
  const subjects = [base, ...others].map((trace) => new Subject({ trace, model: model ?? null, stop: watched.stop }));
  const results: CheckResult[] = [];
  for (const check of checks) {
    mustGoOn(watched.stop, 'finish the checks', 'check the trace again');
    results.push(await lookAtTraces(check, subjects));
    watched.onProgress?.({
      task: 'checking',
      item: check.name,
      done: results.length,
      total: checks.length,
      unit: 'checks',
    });
  }
  const { file } = base.manifest;
  return reportOf(label ?? (typeof file === 'string' ? file : 'trace'), subjects[0]?.tokens ?? null, null, results);
}

async function lookAtTraces(check: Check, [base, ...others]: readonly Subject[]): Promise<CheckResult> {
  const findings = new Findings();
  if (check.kind === 'trace') {
    await check.look(base as Subject, findings);
    return resultOf(check, findings);
  }
  const other = others.find(({ trace }) => check.isOther?.((base as Subject).trace, trace));
  if (!other) return { ...couldNot(check, whyNoOther(check, others.length)), dump: otherDump(check) };
  await check.look(base as Subject, other, findings);
  return resultOf(check, findings);
}

function whyNoOther({ isOther }: RunsCheck, others: number): string {
  if (!isOther) return 'the engine has to be run again, in a way that a dump cannot tell; give its model instead';
  return others === 0 ? 'it compares two runs, and one was given' : 'none of the other dumps is such a second run';
}
