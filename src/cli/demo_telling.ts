/** How the demo speaks: of each step its title and text, how to do it by hand, what came of it and what that means. */
import { shownWidth } from '../trace/plain_text.ts';
import { type DemoTexts, type Label, type StepName, stepNames } from './demo_texts.ts';
import { bold, commandLines, type Language, wrapped } from './terminal.ts';

/** What is to be shown: a label, and what stands beside it; without one it belongs to the line before. */
export type Shown = readonly [label: Label | null, text: string];

/** How to do a step by hand: commands, or a cell. */
export type ByHand = { readonly calls: readonly (readonly string[])[] } | { readonly cell: readonly string[] };

const COLUMNS = 80;
const INDENT = '  ';

export class Telling {
  readonly #texts: DemoTexts;
  readonly #lang: Language;
  readonly #waits: boolean;

  /** `waits`: for Enter between two steps. */
  constructor(texts: DemoTexts, lang: Language, waits: boolean) {
    this.#texts = texts;
    this.#lang = lang;
    this.#waits = waits;
  }

  say(text: string): void {
    this.#write(wrapped(text, COLUMNS, this.#lang));
  }

  begin(step: StepName, byHand: ByHand): void {
    const { steps, inACell } = this.#texts;
    const { title, says } = steps[step];
    this.#write('', bold(`${stepNames.indexOf(step) + 1}/${stepNames.length}  ${title}`));
    this.say(says);
    if ('calls' in byHand) this.commands(byHand.calls);
    else this.#write('', inACell, ...byHand.cell.map((line) => INDENT + line));
  }

  commands(calls: readonly (readonly string[])[]): void {
    const lines = calls.flatMap((call) => commandLines(call, COLUMNS - INDENT.length));
    this.#write('', ...lines.map((line) => INDENT + line));
  }

  show(rows: readonly Shown[]): void {
    const { labels } = this.#texts;
    const width = Math.max(...rows.map(([label]) => (label ? shownWidth(labels[label]) : 0)));
    const lines = rows.flatMap(([label, text]) => {
      const name = label ? labels[label] : '';
      return wrapped(text, COLUMNS - width - 2 * INDENT.length, this.#lang)
        .split('\n')
        .map((line, i) => {
          const left = i === 0 ? name + ' '.repeat(width - shownWidth(name)) : ' '.repeat(width);
          return `${INDENT}${left}${INDENT}${line}`;
        });
    });
    this.#write('', ...lines);
  }

  /** Says what the result means, and waits where there is another step. */
  async end(step: StepName): Promise<void> {
    const { steps, goOn } = this.#texts;
    this.#write('');
    this.say(steps[step].means);
    if (!this.#waits || step === stepNames.at(-1)) return;
    process.stdout.write(`\n${goOn}`);
    await enter();
  }

  #write(...lines: readonly string[]): void {
    process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  }
}

/** The next line on stdin, or its end. Lines are the terminal's, so Ctrl-C is a signal as everywhere. */
function enter(): Promise<void> {
  const { stdin } = process;
  return new Promise((resolve) => {
    const go = () => {
      stdin.off('data', go).off('end', go).pause();
      resolve();
    };
    stdin.on('data', go).on('end', go).resume();
  });
}
