/** What the checks of two runs share: every tensor of one against the same of the other. */
import type { Tensor } from '../../trace/tensor.ts';
import type { Findings } from './findings.ts';
import type { Subject } from './subject.ts';

export interface SameOptions {
  /** Names without their layer of tensors that the two runs need not share. */
  readonly but?: ReadonlySet<string>;
  /** Compares so many of the first tokens; all unless told. */
  readonly tokens?: number;
}

/**
 * Holds each tensor of `other` against the same of `base`, passes put together, within the precision of a run. Only tensors
 * of the forward pass: what a lens adds, such as ids of tokens, is not smooth.
 */
export async function sameTensors(
  base: Subject,
  other: Subject,
  findings: Findings,
  { but = new Set(), tokens }: SameOptions = {},
): Promise<void> {
  const tolerance = [base, other]
    .map(({ arithmetic }) => arithmetic.endToEnd)
    .reduce((a, b) => (a.limit > b.limit ? a : b));
  findings.within(tolerance);
  const layers = new Set(base.layers);
  const first = base.passes[0];
  for (const { name, layer, dims } of base.trace.entries.filter(({ pass }) => pass === first?.index)) {
    if (but.has(stemOf(name)) || (layer !== null && !layers.has(layer))) continue;
    if (base.model && base.model.names.find(name) !== name) continue;
    const [wanted, found] = [await firstTokens(base, name, tokens), await firstTokens(other, name, tokens)];
    if (typeof wanted === 'string' || typeof found === 'string') {
      findings.lacks(name, layer, typeof wanted === 'string' ? wanted : `${found}`);
      continue;
    }
    if (found.shape.join() !== wanted.shape.join()) {
      const [one, two] = [wanted, found].map(({ shape }) => `[${shape.join(', ')}]`);
      findings.lacks(name, layer, `it is ${one} in one run and ${two} in the other`);
      continue;
    }
    const where = { name, layer, pass: 0, pos0: 0, shape: wanted.shape, dims };
    const sizes = name === `kq-${layer}` ? await scoreSizes(base, layer as number, tokens) : null;
    if (sizes) findings.elements(where, found.data, wanted.data, (i) => tolerance.limit * (sizes[i] as number));
    else findings.tensor(where, found, wanted, tolerance);
  }
}

/** `kq` of `kq-3`. */
function stemOf(name: string): string {
  return name.replace(/-\d+$/, '');
}

/** As `whole`, of so many tokens from the first. */
async function firstTokens(subject: Subject, name: string, count: number | undefined): Promise<Tensor | string> {
  const whole = await subject.whole(name);
  if (typeof whole === 'string' || count === undefined) return whole;
  return whole.slice(...whole.dims.map((dim) => (dim === 'token' || dim === 'key' ? ([0, count] as const) : null)));
}

/**
 * For each score |q| · |k|, which is what its rounding is relative to: a query and a key that are almost at right angles leave
 * a score near 0, and the row of the first token is that one score. Infinity for keys that are masked; null where queries or
 * keys are not at hand.
 */
async function scoreSizes(subject: Subject, layer: number, tokens: number | undefined): Promise<Float64Array | null> {
  const [q, k] = [
    await firstTokens(subject, `Qcur_rope-${layer}`, tokens),
    await firstTokens(subject, `Kcur_rope-${layer}`, tokens),
  ];
  if (typeof q === 'string' || typeof k === 'string' || q.shape.length !== 3 || k.shape.length !== 3) return null;
  const [nTokens, nHead] = q.shape as [number, number, number];
  const [nKeys, nHeadKv] = k.shape as [number, number, number];
  const [queries, keys] = [q.norm(2).data, k.norm(2).data];
  const sizes = new Float64Array(nHead * nTokens * nKeys).fill(Number.POSITIVE_INFINITY);
  for (let head = 0; head < nHead; head++) {
    const kvHead = Math.floor(head / (nHead / nHeadKv));
    for (let t = 0; t < nTokens; t++) {
      for (let j = 0; j <= t && j < nKeys; j++) {
        const size = (queries[t * nHead + head] as number) * (keys[j * nHeadKv + kvHead] as number);
        sizes[(head * nTokens + t) * nKeys + j] = size;
      }
    }
  }
  return sizes;
}
