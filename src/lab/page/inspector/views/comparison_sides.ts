/** Which two sides the comparison is of, as the view's settings and links hold them, and as code. */
import type { DifferenceKind } from '../../../../compare/comparison.ts';
import type { Experiment } from '../../../inspector/experiment.ts';
import type { Side, Sides } from '../../../inspector/sides.ts';
import { literal, modelCode, pathFrom, subjectOf } from '../cells.ts';
import type { Inspector } from '../state.ts';

/** The names of the view's settings. */
export const SETTINGS = {
  reference: 'comparison.with',
  ours: 'comparison.ours',
  allow: 'comparison.allow',
  passes: 'comparison.passes',
} as const;

const FILE = 'file:';

/** `llama.cpp`, or `file:dumps/theirs.npz`. */
export function sideText(side: Side): string {
  return side.kind === 'file' ? `${FILE}${side.file}` : side.kind;
}

/** Null where nothing is chosen, or a link holds no side of ours. */
export function sideFrom(text: string): Side | null {
  if (text.startsWith(FILE) && text.length > FILE.length) return { kind: 'file', file: text.slice(FILE.length) };
  switch (text) {
    case 'run':
    case 'healthy':
    case 'f64':
    case 'llama.cpp':
    case 'llama.cpp-f32':
      return { kind: text };
    default:
      return null;
  }
}

/** What is to be compared; null before a reference is chosen or anything is open. */
export function sidesOf({ experiment, settings, run }: Inspector): Sides | null {
  const { [SETTINGS.reference]: to = '', [SETTINGS.ours]: from = 'run', ...others } = settings.value;
  const [ours, reference] = [sideFrom(from), sideFrom(to)];
  if (!experiment.value || !ours || !reference) return null;
  const allow = (others[SETTINGS.allow] ?? '').split(',').filter(Boolean) as DifferenceKind[];
  const passes = passesFrom(others[SETTINGS.passes] ?? '');
  const { drawn = 0, tokens = [] } = run.value ?? {};
  // With what was drawn since, which is part of the text by now.
  const all = drawn > 0 ? { ...experiment.value, tokens: tokens.map(({ id }) => id) } : experiment.value;
  return {
    ...{ experiment: all, ours, reference },
    ...(allow.length > 0 ? { allow } : {}),
    ...(passes ? { passes } : {}),
  };
}

/** `1,2,3;4`: a pass of three tokens and one of a single one. */
export function passesText(passes: readonly (readonly number[])[]): string {
  return passes.map((tokens) => tokens.join()).join(';');
}

function passesFrom(text: string): number[][] | null {
  if (!/^\d+(,\d+)*(;\d+(,\d+)*)*$/.test(text)) return null;
  return text.split(';').map((tokens) => tokens.split(',').map(Number));
}

/** What the experiment changes: faults, edits, a hunt's fault. */
export function isChanged({ faults, changes, hunt }: Experiment): boolean {
  return faults.length > 0 || changes.length > 0 || hunt !== undefined;
}

/** The cell that makes the comparison. */
export function comparisonCode(inspector: Inspector): string | null {
  const sides = sidesOf(inspector);
  const subject = subjectOf(inspector);
  if (!sides || !subject || !inspector.run.value) return null;
  const { experiment, ours, reference, allow, passes } = sides;
  const isTrace = subject.name === 'trace';
  const folder = inspector.notebookFolder();
  const lines = passes && !isTrace ? [modelCode(experiment, folder), passesCode(passes)] : [subject.code];
  // Whoever hunts is not told.
  const options = { ...(allow ? { allow } : {}), ...(experiment.hunt ? { cause: false } : {}) };
  const given = Object.keys(options).length > 0 ? `, ${literal(options)}` : '';
  const file = (path: string) => fileCode(pathFrom(folder, path), isTrace);
  const mine = ours.kind === 'file' ? file(ours.file) : subject.name;
  lines.push(
    `display(await compare(${mine}, ${reference.kind === 'file' ? file(reference.file) : referenceCode(reference.kind, subject.name)}${given}));`,
  );
  return lines.join('\n');
}

/** Declares `run`, over these passes. */
function passesCode([first = [], ...rest]: readonly (readonly number[])[]): string {
  return [
    `const run = await model.start([${first.join(', ')}]).toEnd();`,
    ...rest.map((tokens) => `await (await run.append([${tokens.join(', ')}])).toEnd();`),
  ].join('\n');
}

function referenceCode(kind: Exclude<Side['kind'], 'file'>, subject: 'run' | 'trace'): string {
  switch (kind) {
    case 'run':
      return subject;
    case 'healthy':
      return 'await model.untransformed.start(run.tokens).toEnd()';
    case 'f64':
      return "await (await model.untransformed.on('reference')).start(run.tokens).toEnd()";
    case 'llama.cpp':
      return 'await llamaCpp(model).trace(run.tokens)';
    case 'llama.cpp-f32':
      return 'await llamaCpp(await f32Twin(model)).trace(run.tokens)';
    default:
      throw kind satisfies never;
  }
}

function fileCode(path: string, isTrace: boolean): string {
  if (path.endsWith('.arrow')) return `await readArrow(${literal(path)})`;
  return `await readDump(${literal(path)}${isTrace ? '' : ', { model }'})`;
}
