import { describe, expect, test } from 'vitest';
import { StepError } from '../../../src/errors.ts';
import { bundleOf } from '../../../src/notebook/display/bundle.ts';

const DISPLAY = Symbol.for('Jupyter.display');

/** The plain text of a value. */
async function textOf(value: unknown): Promise<string> {
  return (await bundleOf(value))?.data['text/plain'] as string;
}

describe('values that nobody made to be shown', () => {
  test('undefined shows nothing, null shows itself', async () => {
    expect(await bundleOf(undefined)).toBeNull();
    expect(await textOf(null)).toBe('null');
  });

  test('a string is its text, everything else what inspect spells, without colours', async () => {
    expect(await textOf('two\nlines')).toBe('two\nlines');
    expect(await textOf(-0)).toBe('-0');
    expect(await textOf(12n)).toBe('12n');
    expect(await textOf(Symbol('s'))).toBe('Symbol(s)');
    expect(await textOf([1, 'a'])).toBe("[ 1, 'a' ]");
    expect(await textOf(new Map([['a', { b: 1 }]]))).toBe("Map(1) { 'a' => { b: 1 } }");
    expect(await textOf(function named() {})).toBe('[Function: named]');
    expect(await textOf(class Named {})).toBe('[class Named]');
    expect(await textOf(Object.create(null))).toBe('[Object: null prototype] {}');
  });

  test('a Float32Array has the digits of an f32 and says what it leaves out', async () => {
    expect(await textOf(Float32Array.of(0.1, 1, Number.NaN))).toBe('Float32Array(3) [ 0.1, 1, NaN ]');
    expect(await textOf(new Float32Array(0))).toBe('Float32Array(0) []');
    const long = await textOf(new Float32Array(2048));
    expect(long).toMatch(/^Float32Array\(2048\) \[\s+0, 0,/);
    expect(long).toMatch(/, … 1948 more\s+\]$/);
    expect(long.match(/\b0\b/g)).toHaveLength(100);
  });

  test('a text of 100 MB is cut and says so', async () => {
    const text = await textOf('x'.repeat(1e8));
    expect(text).toHaveLength(100_000 + '… 99,900,000 more characters are not shown'.length);
    expect(text).toMatch(/x… 99,900,000 more characters are not shown$/);
  });

  test('a text is not cut through a character', async () => {
    expect(await textOf(`x${'🙂'.repeat(1e5)}`)).toMatch(/🙂… 100,001 more characters/u);
  });

  test('whatever a value does when it is looked at, it shows', async () => {
    const throws = () => {
      throw new Error('go away');
    };
    const traps = new Proxy({}, { get: throws, getPrototypeOf: throws, ownKeys: throws, has: throws });
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const worst = Object.defineProperty(new Error(), 'message', { get: throws });
    const values: [unknown, RegExp][] = [
      [traps, /^\{\}$/],
      [revoked.proxy, /Revoked Proxy/],
      [Object.create(traps), /./],
      [new Proxy(() => 1, { get: () => throws, apply: throws }), /Function/],
      [{ [Symbol.for('nodejs.util.inspect.custom')]: throws }, /^an object that cannot be looked at: go away$/],
      [Object.defineProperty({}, '$schema', { enumerable: true, get: throws }), /\$schema'?: \[Getter\]/],
      [Object.defineProperty({}, 'toMimeBundle', { enumerable: true, get: throws }), /toMimeBundle: \[Getter\]/],
      [Object.defineProperty({}, 'then', { get: throws }), /^\{\}$/],
      [worst, /Error|cannot be looked at/],
    ];
    for (const [value, wanted] of values) expect(await textOf(value)).toMatch(wanted);
  });

  test('what only looks like a promise is not waited for', async () => {
    // biome-ignore lint/suspicious/noThenProperty: such a value is what is tested
    const thenable = { then: () => {} };
    expect(shownText(await bundleOf([thenable]))).toContain('then: [Function: then]');
    const proxy = new Proxy({}, { get: () => () => {} });
    expect(shownText(await bundleOf(proxy))).toBe('{}');
  });
});

const shownText = (shown: Awaited<ReturnType<typeof bundleOf>>) => shown?.data['text/plain'];

describe('values that say how they show', () => {
  test('by a method Jupyter.display or toMimeBundle, at once or later', async () => {
    class Own {
      readonly name = 'x';
      [DISPLAY]() {
        return { 'text/html': `<b>${this.name}</b>` };
      }
    }
    expect((await bundleOf(new Own()))?.data).toEqual({ 'text/html': '<b>x</b>' });
    expect((await bundleOf({ toMimeBundle: async () => ({ 'text/plain': 'later' }) }))?.data).toEqual({
      'text/plain': 'later',
    });
    const both = { [DISPLAY]: () => ({ 'text/plain': 'first' }), toMimeBundle: () => ({ 'text/plain': 'second' }) };
    expect(await textOf(both)).toBe('first');
  });

  test('a method that gives null shows nothing', async () => {
    expect(await bundleOf({ [DISPLAY]: () => null })).toBeNull();
  });

  test('what such a method throws is the error; what is no bundle is refused with the cure', async () => {
    const broken = { [DISPLAY]: () => Promise.reject(new RangeError('mine')) };
    await expect(bundleOf(broken)).rejects.toThrow(new RangeError('mine'));
    await expect(bundleOf({ toMimeBundle: () => 'text' })).rejects.toThrow(
      /^Cannot display what toMimeBundle\(\) gave: found string; wanted an object whose keys are MIME types/,
    );
  });

  test('a plain object of MIME types is its own bundle, and bytes become base64', async () => {
    const shown = await bundleOf({ 'image/png': Uint8Array.of(1, 2, 3), 'text/plain': 'dots' });
    expect(shown).toEqual({ data: { 'image/png': 'AQID', 'text/plain': 'dots' }, metadata: {} });
    expect(await textOf({ 'text/plain': 1, other: 2 })).toBe("{ 'text/plain': 1, other: 2 }");
    expect(await textOf({ 'src/notebook': 1 })).toBe("{ 'src/notebook': 1 }");
    expect(await textOf({})).toBe('{}');
  });
});

test('a promise shows what it resolves to, and rejects as it rejects', async () => {
  expect(await textOf(Promise.resolve(3))).toBe('3');
  expect(await bundleOf(Promise.resolve(undefined))).toBeNull();
  await expect(bundleOf(Promise.reject(new Error('no')))).rejects.toThrow('no');
});

test('an error of ours says what, where and the cure, without a stack', async () => {
  const error = new StepError('Cannot run step x: it is not there; look again', { step: 'x', file: 'm.gguf' });
  expect(await textOf(error)).toBe(
    'StepError: Cannot run step x: it is not there; look again\n  file m.gguf\n  step x',
  );
  expect(await textOf(new TypeError('theirs'))).toMatch(/^TypeError: theirs\n\s+at /);
});
