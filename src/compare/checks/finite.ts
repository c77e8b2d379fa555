/** finite: no tensor holds a NaN or an infinity. A score that a mask has set to -Infinity is none. */
import type { Trace, TraceRow } from '../../trace/trace.ts';
import type { Place } from '../comparison.ts';
import { placeAt } from '../measure.ts';
import type { TraceCheck } from './check.ts';

export const finite: TraceCheck = {
  kind: 'trace',
  name: 'finite',
  title: 'Every value is a finite number',
  proves: 'No op has divided by zero, overflowed or read memory that holds no number, and no weight is broken.',
  cannot:
    'It does not see a number that is merely wrong; and a NaN that the device dropped on its way leaves nothing to see.',
  needs: { tensors: ['every tensor, of which statistics will do'], model: null },

  async look(subject, findings) {
    findings.within({ limit: 0, source: 'a forward pass of finite weights is finite' });
    for (const row of subject.trace.entries) {
      subject.mustGoOn();
      const { name, layer, pass, pos0, shape, dims, statistics, partly } = row;
      const isKnown = (key: keyof typeof statistics) => !partly || partly.known.includes(key);
      if (!isKnown('nanCount') || !isKnown('infCount')) {
        findings.lacks(name, layer, 'how many of its values are NaN is not told');
        continue;
      }
      const masked = dims.at(-1) === 'key' && statistics.infCount === maskedCells(row) ? statistics.infCount : 0;
      const found = statistics.nanCount + statistics.infCount - masked;
      const where = { name, layer, pass, pos0, shape, dims };
      const place = found > 0 && row.hasValues ? await firstBroken(row, subject.trace) : NOWHERE;
      findings.number(where, { place, found, wanted: 0, allowed: 0, what: 'NaN or infinite values' });
    }
  },
};

const NOWHERE: Place = { index: [], token: null, head: null };

async function firstBroken(row: TraceRow, trace: Trace): Promise<Place> {
  const { data } = await trace.tensor(row.name, { pass: row.pass });
  const offset = data.findIndex((x) => !Number.isFinite(x));
  return offset < 0 ? NOWHERE : placeAt(row, offset);
}

/** Keys that a token may not see, of a tensor [head, token, key]. */
function maskedCells({ shape, pos0 }: TraceRow): number {
  const [heads = 1, tokens = 0, keys = 0] = shape;
  let cells = 0;
  for (let t = 0; t < tokens; t++) cells += Math.max(0, keys - pos0 - t - 1);
  return heads * cells;
}
