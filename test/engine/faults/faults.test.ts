import { describe, expect, test } from 'vitest';
import { type Fault, fault, faultNamed, faults, type Probe } from '../../../src/engine/faults/index.ts';
import { siteOf } from '../../../src/engine/faults/put.ts';
import type { Model } from '../../../src/engine/model.ts';
import { openModel } from '../../../src/node/index.ts';
import { backends, noAdapter, openRandom } from '../models.ts';
import { difference, probes, type Seen, seenBy } from './probes.ts';

/** Faults of the prompt act on text; prompts.test.ts holds their pages. */
const inSteps = faults.filter(({ changes }) => changes);
const shipped = (name: string) => new URL(`../../../fixtures/${name}.gguf`, import.meta.url).pathname;

/** What some faults need; the others go into any model. */
const RANDOM: Readonly<Record<string, Parameters<typeof openRandom>[1]>> = {
  'rope-scaling-ignored': { ropeFreqs: true },
  'tied-embedding-ignored': { tied: true },
  'nibbles-swapped': { type: 'Q4_0' },
};
/** The shipped model cannot have these, or is known to overflow with them (special.test.ts). */
const NOT_SHIPPED: ReadonlySet<string> = new Set([
  'softmax-without-max',
  'rope-scaling-ignored',
  'tied-embedding-ignored',
]);

const faultShows = (name: string, probe: Probe) => faultNamed(name).shows[probe];

/** A model and what it shows healthy, made once. */
interface Healthy {
  readonly model: Model;
  readonly seen: Readonly<Record<Probe, Seen>>;
}

async function healthy(model: Model): Promise<Healthy> {
  const seen = {
    oneToken: await seenBy(model, 'oneToken'),
    prefill: await seenBy(model, 'prefill'),
    decode: await seenBy(model, 'decode'),
  };
  return { model, seen };
}

/** Holds the pages of faults against runs of the model that `modelFor` gives. */
function pagesAreTrue(held: readonly Fault[], modelFor: (fault: string) => Promise<Healthy>): void {
  test.each(held)('the page of $name is true', async ({ name, shows, firstTensor }) => {
    const { model, seen } = await modelFor(name);
    const faulty = model.with(fault(name));
    for (const probe of probes) {
      const mayRound = shows[probe] === 'rounding';
      const { first, effect } = difference(seen[probe], await seenBy(faulty, probe), mayRound);
      expect({ probe, effect }).toEqual({ probe, effect: shows[probe] });
      const site = siteOf(name, fault(name).params, model.config, () => undefined);
      if (effect === 'no effect') expect(first).toBeNull();
      else if (!mayRound || first !== null)
        expect({ probe, first }).toEqual({ probe, first: firstTensor(site, probe) });
    }
  });
}

function memo<K, V>(make: (key: K) => Promise<V>): (key: K) => Promise<V> {
  const made = new Map<K, Promise<V>>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}

describe.each(backends)('random models with grouped queries on %s', (backend) => {
  const open = memo(async (name: string) => healthy(await openRandom(backend, RANDOM[name])));
  const modelFor = (name: string) => open(name in RANDOM ? name : '');

  pagesAreTrue(inSteps, modelFor);

  test('after every fault was in it, a model gives the bits that it gave before', async () => {
    for (const name of ['', ...Object.keys(RANDOM)]) {
      const { model, seen } = await open(name);
      for (const probe of probes) expect(await seenBy(model, probe)).toEqual(seen[probe]);
    }
  });

  test.each(inSteps)('$name gives the same bits twice', async ({ name }) => {
    const { model } = await modelFor(name);
    const once = await seenBy(model.with(fault(name)), 'decode');
    expect(await seenBy(model.with(fault(name)), 'decode')).toEqual(once);
  });

  test.each(inSteps.filter(({ params }) => params.layer))('$name in layer 1 leaves layer 0 alone', async ({ name }) => {
    const { model, seen } = await modelFor(name);
    const transform = fault(name, { layer: 1 });
    const probe = faultShows(name, 'prefill') === 'no effect' ? 'decode' : 'prefill';
    const { first } = difference(seen[probe], await seenBy(model.with(transform), probe), false);
    const site = siteOf(name, transform.params, model.config, () => undefined);
    if (faultShows(name, probe) !== 'rounding') expect(first).toBe(faultNamed(name).firstTensor(site, probe));
    if (first !== null) expect(first).toMatch(/-1$/);
  });
});

describe.skipIf(noAdapter)('the shipped model on webgpu', () => {
  const open = memo(async (name: string) => healthy(await openModel(shipped(name), { backend: 'webgpu' })));
  pagesAreTrue(
    inSteps.filter(({ name }) => !NOT_SHIPPED.has(name)),
    (name) => open(name === 'nibbles-swapped' ? 'lily-4m-q4_0' : 'lily-4m-f16'),
  );

  test('after every fault was in it, it gives the bits that it gave before', async () => {
    const { model, seen } = await open('lily-4m-f16');
    for (const probe of probes) expect(await seenBy(model, probe)).toEqual(seen[probe]);
  });
});
