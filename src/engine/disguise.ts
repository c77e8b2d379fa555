/**
 * A backend whose steps look like another model's: it is handed the steps that are shown and runs those that stand behind
 * them, of a model with a fault. Whoever looks at a run on it, from any side, sees a healthy run's steps, and numbers that are
 * not.
 */
import { UsageError } from '../errors.ts';
import type { Step } from '../ops/step.ts';
import type { Backend, ExecuteRequest, Session } from './backend.ts';

/** `behind`: the steps of the model that `backend` belongs to. `shown`: those of the model that it is to look like. */
export function disguised(backend: Backend, behind: readonly Step[], shown: readonly Step[]): Backend {
  const groups = stepsBehind(behind, shown);
  const listOf = memoized((steps: readonly Step[]) => laidOut(steps, groups));
  return {
    name: backend.name,
    adapter: backend.adapter,
    plan: (steps, observed) => backend.plan(steps, observed),
    kernels: (request) => backend.kernels(request),
    maxPassTokens: (largestRow) => backend.maxPassTokens(largestRow),
    over() {
      throw new UsageError(
        'Cannot put this fault into the engine of a hunt: another is hidden in its weights; open the model again for that',
      );
    },
    session: (budgetBytes, fill) => disguisedSession(backend.session(budgetBytes, fill), listOf),
    close: () => backend.close(),
  };
}

/** A step that is shown, and those that run in its place: itself among them, by the same name. */
interface Group {
  readonly shown: Step;
  readonly steps: readonly Step[];
}

/** What a fault adds before a step, or makes of it, is of that step; what it adds at the end is of the last. */
function stepsBehind(behind: readonly Step[], shown: readonly Step[]): ReadonlyMap<string, Group> {
  const groups = new Map<string, Group>();
  let from = 0;
  for (const [i, step] of shown.entries()) {
    const end = i === shown.length - 1 ? behind.length : behind.findIndex(({ name }) => name === step.name) + 1;
    groups.set(step.name, { shown: step, steps: behind.slice(from, end) });
    from = end;
  }
  return groups;
}

interface Laid {
  readonly steps: readonly Step[];
  /** Of each step that is shown, and of the end: where in `steps` what runs for it begins. */
  readonly starts: readonly number[];
}

/** A step that somebody added or changed further runs as it is. */
function laidOut(shown: readonly Step[], groups: ReadonlyMap<string, Group>): Laid {
  const steps: Step[] = [];
  const starts: number[] = [];
  for (const step of shown) {
    starts.push(steps.length);
    const group = groups.get(step.name);
    const isAsShown = group && step.op === group.shown.op && step.inputs === group.shown.inputs;
    steps.push(...(isAsShown && step.params === group.shown.params ? group.steps : [step]));
  }
  return { steps, starts: [...starts, steps.length] };
}

function disguisedSession(session: Session, listOf: (steps: readonly Step[]) => Laid): Session {
  return {
    async execute({ steps, from, to, onDone, ...request }: ExecuteRequest) {
      const laid = listOf(steps);
      const start = (i: number) => laid.starts[i] as number;
      const isDone = (done: number) => laid.starts.findLastIndex((each) => each <= done);
      let told = from;
      const done = await session.execute({
        ...{ ...request, steps: laid.steps, from: start(from), to: start(to) },
        ...(onDone
          ? {
              onDone: (behind: number) => {
                const shown = isDone(behind);
                if (shown <= told) return undefined;
                told = shown;
                return onDone(shown);
              },
            }
          : {}),
      });
      const shown = isDone(done);
      // A step that is done in part is done again, all of it.
      if (start(shown) < done) session.rewind(request.pass.index, laid.steps, start(shown));
      return shown;
    },
    has: (pass, name) => session.has(pass, name),
    read: (pass, name, rows) => session.read(pass, name, rows),
    write(pass, step, data) {
      const { steps } = listOf([step]);
      return session.write(pass, steps.find(({ name }) => name === step.name) ?? step, data);
    },
    statistics: (pass, name) => session.statistics(pass, name),
    shape: (pass, name) => session.shape(pass, name),
    rewind(pass, steps, from) {
      const laid = listOf(steps);
      session.rewind(pass, laid.steps, laid.starts[from] as number);
    },
    usage: () => session.usage(),
    close: () => session.close(),
  };
}

function memoized<In extends object, Out>(make: (given: In) => Out): (given: In) => Out {
  const made = new WeakMap<In, Out>();
  return (given) => {
    const known = made.get(given) ?? make(given);
    made.set(given, known);
    return known;
  };
}
