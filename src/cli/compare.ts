/** `layerscope compare`: where two runs part, in the terminal, as a page, for an issue, or as JSON. */
import { Command } from 'commander';
import prettyBytes from 'pretty-bytes';
import { allowedKinds, differenceKinds } from '../compare/alignment.ts';
import { type Claim, Comparison, type Verdict } from '../compare/comparison.ts';
import { reportJson } from '../compare/report/json.ts';
import { reportMarkdown } from '../compare/report/markdown.ts';
import { reportText } from '../compare/report/text.ts';
import { UsageError } from '../errors.ts';
import {
  type OpenedSides,
  openSides,
  SIDE_ARGUMENT,
  type Side,
  type SideOptions,
  sideLabel,
  sideOf,
} from './compare_side.ts';
import { backendOption, jsonOption, MODEL_ARGUMENT, printJson, promptOptions } from './model.ts';
import { isSameFile, mustBeWritable, type WrittenFile, writeText } from './output_file.ts';
import { withBar } from './progress.ts';
import { bold } from './terminal.ts';

interface CompareOptions extends SideOptions {
  readonly allow?: string;
  readonly select?: string;
  readonly exact?: boolean;
  readonly f64?: boolean;
  /** Commander's word for --no-cause. */
  readonly cause: boolean;
  readonly html?: string;
  readonly md?: string;
  readonly json?: boolean;
}

/**
 * What a script learns without reading: 0 nothing to mend, be there no difference or rounding that is understood; 1 ours
 * differs; 2 not the same experiment, or a wrong call.
 */
const EXIT_CODES: Readonly<Record<Verdict, number>> = {
  agree: 0,
  noise: 0,
  precision: 0,
  'other layout': 1,
  bug: 1,
  refused: 2,
};

function labelsOf(sides: readonly [Side, Side]): { readonly ours?: string; readonly reference?: string } {
  const [ours, reference] = sides.map(sideLabel);
  return { ...(ours === undefined ? {} : { ours }), ...(reference === undefined ? {} : { reference }) };
}

/** Where every bit is asked for, rounding is a difference too. */
function exitCodeOf({ verdict, mode }: Comparison): number {
  return mode === 'exact' && verdict !== 'agree' ? Math.max(1, EXIT_CODES[verdict]) : EXIT_CODES[verdict];
}

export function compareCommand(): Command {
  const command = new Command('compare')
    .description(
      'where two runs of one text part, and whether that is rounding or a bug; ends with 0 where nothing is to mend ' +
        '(agree, noise, precision), 1 where ours differs (bug, other layout), 2 where they are not the same experiment',
    )
    .argument('<ours>', `the side in doubt: ${SIDE_ARGUMENT}`)
    .argument('<reference>', 'what it is held against: the same');
  for (const option of promptOptions()) command.addOption(option);
  return command
    .option('--model <model>', `what a trace or dump is of, to run single ops on: ${MODEL_ARGUMENT}`)
    .option('--map <file>', 'which of their tensors is which of ours, as "layerscope map" saves it')
    .option('--allow <kinds>', `compare although these differ: ${differenceKinds.join(', ')}`)
    .option('--select <globs>', "which tensors: 'l_out-*', '*-3', '!kq*'; names of any kind")
    .option('--exact', 'every bit must be the same')
    .option('--f64', 'hold both against our run in f64, however long it takes; without it, where it takes seconds')
    .option(
      '--no-cause',
      'do not look for the fault that made the first divergence, which runs its op with each of them',
    )
    .option('--html <file>', 'write a page with tables and charts, which needs no network')
    .option('--md <file>', 'write at most 60 lines of Markdown, for an issue')
    .addOption(backendOption())
    .addOption(jsonOption())
    .action(compareSides);
}

async function compareSides(first: string, second: string, options: CompareOptions): Promise<void> {
  const { allow, select, exact, f64, cause, json } = options;
  const sides = [sideOf(first), sideOf(second)] as const;
  const allowed = allow === undefined ? [] : allowedKinds(allow);
  await mustNotBeOverwritten([first, second], options);
  const { compare } = await import('../compare/compare.ts');
  const { ours, reference, model, twin, close } = await withBar((onProgress) =>
    openSides(sides, options, { onProgress }),
  );
  try {
    const asItIs = await withBar((onProgress) =>
      compare(ours, reference, {
        ...{ mode: exact ? 'exact' : 'tolerance', allow: allowed, cause, onProgress },
        ...(select === undefined ? {} : { select }),
        ...(model ? { model } : {}),
        ...(f64 === undefined ? {} : { f64 }),
        labels: labelsOf(sides),
      }),
    );
    const comparison = asItIs.verdict === 'precision' && twin ? await besideTwin(asItIs, twin) : asItIs;
    const written = await writeReports(comparison, options);
    if (json) printJson(reportJson(comparison));
    else process.stdout.write(`${printed(comparison)}\n${written.map(whatWasWritten).join('')}`);
    process.exitCode = exitCodeOf(comparison);
  } finally {
    await close();
  }
}

/** What our run is beside the F32 twin, which does not round: says that the arithmetic is right where the file's own run cannot. */
async function besideTwin(comparison: Comparison, twin: NonNullable<OpenedSides['twin']>): Promise<Comparison> {
  const { compared, claims } = comparison;
  if (!compared) return comparison;
  const claim = await withBar(async (onProgress): Promise<Claim> => {
    const { trace, close } = await twin({ onProgress });
    try {
      const { compare } = await import('../compare/compare.ts');
      const { verdict, summary, tensors } = await compare(compared.ours, trace, { f64: false, onProgress });
      const most = Math.max(0, ...tensors.map(({ measure }) => measure?.relativeRmsError ?? 0));
      return { number: `${most.toExponential(1)} at most against the F32 twin: ${verdict}`, supports: summary };
    } finally {
      await close();
    }
  });
  return new Comparison({ ...comparison, claims: [claim, ...claims] }, compared);
}

type Outputs = Pick<CompareOptions, 'html' | 'md'>;

/** A report must not take the place of what it reports on, nor one the other's. Throws UsageError, TraceError. */
async function mustNotBeOverwritten(inputs: readonly string[], { html, md }: Outputs): Promise<void> {
  const outputs = [html, md].filter((path) => path !== undefined);
  for (const path of outputs) {
    for (const input of inputs) {
      if (await isSameFile(path, input))
        throw new UsageError(`Cannot write ${path}: it is what is compared; give another name`);
    }
    await mustBeWritable(path);
  }
  if (html !== undefined && md !== undefined && (await isSameFile(html, md))) {
    throw new UsageError(`Cannot write ${md}: --html and --md are the same file; give each its own name`);
  }
}

async function writeReports(comparison: Comparison, { html, md }: Outputs): Promise<WrittenFile[]> {
  const written: WrittenFile[] = [];
  if (html !== undefined) {
    const { comparisonPage } = await import('../notebook/comparison_page.ts');
    written.push(await writeText(html, await comparisonPage(comparison)));
  }
  if (md !== undefined) written.push(await writeText(md, reportMarkdown(comparison)));
  return written;
}

function printed(comparison: Comparison): string {
  const [headline = '', ...rest] = reportText(comparison, { columns: process.stdout.columns || 100 }).split('\n');
  return [bold(headline), ...rest].join('\n');
}

function whatWasWritten({ path, bytes }: WrittenFile): string {
  return `Wrote ${path}, ${prettyBytes(bytes)}.\n`;
}
