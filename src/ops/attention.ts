/**
 * What kq and kqv share: sizes read from the shapes of queries or pattern and of the cache, with grouped queries (Ainslie
 * et al. 2023, arXiv:2305.13245): head h reads KV head floor(h / (nHead / nHeadKv)).
 */
import type { DeviceTraits, Pass, Shape } from './op.ts';
import { cannotRun, shapeText } from './shape.ts';
import { workgroups } from './workgroups.ts';

export interface AttentionSizes {
  readonly nTokens: number;
  readonly nHead: number;
  readonly nHeadKv: number;
  readonly nKeys: number;
  readonly headDim: number;
}

/** The KV head that head `h` reads. */
export function kvHeadOf(h: number, { nHead, nHeadKv }: AttentionSizes): number {
  return Math.floor(h / (nHead / nHeadKv));
}

/** Throws StepError where the heads do not divide, or the cache does not hold the pass's past and its tokens. */
export function requireAttentionSizes(op: string, cacheShape: Shape, sizes: AttentionSizes, pass: Pass): void {
  const { nTokens, nHead, nHeadKv, nKeys } = sizes;
  if (nHead % nHeadKv !== 0) {
    throw cannotRun(op, `${nHead} heads cannot share ${nHeadKv} KV heads evenly; one must divide the other`);
  }
  if (nTokens !== pass.nTokens) {
    throw cannotRun(op, `its input has ${nTokens} tokens; the pass has ${pass.nTokens}`);
  }
  if (nKeys !== pass.nPast + pass.nTokens) {
    const wanted = `${pass.nPast} past and ${pass.nTokens} new tokens`;
    throw cannotRun(op, `the cache is ${shapeText(cacheShape)}; it must hold ${wanted}`);
  }
}

/** kq.wgsl and kqv.wgsl compute this many rows per lane; a row is one head of one token. */
const ROWS = 4;

/** A grid of tiles: `columns` in tiles of `lanes`, the rows of a KV head in tiles of ROWS, for each KV head. */
export function attentionWorkgroups(columns: number, lanes: number, sizes: AttentionSizes, device: DeviceTraits) {
  const rowsPerKvHead = sizes.nTokens * (sizes.nHead / sizes.nHeadKv);
  return workgroups(Math.ceil(columns / lanes) * Math.ceil(rowsPerKvHead / ROWS) * sizes.nHeadKv, device);
}

/** The uniform block of kq.wgsl and kqv.wgsl. */
export function attentionUniforms({ nTokens, nHead, nHeadKv, nKeys, headDim }: AttentionSizes): readonly number[] {
  return [nTokens, nHead, nHeadKv, nKeys, headDim];
}
