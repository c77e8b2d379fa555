/**
 * Cells and what comes of them, without a transport: what the Jupyter kernel, the headless runner and the lab each drive.
 * Outputs are Jupyter's messages as plain data, in the order in which the cell gave them.
 */

/** One value in several forms: MIME type → text, JSON, or base64 for what is binary. */
export type MimeBundle = Readonly<Record<string, unknown>>;

export interface Shown {
  readonly data: MimeBundle;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface StreamOutput {
  readonly type: 'stream';
  readonly name: 'stdout' | 'stderr';
  readonly text: string;
}

export interface DisplayOutput extends Shown {
  readonly type: 'display_data';
  /** By which it can be updated; null where it cannot. */
  readonly displayId: string | null;
}

export interface UpdateOutput extends Shown {
  readonly type: 'update_display_data';
  readonly displayId: string;
}

export interface ClearOutput {
  readonly type: 'clear_output';
  /** Clear only when the next output comes, so that nothing flickers. */
  readonly wait: boolean;
}

export interface ResultOutput extends Shown {
  readonly type: 'execute_result';
  readonly executionCount: number;
}

export interface ErrorOutput {
  readonly type: 'error';
  /** The error's name: `TypeError`. */
  readonly ename: string;
  readonly evalue: string;
  /** Lines to show, with ANSI colours; what was thrown, and where in the cells. */
  readonly traceback: readonly string[];
}

export type CellOutput = StreamOutput | DisplayOutput | UpdateOutput | ClearOutput | ResultOutput | ErrorOutput;

export interface CellReply {
  readonly status: 'ok' | 'error';
  readonly executionCount: number;
  /** Set where status is `error`; it was among the outputs too. */
  readonly error: ErrorOutput | null;
}

export interface CellsOptions {
  /** The notebook's folder. */
  readonly cwd: string;
  /** Where models run that cells open without a word on it; WebGPU unless LAYERSCOPE_BACKEND says otherwise. */
  readonly backend?: 'webgpu' | 'reference' | undefined;
}

/** Where cells run, one at a time, each seeing the variables of those before. */
export interface Cells {
  /** Runs a cell; resolves when it is done and all its output was given. Never rejects for what the cell does. */
  execute(code: string, onOutput: (output: CellOutput) => void): Promise<CellReply>;
  /** Stops the running cell; it ends with an error. Variables stay. */
  interrupt(): Promise<void>;
  /** A fresh start: variables are gone, counting begins at 1. */
  restart(): Promise<void>;
  close(): Promise<void>;
}
