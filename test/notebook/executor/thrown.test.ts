/** What a cell threw, told in any case: whatever it is, however much, and whatever fails when it is looked at. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exportedNames } from '../../../src/notebook/compiler/exported_names.ts';
import { connectedDisplay } from '../../../src/notebook/display/connected.ts';
import { mapStacks } from '../../../src/notebook/executor/stack.ts';
import { thrownBy } from '../../../src/notebook/executor/thrown.ts';

const { prepareStackTrace, stackTraceLimit } = Error;
beforeEach(() => mapStacks());
afterEach(() => Object.assign(Error, { prepareStackTrace, stackTraceLimit }));

const hostile = (property: string, error: object = new Error('kept')) =>
  Object.defineProperty(error, property, {
    get() {
      throw new Error('a getter');
    },
  });

describe('an error keeps what can be read of it', () => {
  test.for([
    ['stack', { name: 'Error', message: 'kept', stack: 'Error: kept' }],
    ['cause', { name: 'Error', message: 'kept', stack: expect.stringMatching(/^Error: kept\n {4}at /) }],
    ['message', { name: 'Error', message: '', stack: expect.stringMatching(/^Error/) }],
    ['name', { name: 'Error', message: 'kept', stack: expect.stringMatching(/kept/) }],
    ['errors', { name: 'Error', message: 'kept' }],
  ] as const)('where its %s throws', ([property, thrown]) => {
    expect(thrownBy(hostile(property))).toMatchObject(thrown);
  });

  test('where its stack is none', () => {
    for (const stack of [12, '', undefined, ['frames']]) {
      expect(thrownBy(Object.assign(new TypeError('odd'), { stack })).stack).toBe('TypeError: odd');
    }
  });

  test('where it is frozen', () => {
    expect(thrownBy(Object.freeze(new RangeError('cold')))).toMatchObject({ name: 'RangeError', message: 'cold' });
  });
});

describe('what is no error', () => {
  test.for([
    ['text', 'text'],
    [42, '42'],
    [undefined, 'undefined'],
    [null, 'null'],
    [{ code: 7 }, '{ code: 7 }'],
    [Symbol('s'), 'Symbol(s)'],
    [Object.create(null), '[Object: null prototype] {}'],
  ] as const)('%o is told', ([value, message]) => {
    expect(thrownBy(value)).toEqual({ name: 'Thrown', message, stack: `Thrown: ${message}` });
  });

  test('a proxy that throws at everything is told', () => {
    const trap = () => {
      throw new Error('trap');
    };
    const proxy = new Proxy({}, { get: trap, getPrototypeOf: trap, ownKeys: trap, has: trap });
    expect(thrownBy(proxy).name).toBe('Thrown');
  });

  test('a value whose inspection throws is told, and why', () => {
    const value = {
      [Symbol.for('nodejs.util.inspect.custom')]: () => {
        throw new Error('not shown');
      },
    };
    expect(thrownBy(value).message).toBe('what cannot be shown: not shown');
  });
});

describe('what an error comes from is told too', () => {
  test('its causes, to a depth', () => {
    const { stack } = thrownBy(new Error('top', { cause: new TypeError('middle', { cause: 'text' }) }));
    expect(stack).toMatch(/^Error: top\n[\s\S]*\ncaused by TypeError: middle\n[\s\S]*\ncaused by text$/);
    const ring = new Error('ring');
    ring.cause = ring;
    expect(thrownBy(ring).stack.match(/caused by/g)).toHaveLength(5);
  });

  test('the errors of an AggregateError, of many the first', () => {
    const errors = Array.from({ length: 8 }, (_, i) => new Error(`no ${i}`));
    const { stack } = thrownBy(new AggregateError(errors, 'all'));
    expect(stack).toMatch(/^AggregateError: all[\s\S]*\nerror 1 of 8: Error: no 0[\s\S]*\nerror 5 of 8: Error: no 4/);
    expect(stack).not.toContain('no 5');
  });
});

describe('much of it is cut, which is said', () => {
  test('a message', () => {
    const { message, stack } = thrownBy(new Error('m'.repeat(5_000_000)));
    expect(message).toMatch(/^m{5000}… 4,995,000 more characters are not shown$/);
    expect(stack).toMatch(/more characters are not shown\n {4}at /);
    expect(stack.length).toBeLessThan(20_100);
  });

  test('a value', () => {
    expect(thrownBy('v'.repeat(1_000_000)).message.length).toBeLessThan(5_100);
  });
});

describe('a stack', () => {
  test('tells a function that calls itself once, and how often', () => {
    const deep = (): number => deep() + 1;
    expect(thrown(deep).stack).toMatch(/RangeError: .*\n(.*\n)*.* more from there/);
    expect(thrown(deep).stack.split('\n').length).toBeLessThan(25);
  });

  test('leaves out our own lines where our own error says it all, and else does not', () => {
    const ours = thrown(() => connectedDisplay());
    expect([ours.name, ours.stack]).toEqual(['NotebookError', expect.not.stringContaining('/src/notebook/display/')]);
    const other = thrown(() => exportedNames('/no/such/file.d.ts'));
    expect([other.name, other.stack]).toEqual(['Error', expect.stringContaining('/src/notebook/compiler/')]);
  });

  test('is text whatever its error says of itself', () => {
    const error = new (class extends Error {
      override toString(): string {
        throw new Error('no text');
      }
    })('kept');
    expect(thrownBy(error).stack).toMatch(/^Error: kept\n {4}at /);
  });
});

function thrown(work: () => unknown) {
  try {
    work();
  } catch (error) {
    return thrownBy(error);
  }
  throw new Error('It threw nothing');
}
