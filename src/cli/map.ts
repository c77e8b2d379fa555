/** `layerscope map`: which tensors of another engine's dump are which of ours, and what is still to be asked. */
import { createInterface } from 'node:readline/promises';
import { Command, Option } from 'commander';
import { type Answers, decide, NONE, SAID } from '../compare/map/decide.ts';
import { type Evidence, evidenceOf } from '../compare/map/fits.ts';
import { type Question, type TensorMap, writeMap } from '../compare/map/tensor_map.ts';
import { UsageError } from '../errors.ts';
import type { BackendName } from '../node/backend.ts';
import { makeFolderFor } from '../node/folder.ts';
import { writeWholeFile } from '../node/whole_file.ts';
import { cut, shownWidth, table, visible } from '../trace/plain_text.ts';
import type { Trace } from '../trace/trace.ts';
import {
  backendOption,
  jsonOption,
  MODEL_ARGUMENT,
  openFor,
  type PromptOptions,
  printJson,
  promptArguments,
  promptOf,
  promptOptions,
} from './model.ts';
import { withBar } from './progress.ts';
import { bold, commandLine, shownPath } from './terminal.ts';

interface MapOptions extends PromptOptions {
  readonly answer?: Answers;
  readonly save?: string;
  readonly backend?: BackendName;
  readonly json?: boolean;
}

export function mapCommand(): Command {
  const command = new Command('map')
    .description("say which of a dump's tensors is which of ours; ends with 1 while something is still to be asked")
    .argument('<dump>', "another engine's tensors: a file or folder in any format that compare reads")
    .argument('<model>', MODEL_ARGUMENT);
  for (const option of promptOptions()) command.addOption(option);
  return command
    .addOption(
      new Option('--answer <theirs=ours,…>', `answer questions: the name of theirs, and of ours or ${NONE}`).argParser(
        answersOf,
      ),
    )
    .option('--save <file>', 'write the map as JSON, to use and to edit')
    .addOption(backendOption())
    .addOption(jsonOption())
    .action(map);
}

async function map(path: string, modelPath: string, options: MapOptions): Promise<void> {
  const { answer = {}, save, backend, json } = options;
  const model = await openFor(modelPath, backend);
  const isGiven = [options.prompt, options.chat, options.tokens].some((text) => text !== undefined);
  const given = isGiven ? promptOf(model, options).tokens : undefined;
  const { readDump } = await import('../node/dump.ts');
  const dump = await readDump(path, { model, names: 'theirs', ...(given ? { tokens: given } : {}) });
  const tokens = given ?? tokensOf(dump, path);
  const ours = await withBar((onProgress) => model.start(tokens).toEnd({ onProgress }));
  const evidence = await withBar((onProgress) => evidenceOf(dump, ours.trace, { onProgress }));
  const isAsking = !json && process.stdin.isTTY && process.stdout.isTTY;
  const found = isAsking ? await asked(evidence, answer) : decide(evidence, answer);
  if (save !== undefined) await write(save, found);
  if (found.questions.length > 0) process.exitCode = 1;
  if (json) return printJson(found);
  process.stdout.write(`${mapText(found)}\n`);
  if (save !== undefined) process.stdout.write(`\nWrote ${save}: ${found.matches.length} pairs.\n`);
  else {
    const call = [shownPath(path), shownPath(modelPath), ...promptArguments(options), ...answerArguments(found)];
    process.stdout.write(`\nTo keep it: ${commandLine('map', ...call, '--save', 'map.json')}\n`);
  }
}

/** The ids that the dump says it was run over. */
function tokensOf({ manifest }: Trace, path: string): readonly number[] {
  if (manifest.tokens) return manifest.tokens;
  throw new UsageError(
    `Cannot map ${path}: it does not say which tokens were run; give --tokens 1,2,3 or --prompt TEXT`,
  );
}

function answersOf(text: string, before: Answers = {}): Answers {
  const answers = text.split(',').map((pair) => {
    const at = pair.lastIndexOf('=');
    if (at > 0 && at < pair.length - 1) return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()] as const;
    throw new UsageError(`Cannot read --answer ${text}: "${pair}" is no answer; write THEIRS=OURS or THEIRS=${NONE}`);
  });
  return { ...before, ...Object.fromEntries(answers) };
}

/** What a person said, for a command to copy. */
function answerArguments({ matches, unmatched }: TensorMap): string[] {
  const pairs = [
    ...matches.flatMap(({ theirs, ours, certain }) => (certain ? [] : [`${theirs}=${ours}`])),
    ...unmatched.flatMap(({ theirs, why }) => (why === SAID ? [`${theirs}=${NONE}`] : [])),
  ];
  return pairs.length > 0 ? ['--answer', pairs.join()] : [];
}

/** Asks one question at a time: an answer often settles others. An empty one leaves the question open. */
async function asked(evidence: Evidence, given: Answers): Promise<TensorMap> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const left = new Set<string>();
  let answers = given;
  try {
    for (;;) {
      const found = decide(evidence, answers);
      const question = found.questions.find(({ theirs }) => !left.has(theirs));
      if (!question) return found;
      process.stdout.write(`${questionText(question)}\n`);
      const reply = (await terminal.question(`Number or name, ${NONE}, or Enter to leave it open: `)).trim();
      if (reply === '') {
        left.add(question.theirs);
        continue;
      }
      const next = { ...answers, [question.theirs]: question.candidates[Number(reply) - 1]?.ours ?? reply };
      try {
        decide(evidence, next);
        answers = next;
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        process.stdout.write(`${error.message}\n\n`);
      }
    }
  } finally {
    terminal.close();
  }
}

function mapText({ matches, questions, repeats, unmatched }: TensorMap): string {
  const rows = matches.map(({ theirs, ours, layout, evidence, certain }) => [
    visible(theirs),
    ours,
    layout,
    `${certain ? '' : 'your answer; '}${visible(evidence.find((line) => line !== SAID) ?? '')}`,
  ]);
  const head = ['theirs', 'ours', 'layout', 'evidence'];
  const parts = [
    table(fitted([head, ...rows])),
    ...(repeats.length > 0
      ? [table(repeats.map(({ theirs, of, ours }) => [visible(theirs), `holds the same as ${visible(of)}: ${ours}`]))]
      : []),
    ...(unmatched.length > 0
      ? [table(unmatched.map(({ theirs, why }) => [visible(theirs), `none of ours: ${why}`]))]
      : []),
    ...questions.map(questionText),
    countsText({ matches, questions, repeats, unmatched }),
  ];
  return parts.join('\n\n');
}

/** The last column cut to what the terminal leaves. */
function fitted(rows: readonly (readonly string[])[]): string[][] {
  const columns = process.stdout.columns ?? Number.POSITIVE_INFINITY;
  const used = [0, 1, 2].reduce((sum, i) => sum + 2 + Math.max(...rows.map((row) => shownWidth(row[i]!))), 0);
  return rows.map((row) => [...row.slice(0, 3), cut(row[3]!, Math.max(LEAST_EVIDENCE, columns - used))]);
}

/** Columns of the evidence on a narrow terminal. */
const LEAST_EVIDENCE = 24;

function questionText({ theirs, candidates, tellsApart }: Question): string {
  const rows = candidates.map(({ ours, layout, evidence }, i) => [
    `  ${i + 1}`,
    ours,
    layout,
    visible(evidence.join('; ')),
  ]);
  return `${bold(`Which is ${visible(theirs)}?`)} ${visible(tellsApart)}\n${table(fitted(rows))}`;
}

function countsText({ matches, questions, repeats, unmatched }: TensorMap): string {
  const total = [matches, questions, repeats, unmatched].reduce((sum, list) => sum + list.length, 0);
  const certain = matches.filter((match) => match.certain).length;
  const parts = [
    `${certain} of ${total} are certain`,
    ...(matches.length > certain ? [`${matches.length - certain} answered`] : []),
    ...(repeats.length > 0 ? [`${repeats.length} hold what another does`] : []),
    ...(unmatched.length > 0 ? [`${unmatched.length} are none of ours`] : []),
    questions.length > 0
      ? `${questions.length} to be answered with --answer ${visible(questions[0]!.theirs)}=${questions[0]!.candidates[0]?.ours ?? NONE}`
      : 'nothing to be asked',
  ];
  return `${parts.join(', ')}.`;
}

async function write(path: string, found: TensorMap): Promise<void> {
  await makeFolderFor(path);
  await writeWholeFile(path, (append) => append(new TextEncoder().encode(writeMap(found))));
}
