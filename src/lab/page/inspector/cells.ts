/**
 * Code that makes in a notebook what the inspector shows: the experiment as `openModel`, `with`, `start` and a mover, and behind it
 * what a view adds. Pure functions of plain data, so that a test can run what they write.
 */
import type { Experiment } from '../../inspector/experiment.ts';
import type { RunState } from '../../inspector/requests/move.ts';
import type { Inspector } from './state.ts';

/** What charts and comparisons take in the code: the run that it made, or the trace that it read. */
export interface Subject {
  /** Lines that declare it. */
  readonly code: string;
  readonly name: 'run' | 'trace';
}

/** What the inspector has open, as far as its run is; null where nothing is. */
export function subjectOf(
  inspector: Pick<Inspector, 'experiment' | 'opened' | 'run' | 'dropped' | 'notebookFolder'>,
): Subject | null {
  const { experiment, opened, run, dropped } = inspector;
  if (!experiment.value || !opened.value || !run.value) return null;
  const { file } = experiment.value;
  const isDropped = dropped.value.includes(file);
  const folder = isDropped ? '' : inspector.notebookFolder();
  const note = isDropped ? `// ${file} was given to the page from your computer: say where it lies.\n` : '';
  const path = literal(pathFrom(folder, file));
  if (opened.value.kind === 'trace') return { name: 'trace', code: `${note}const trace = await readArrow(${path});` };
  return {
    name: 'run',
    code: `${note}${modelCode(experiment.value, folder)}\n${runCode(experiment.value, run.value)}`,
  };
}

/** Declares `model`, with what the experiment changes on purpose, for a notebook in that folder of the lab. */
export function modelCode({ file, backend, faults, changes, hunt }: Experiment, folder = ''): string {
  const path = literal(pathFrom(folder, file));
  const healthy = `await openModel(${path}${backend === 'webgpu' ? '' : `, ${literal({ backend })}`})`;
  const opened = hunt
    ? `(await bugHunt({ model: ${healthy}, seed: ${hunt.seed}, level: ${literal(hunt.level)} })).engine`
    : healthy;
  const transforms = [
    ...faults.map(({ fault, params }) => called('fault', fault, params)),
    ...changes.map(({ tensor, ...how }) => called('change', tensor, how)),
  ];
  if (transforms.length === 0) return `const model = ${opened};`;
  return `const model = (${opened}).with(${transforms.join(', ')});`;
}

/** Declares `run` from `model`, and moves it to where the inspector has it. */
export function runCode(experiment: Experiment, { drawn, next, at }: Pick<RunState, 'drawn' | 'next' | 'at'>): string {
  const { text, tokens, bos, chat } = experiment;
  const start = called('model.start', tokens ?? text, { bos, chat, ...(tokens ? { prompt: text } : {}) });
  return [
    `const run = ${start};`,
    ...(drawn > 0 ? [`await run.generate(${drawn});`] : []),
    ...(next === null ? ['await run.toEnd();'] : at === null ? [] : [`await run.to(${literal(at)});`]),
  ].join('\n');
}

/** `name(value, { options })`, without options that are undefined, and without any where none is left. */
export function called(name: string, value: unknown, options: object = {}): string {
  const given = Object.fromEntries(Object.entries(options).filter(([, option]) => option !== undefined));
  return `${name}(${[value, ...(Object.keys(given).length > 0 ? [given] : [])].map(literal).join(', ')})`;
}

/** Plain data as TypeScript, as we write it: single quotes, no quotes around keys that need none. */
export function literal(value: unknown): string {
  if (typeof value === 'string')
    return `'${JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return `${value}`;
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  if (entries.length === 0) return '{}';
  return `{ ${entries.map(([key, each]) => `${/^[A-Za-z_$][\w$]*$/.test(key) ? key : literal(key)}: ${literal(each)}`).join(', ')} }`;
}

/** A path below the lab's folder as a program in that folder of it names it. */
export function pathFrom(folder: string, path: string): string {
  const from = folder === '' ? [] : folder.split('/');
  const to = path.split('/');
  let shared = 0;
  while (shared < from.length && shared < to.length - 1 && from[shared] === to[shared]) shared++;
  return [...from.slice(shared).map(() => '..'), ...to.slice(shared)].join('/');
}
