/** What the checks of two runs share: every tensor of one against the same of the other. */
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
    const [wanted, found] = [await base.whole(name), await other.whole(name)];
    if (typeof wanted === 'string' || typeof found === 'string') {
      findings.lacks(name, layer, [wanted, found].find((each) => typeof each === 'string') as string);
      continue;
    }
    const [ours, theirs] = [found, wanted].map((tensor) =>
      tokens === undefined ? tensor : firstTokens(tensor, tokens),
    ) as [typeof found, typeof found];
    if (ours.shape.join() !== theirs.shape.join()) {
      findings.lacks(
        name,
        layer,
        `it is [${theirs.shape.join(', ')}] in one run and [${ours.shape.join(', ')}] in the other`,
      );
      continue;
    }
    findings.tensor({ name, layer, pass: 0, pos0: 0, shape: theirs.shape, dims }, ours, theirs, tolerance);
  }
}

/** `kq` of `kq-3`. */
export function stemOf(name: string): string {
  return name.replace(/-\d+$/, '');
}

function firstTokens(tensor: Awaited<ReturnType<Subject['values']>> & object, count: number) {
  return tensor.slice(...tensor.dims.map((dim) => (dim === 'token' || dim === 'key' ? ([0, count] as const) : null)));
}
