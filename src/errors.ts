/**
 * The errors a user can meet. Each message starts "Cannot <do> <thing>:", says what was found, what was wanted and
 * the cure; the fields say where, so that a program can act on it too.
 */

/** Where a failure happened: any of a file, a tensor, a step. */
export interface Place {
  readonly file?: string;
  readonly tensor?: string;
  readonly step?: string;
  readonly cause?: unknown;
}

/** The base of every error that Layerscope throws on purpose. */
export class LayerscopeError extends Error {
  override readonly name: string = 'LayerscopeError';
  readonly file: string | undefined;
  readonly tensor: string | undefined;
  readonly step: string | undefined;

  constructor(message: string, place: Place = {}) {
    super(message, place.cause === undefined ? undefined : { cause: place.cause });
    this.file = place.file;
    this.tensor = place.tensor;
    this.step = place.step;
  }
}

/** The command line or an argument is wrong; the CLI exits with 2. */
export class UsageError extends LayerscopeError {
  override readonly name = 'UsageError';
}

/** A GGUF file is broken, hostile, or of a kind that is not supported; `file` is always set. */
export class GgufError extends LayerscopeError {
  override readonly name = 'GgufError';
}

/** The model cannot be run: another architecture, a missing or misshapen weight. */
export class ModelError extends LayerscopeError {
  override readonly name = 'ModelError';
}

/** Text cannot be turned into tokens, or tokens into text. */
export class TokenizerError extends LayerscopeError {
  override readonly name = 'TokenizerError';
}

/** A step cannot run, or a name is not a step of this run. */
export class StepError extends LayerscopeError {
  override readonly name = 'StepError';
}

/** A trace cannot be read or written, or does not hold what was asked for. */
export class TraceError extends LayerscopeError {
  override readonly name = 'TraceError';
}

/** The GPU is missing, too small, or was lost. */
export class DeviceError extends LayerscopeError {
  override readonly name = 'DeviceError';
}

/** The run was stopped by its AbortSignal; what was computed before stays readable. */
export class InterruptedError extends LayerscopeError {
  override readonly name = 'InterruptedError';
}

/** A notebook, one of its cells or its kernel cannot be read, run or installed. */
export class NotebookError extends LayerscopeError {
  override readonly name = 'NotebookError';
}
