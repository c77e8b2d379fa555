import { describe, expect, test } from 'vitest';
import type { CellOutput } from '../../../src/notebook/cells.ts';
import { type Clock, ProgressBar } from '../../../src/notebook/display/progress.ts';
import type { Progress } from '../../../src/platform.ts';

/** A clock that goes when a test says so, and calls what is due. */
class TestClock implements Clock {
  #now = 0;
  #due: { at: number; then: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, then: () => void): () => void {
    const entry = { at: this.#now + ms, then };
    this.#due.push(entry);
    return () => {
      this.#due = this.#due.filter((each) => each !== entry);
    };
  }

  /** How many calls wait. */
  get waiting(): number {
    return this.#due.length;
  }

  pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#due = this.#due.filter((each) => each !== next);
      this.#now = next.at;
      next.then();
    }
    this.#now = end;
  }
}

function bar() {
  const clock = new TestClock();
  const sent: { at: number; type: string; text: string; html: string }[] = [];
  const send = (output: CellOutput) => {
    if (!('data' in output)) throw new Error(`a ${output.type} is no bar`);
    const { data, type } = output;
    sent.push({ at: clock.now(), type, text: data['text/plain'] as string, html: data['text/html'] as string });
  };
  const bar = new ProgressBar({ send, displayId: 'bar', clock });
  const tell = (done: number, over: Partial<Progress> = {}) =>
    bar.at({ task: 'running', item: `l_out-${done}`, done, total: 100, unit: 'steps', ...over });
  return { bar, clock, sent, tell };
}

describe('a bar', () => {
  test('does not appear for work that ends within a blink', () => {
    const { clock, sent, tell, bar: it } = bar();
    tell(1);
    clock.pass(290);
    tell(100);
    clock.pass(10_000);
    it.end();
    expect(sent).toEqual([]);
    expect(clock.waiting).toBe(0);
  });

  test('appears after 300 ms, also where nothing is told by then, and says how far, how fast and how long', () => {
    const { clock, sent, tell } = bar();
    tell(10);
    clock.pass(200);
    tell(25);
    clock.pass(1000);
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({ at: 300, type: 'display_data' });
    expect(sent[0]?.text).toBe(
      `running ${'█'.repeat(6)}${'░'.repeat(18)} 25 %  25 of 100 steps, 50/s, 2 s left  l_out-25`,
    );
    expect(sent[0]?.html).toContain('<progress max="100" value="25"></progress> 25 %');
  });

  test('changes at most eight times a second, and shows the last it was told', () => {
    const { clock, sent, tell } = bar();
    for (let done = 1; done <= 90; done++) {
      tell(done);
      clock.pass(20);
    }
    expect(sent.length).toBeGreaterThan(8);
    expect(sent.length).toBeLessThanOrEqual(1 + (8 * (90 * 20 - 300)) / 1000);
    expect(new Set(sent.slice(1).map(({ type }) => type))).toEqual(new Set(['update_display_data']));
    clock.pass(200);
    expect(sent.at(-1)?.text).toContain('90 of 100 steps');
  });

  test('leaves an empty place when its work is done, soon', () => {
    const { clock, sent, tell } = bar();
    tell(1);
    clock.pass(400);
    tell(100);
    clock.pass(300);
    expect(sent.at(-1)).toEqual({ at: expect.any(Number), type: 'update_display_data', text: '', html: '' });
    expect(sent).toHaveLength(2);
    expect(clock.waiting).toBe(0);
  });

  test('goes on with the next task in its place, without vanishing in between', () => {
    const { clock, sent, tell } = bar();
    tell(1, { task: 'uploading weights', unit: 'bytes', total: 2e6 });
    clock.pass(400);
    tell(2e6, { task: 'uploading weights', unit: 'bytes', total: 2e6 });
    clock.pass(250);
    tell(3);
    clock.pass(2000);
    expect(sent.map(({ text }) => text.split(' ')[0])).toEqual(['uploading', 'running']);
  });

  test('is not shown for many short tasks in a row', () => {
    const { clock, sent, tell } = bar();
    for (let move = 0; move < 50; move++) {
      tell(1);
      clock.pass(100);
      tell(100);
      clock.pass(50);
    }
    expect(sent).toEqual([]);
  });

  test('is taken away at the end of its cell, and what is told later is not shown', () => {
    const { bar: it, clock, sent, tell } = bar();
    tell(1);
    clock.pass(400);
    it.end();
    expect(sent.map(({ text }) => text !== '')).toEqual([true, false]);
    tell(50);
    clock.pass(1000);
    it.end();
    expect(sent).toHaveLength(2);
  });

  test('shows bytes as bytes, long times in minutes and hours, and escapes what it is told', () => {
    const { clock, sent, tell } = bar();
    const told = { task: 'uploading <b>', item: '\u001b[31m', unit: 'bytes', total: 6.2e8 };
    tell(0, told);
    clock.pass(200);
    tell(1e6, told);
    clock.pass(100);
    expect(sent.at(-1)?.text).toMatch(/ 0 % {2}1 MB of 620 MB, 3\.33 MB\/s, 3 min 6 s left {2}\\u\{1b\}\[31m$/);
    expect(sent.at(-1)?.html).not.toContain('<b>');
    tell(1e6 + 1, { ...told, total: 1e11 });
    clock.pass(200);
    expect(sent.at(-1)?.text).toMatch(/ \d+ h \d+ min left/);
  });
});
