/**
 * Runs are moved at random, forwards, back, changed, interrupted, with any selection and budget; then every value and
 * statistic they hold must be that of a run that went straight to the same place.
 */
import { expect, test } from 'vitest';
import type { Model } from '../../src/engine/model.ts';
import type { Run } from '../../src/engine/run.ts';
import { outputShapes } from '../../src/engine/shapes.ts';
import { lens } from '../../src/engine/transforms/lens.ts';
import { InterruptedError, StepError } from '../../src/errors.ts';
import { sizeOf } from '../../src/ops/shape.ts';
import type { Progress } from '../../src/platform.ts';
import { seeded } from '../seeded.ts';
import { backends, openRandom, relativeRmsError } from './models.ts';

const SEEDS = 40;
const MOVES = 12;
/** Between plans; DESIGN.md, "What agreement means". A fused and an unfused step differ in the last bit. */
const BETWEEN_PLANS = 1e-5;

interface Pass {
  readonly nPast: number;
  readonly nTokens: number;
  readonly replaced: Map<string, Float32Array>;
}

/** Where a run should be: what a reader of its documentation would keep on paper. */
class Paper {
  readonly names: readonly string[];
  passes: Pass[] = [];
  cursor = 0;
  constructor(names: readonly string[]) {
    this.names = names;
  }

  enter(nTokens: number): void {
    const last = this.passes.at(-1);
    if (last && this.cursor < this.names.length) return;
    const nPast = last ? last.nPast + last.nTokens : 0;
    if (nPast >= nTokens) return;
    this.passes.push({ nPast, nTokens: nTokens - nPast, replaced: new Map() });
    this.cursor = 0;
  }

  finish(nTokens: number): void {
    for (let i = 0; i < 2; i++) {
      this.enter(nTokens);
      this.cursor = this.names.length;
    }
  }

  back(pass: number, name: string): void {
    this.cursor = this.names.indexOf(name) + 1;
    this.passes.length = pass + 1;
    const gone = this.names.slice(this.cursor);
    for (const later of gone) this.passes[pass]!.replaced.delete(later);
  }
}

async function moveAtRandom(model: Model, random: () => number): Promise<{ run: Run; paper: Paper; log: string[] }> {
  const names = model.steps.map(({ name }) => name);
  const below = (n: number) => Math.floor(random() * n);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const options = {
    select: pick(['all', 'none', 'l_out-*', 'Qcur-*,ffn_silu-0', '!kq*']),
    budget: pick([0, 1, 3000, 20_000, 1e9]),
    statistics: below(2) === 0,
  };
  const run = model.start(
    Array.from({ length: 1 + below(6) }, () => 3 + below(290)),
    options,
  );
  const paper = new Paper(names);
  const log = [`tokens ${run.tokens}, ${JSON.stringify(options)}`];
  for (let i = 0; i < MOVES; i++) {
    const before = [
      run.next?.name,
      run.tokens.join(),
      run.trace.entries.map((row) => [row.name, row.pass, row.hasValues]),
    ];
    const move = pick([
      'step',
      'step',
      'layer',
      'to',
      'toEnd',
      'generate',
      'append',
      'back',
      'replace',
      'stop',
    ] as const);
    const name = pick(names);
    log.push(`${move} ${name}`);
    try {
      switch (move) {
        case 'step':
          await run.step();
          paper.enter(run.tokens.length);
          paper.cursor++;
          break;
        case 'layer':
        case 'to': {
          await (move === 'to' ? run.to(name) : run.layer(0));
          const end = move === 'to' ? names.indexOf(name) : model.steps.findLastIndex(({ layer }) => layer === 0);
          const waiting = () => {
            const last = paper.passes.at(-1)!;
            return last.nPast + last.nTokens < run.tokens.length;
          };
          paper.enter(run.tokens.length);
          if (waiting()) {
            paper.cursor = names.length;
            paper.enter(run.tokens.length);
          }
          paper.cursor = Math.max(paper.cursor, end + 1);
          break;
        }
        case 'toEnd':
          await run.toEnd();
          paper.finish(run.tokens.length);
          break;
        case 'generate': {
          for (let n = below(3); n > 0; n--) {
            paper.finish(run.tokens.length);
            await run.generate(1, { stopAtEnd: false, temperature: below(2), seed: i });
          }
          break;
        }
        case 'append':
          await run.append([3 + below(290)]);
          break;
        case 'back': {
          const pass = below(Math.max(1, paper.passes.length));
          await run.back(name, { pass });
          paper.back(pass, name);
          break;
        }
        case 'replace': {
          const pass = paper.passes.at(-1);
          const shapes = pass && outputShapes(model.steps, pass, (weight) => model.gguf.tensors.get(weight)?.shape);
          const isIds = name.startsWith('lens_ids');
          const data = Float32Array.from({ length: sizeOf(shapes?.get(name) ?? [1]) }, () =>
            isIds ? below(300) : below(2000) / 1000 - 1,
          );
          await run.replace(name, data);
          paper.back(paper.passes.length - 1, name);
          paper.passes.at(-1)!.replaced.set(name, data);
          break;
        }
        case 'stop': {
          const stop = new AbortController();
          let left = below(4);
          let begun = paper.passes.length;
          const before = Math.max(0, paper.passes.length - 1) * names.length + paper.cursor;
          const onProgress = ({ task, done }: Progress) => {
            if (task !== 'running') return;
            begun = Math.ceil((before + done) / names.length);
            if (left-- <= 0) stop.abort();
          };
          await run.toEnd({ signal: stop.signal, onProgress }).catch((error) => {
            if (!(error instanceof InterruptedError)) throw error;
          });
          const next = run.next === null ? names.length : names.indexOf(run.next.name);
          if (next === 0) begun++;
          while (paper.passes.length < begun) {
            paper.cursor = names.length;
            paper.enter(run.tokens.length);
          }
          if (begun > 0) paper.cursor = next;
        }
      }
    } catch (error) {
      log.push(`  ${error}`);
      expect(error, log.join('\n')).toBeInstanceOf(StepError);
      expect((error as Error).message, log.join('\n')).toMatch(
        /every token has been through|not computed yet|no longer kept/,
      );
      const after = [
        run.next?.name,
        run.tokens.join(),
        run.trace.entries.map((row) => [row.name, row.pass, row.hasValues]),
      ];
      expect(after, `a refused move changed the run:\n${log.join('\n')}`).toEqual(before);
    }
  }
  return { run, paper, log };
}

/** The same passes and replacements, straight on. */
async function straight(model: Model, tokens: readonly number[], passes: readonly Pass[]): Promise<Run> {
  const run = model.start(tokens.slice(0, passes[0]?.nTokens), { budget: 1e9 });
  for (const { nPast, nTokens, replaced } of passes) {
    if (nPast > 0) await run.append(tokens.slice(nPast, nPast + nTokens));
    await run.toEnd();
    for (const { name } of model.steps) {
      const data = replaced.get(name);
      if (data) await run.replace(name, data).then(() => run.toEnd());
    }
  }
  return run;
}

test.each(backends)('however a run was moved on %s, it holds what a straight one holds', async (backend) => {
  const plain = await openRandom(backend, { nLayer: 2, nEmbd: 32, nHead: 2, nHeadKv: 1, nFf: 48 });
  const models = [plain, plain.with(lens({ k: 2 }))];
  for (let seed = 0; seed < SEEDS; seed++) {
    const model = models[seed % 2]!;
    const { run, paper, log } = await moveAtRandom(model, seeded(seed));
    const said = `seed ${seed}: ${log.join('\n')}`;
    await run.toEnd();
    paper.finish(run.tokens.length);
    const whole = await straight(model, run.tokens, paper.passes);
    for (const row of run.trace.entries) {
      const wanted = await whole.tensor(row.name, { pass: row.pass });
      expect(row.shape, `${row.name} of pass ${row.pass}, ${said}`).toEqual(wanted.shape);
      const sum = whole.trace.entries.find(({ name, pass }) => name === row.name && pass === row.pass)!.statistics.rms;
      expect(Math.abs(row.statistics.rms - sum), `${row.name} of pass ${row.pass}, ${said}`).toBeLessThanOrEqual(
        BETWEEN_PLANS * sum,
      );
      if (!row.hasValues) continue;
      const found = await run.tensor(row.name, { pass: row.pass });
      if (found.data.every((value, i) => Object.is(value, wanted.data[i]))) continue;
      expect(relativeRmsError(found.data, wanted.data), `${row.name} of pass ${row.pass}, ${said}`).toBeLessThanOrEqual(
        BETWEEN_PLANS,
      );
    }
    run.close();
    whole.close();
  }
});
