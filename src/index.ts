/** The public API that needs no host: everything but opening files by path. */

export * as charts from './charts/index.ts';
export { allowedKinds, differenceKinds } from './compare/alignment.ts';
export { BugHunt, bugHunt, type HuntLevel, type HuntOptions, HuntResult } from './compare/bug_hunt.ts';
export type {
  Check,
  CheckReport,
  CheckResult,
} from './compare/checks/check.ts';
export { checkModel } from './compare/checks/check_model.ts';
export { checkText } from './compare/checks/check_text.ts';
export { checkTrace } from './compare/checks/check_trace.ts';
export { checks } from './compare/checks/index.ts';
export { type CompareOptions, compare } from './compare/compare.ts';
export type {
  Cause,
  Comparable,
  Comparison,
  Difference,
  DifferenceKind,
  Divergence,
  Isolation,
  Measure,
  TensorComparison,
  Tolerance,
  Verdict,
} from './compare/comparison.ts';
export { DetectionMatrix, type DetectionOptions, detectionMatrix } from './compare/detection_matrix.ts';
export { detectionText } from './compare/detection_text.ts';
export { determinism, firstUnstable, type Stability } from './compare/determinism.ts';
export { type Elimination, eliminate, type Seen } from './compare/eliminator.ts';
export { type LadderOptions, type PrecisionLadder, precisionLadder, type RungName } from './compare/ladder.ts';
export { mapped } from './compare/map/mapped.ts';
export { proposeMap } from './compare/map/propose.ts';
export { readMap, type TensorMap, writeMap } from './compare/map/tensor_map.ts';
export { type RerunOptions, rerun } from './compare/rerun.ts';
export { stabilityText, staleText } from './compare/stability_text.ts';
export { findStale, type Stale } from './compare/stale.ts';
export { defaultRules, type ToleranceRule, toleranceFor } from './compare/tolerances.ts';
export { fault, faultNamed, faults, type Page, pageOf } from './engine/faults/index.ts';
export { Model, type OpenOptions, openModelFrom, type StartOptions } from './engine/model.ts';
export type { GenerateOptions, Run, RunOptions, Sampled } from './engine/run.ts';
export { type OpCase, runOp } from './engine/run_op.ts';
export { type Drawn, Sampler, type SamplerOptions, type Stage } from './engine/sampler.ts';
export { type AttributionOptions, attribution } from './engine/transforms/attribution.ts';
export { type ChangeOptions, change } from './engine/transforms/change.ts';
export { type Edited, type EditFunction, type EditOptions, edit } from './engine/transforms/edit.ts';
export { f16Accumulation } from './engine/transforms/f16_accumulation.ts';
export { f16Storage } from './engine/transforms/f16_storage.ts';
export { ggmlArithmetic } from './engine/transforms/ggml_arithmetic.ts';
export { type LensOptions, lens } from './engine/transforms/lens.ts';
export { type PatchOptions, patch } from './engine/transforms/patch.ts';
export type { Transform } from './engine/transforms/transform.ts';
export * from './errors.ts';
export { bytesSource } from './gguf/bytes.ts';
export { type GgufFile, readGguf, type TensorInfo } from './gguf/reader.ts';
export type { LlamaConfig } from './llama/config.ts';
export { type Aliases, aliasesOf } from './llama/names.ts';
export { ops } from './ops/index.ts';
export type { Op, Params, Pass, Shape } from './ops/op.ts';
export type { Step } from './ops/step.ts';
export type { ByteSource, Gpu, KernelText, Platform, Progress, Watch } from './platform.ts';
export { createTokenizer, type Tokenizer } from './tokenizer/tokenizer.ts';
export { selects } from './trace/select.ts';
export { type Statistics, statisticsOf } from './trace/statistics.ts';
export { Tensor } from './trace/tensor.ts';
export type { Manifest, Trace, TraceRow } from './trace/trace.ts';
export { version } from './version.ts';
