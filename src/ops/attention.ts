/**
 * What kq and kqv share: sizes read from the shapes of queries or pattern and of the cache, with grouped queries (Ainslie
 * et al. 2023, arXiv:2305.13245): head h reads KV head floor(h / (nHead / nHeadKv)). The param grouping may say `tiled`: then it
 * reads KV head h mod nHeadKv, which is what repeating the whole list of KV heads gives (src/engine/faults/gqa_tiled.ts).
 */
import type { DeviceTraits, KernelCall, Params, Pass, Shape } from './op.ts';
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
export function kvHeadOf(h: number, { nHead, nHeadKv }: AttentionSizes, params: Params): number {
  return isTiled(params) ? h % nHeadKv : Math.floor(h / (nHead / nHeadKv));
}

function isTiled({ grouping = 'repeated' }: Params): boolean {
  return grouping === 'tiled';
}

/** Throws StepError where the param grouping is neither `repeated` nor `tiled`. */
export function requireGrouping(op: string, { grouping = 'repeated' }: Params): void {
  if (grouping === 'repeated' || grouping === 'tiled') return;
  throw cannotRun(op, `its param grouping is ${grouping}; it must be repeated or tiled`);
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

/**
 * The most rows a lane computes at once; a row is one head of one token. See kernels/parts/attention_tile.wgsl. With 8,
 * lavapipe runs kq a fifth faster and compiles it 1.6 times as long (0.7 s of a core).
 */
const MAX_ROWS = 4;

/**
 * The call of kernels/<op>.wgsl or, with subgroups, kernels/<op>/broadcast.wgsl: `columns` in tiles of `lanes`, the rows of
 * a KV head in tiles, for each KV head.
 */
export function attentionCall(
  op: string,
  columns: number,
  lanes: number,
  sizes: AttentionSizes,
  params: Params,
  device: DeviceTraits,
): Pick<KernelCall, 'kernel' | 'overrides' | 'uniforms' | 'workgroups'> {
  const { nTokens, nHead, nHeadKv, nKeys, headDim } = sizes;
  const rows = nTokens * (nHead / nHeadKv);
  const rowsEach = Math.min(MAX_ROWS, 2 ** Math.ceil(Math.log2(rows)));
  return {
    kernel: device.subgroupSize >= 8 ? `${op}/broadcast` : op,
    overrides: { rows_each: rowsEach, ...(isTiled(params) ? { tiled: 1 } : {}) },
    uniforms: [nTokens, nHead, nHeadKv, nKeys, headDim],
    workgroups: workgroups(Math.ceil(columns / lanes) * Math.ceil(rows / rowsEach) * nHeadKv, device),
  };
}
