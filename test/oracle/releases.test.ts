/**
 * The oracle on other releases of llama.cpp: our names in each, and the values of the one that we depend on. The layouts of
 * their structs differ, so this is what shows that they are found at run time, or refused.
 */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { llamaCpp, type OracleTrace, oracleAvailable } from '../../src/oracle/index.ts';
import { relativeRmsError } from '../engine/models.ts';
import { have } from '../skip.ts';
import { installReleases, releaseFolder } from './releases.ts';

const isFull = process.env.LAYERSCOPE_FULL === '1';
/** From llama_model_params without `no_alloc` (b7347), over context params of other sizes, to enums in place of bools. */
const WORKING = isFull ? ['b7347', 'b8121', 'b10068', 'v0.4.0'] : ['b7347'];
/** One library for all, no version, no flash attention to turn off: each is refused for what it lacks. */
const TOO_OLD = isFull ? ['b3889', 'b5640', 'b6301'] : ['b6301'];

const MODEL = fileURLToPath(new URL('../../fixtures/lily-4m-q4_0.gguf', import.meta.url));
const IDS = [1, 366, 331, 261, 470, 278, 357, 940, 357, 483];

describe('llama.cpp of another release', () => {
  let why: string | null = null;
  let known: OracleTrace | undefined;
  beforeEach((context) => {
    have(context, known, String(why));
  });

  beforeAll(async () => {
    why = oracleAvailable() ?? installReleases([...WORKING, ...TOO_OLD], isFull);
    if (why !== null) return;
    const oracle = llamaCpp(MODEL);
    known = await oracle.trace(IDS, { passes: [IDS.length - 1, 1] });
    await oracle.close();
  }, 300_000);
  afterAll(() => known?.close());

  it.each(WORKING)('%s computes every tensor of ours, to 1e-5, and says its own version', async (release) => {
    const wanted = known as OracleTrace;
    const oracle = llamaCpp(MODEL, { bins: releaseFolder(release) });
    const found = await oracle.trace(IDS, { passes: [IDS.length - 1, 1] });
    await oracle.close();
    expect(found.manifest.package).toBeNull();
    expect(`v${found.manifest.version}`).toContain(release.replace(/^v/, ''));
    expect(found.names).toEqual(wanted.names);
    expect(found.unmapped.names).toEqual(
      expect.arrayContaining(['inp_tokens', 'inp_pos', 'KQ_mask', 'kqv-5:MUL_MAT:0']),
    );
    for (const name of wanted.names) {
      const [theirs, ours] = [await found.tensor(name), await wanted.tensor(name)];
      expect(theirs.shape, name).toEqual(ours.shape);
      // Measured: equal bits up to the last product, and there at most 1.3e-7.
      expect(relativeRmsError(theirs.data, ours.data), name).toBeLessThan(1e-5);
    }
    await found.close();
  });

  it.each(TOO_OLD)('%s is refused, and the releases that work are named', async (release) => {
    const oracle = llamaCpp(MODEL, { bins: releaseFolder(release) });
    const refusal = /^Cannot (load|use this) llama\.cpp: .*releases that were tried: b7347 .*v0\.5\.0 \(3\.22\.1\)/;
    await expect(oracle.trace(IDS)).rejects.toThrow(refusal);
    await oracle.close();
  });
});
