/** A model: a GGUF file's weights and tokenizer, the list of steps that a pass runs, and the backend that runs it. */
import { createSHA256 } from 'hash-wasm';
import { StepError, UsageError } from '../errors.ts';
import { blockTypes } from '../gguf/blocks/index.ts';
import { type GgufFile, readGguf } from '../gguf/reader.ts';
import { type LlamaConfig, llamaConfig } from '../llama/config.ts';
import { forward } from '../llama/forward.ts';
import { NameIndex } from '../llama/names.ts';
import { checkWeights } from '../llama/weights.ts';
import type { Pass, Values } from '../ops/op.ts';
import { rowsOf, sizeOf } from '../ops/shape.ts';
import type { Step } from '../ops/step.ts';
import type { ByteSource, Platform, Watch } from '../platform.ts';
import { applyChat, type ChatMessage, chatTemplate, encodeChat } from '../tokenizer/chat.ts';
import { createTokenizer, type Tokenizer } from '../tokenizer/tokenizer.ts';
import { Tensor } from '../trace/tensor.ts';
import type { Manifest } from '../trace/trace.ts';
import { version } from '../version.ts';
import type { Backend } from './backend.ts';
import { referenceBackend } from './reference.ts';
import { DEFAULT_BUDGET, observedBy, Run, type RunOptions } from './run.ts';
import { type OpWeight, runOp } from './run_op.ts';
import { inputsOfKind, opOf, outputShapes } from './shapes.ts';
import type { Tokenize, TokenizeOptions, Transform } from './transforms/transform.ts';
import { partlyWritten } from './unwritten.ts';
import { mustGoOn, type Watched, watchedBy } from './watched.ts';
import { deviceContext, webgpuBackend } from './webgpu/backend.ts';
import { ggufWeights, hostWeight, type WeightInfo, type WeightSource, weightRows } from './weight_store.ts';

export interface OpenOptions {
  /** Where steps run. `reference` is f64 on the CPU: slow, and needs no GPU. Default 'webgpu'. */
  readonly backend?: 'webgpu' | 'reference';
}

export interface RunStepOptions extends OpenOptions {
  /** Position of the first token. Default: what a cache or the keys tell, else 0. RoPE alone needs to be told. */
  readonly nPast?: number;
}

export interface StartOptions extends RunOptions, TokenizeOptions {
  /** The text that given token ids came from, for the manifest; of a text it is that text. */
  readonly prompt?: string;
}

/** What a manifest tells beside the model and the tokens. */
export interface Origin extends Pick<StartOptions, 'prompt' | 'chat' | 'select' | 'statistics'> {
  /** When the run began; unless given, when the model was made ready for it. */
  readonly date?: Date;
  /** The backend's own word on how it runs; asked for unless given. */
  readonly plan?: Readonly<Record<string, unknown>>;
}

/** Opens a model from a byte source. `openModel` of the platform's package does this from a path. */
export async function openModelFrom(
  source: ByteSource,
  platform: Platform,
  { backend: backendName = 'webgpu' }: OpenOptions = {},
): Promise<Model> {
  const gguf = await readGguf(source);
  const config = llamaConfig(gguf);
  checkWeights(gguf, config);
  const weights = ggufWeights(gguf);
  const tokenizer = createTokenizer(gguf.metadata, source.name);
  const backend = await backendOf(backendName, platform, weights);
  return new Model({ gguf, config, weights, tokenizer, backend, platform, transforms: [], steps: forward(config) });
}

async function backendOf(name: 'webgpu' | 'reference', platform: Platform, weights: WeightSource): Promise<Backend> {
  return name === 'reference'
    ? referenceBackend(weights)
    : webgpuBackend(await platform.gpu(), platform.kernel, weights);
}

interface ModelParts {
  readonly gguf: GgufFile;
  readonly config: LlamaConfig;
  readonly weights: WeightSource;
  readonly tokenizer: Tokenizer;
  readonly backend: Backend;
  readonly platform: Platform;
  readonly transforms: readonly Transform[];
  readonly steps: readonly Step[];
}

export class Model {
  readonly config: LlamaConfig;
  readonly tokenizer: Tokenizer;
  /** Every step of a pass, in order. */
  readonly steps: readonly Step[];
  readonly #parts: ModelParts;
  #names: NameIndex | null = null;
  readonly #made: Date;

  constructor(parts: ModelParts) {
    this.#parts = parts;
    this.#made = parts.platform.now();
    this.config = parts.config;
    this.tokenizer = parts.tokenizer;
    this.steps = parts.steps;
  }

  /** The steps' names with their aliases. */
  get names(): NameIndex {
    this.#names ??= new NameIndex(this.steps.map(({ name }) => name));
    return this.#names;
  }

  /** `Model lily.gguf: 6 layers, 111 steps, on webgpu` */
  toString(): string {
    const { name, config, steps, backend } = this;
    return `Model ${name}: ${config.nLayer} layers, ${steps.length} steps, on ${backend.name}`;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  /** The file's name as it was opened. */
  get name(): string {
    return this.#parts.gguf.source.name;
  }

  get gguf(): GgufFile {
    return this.#parts.gguf;
  }

  get backend(): Backend {
    return this.#parts.backend;
  }

  get platform(): Platform {
    return this.#parts.platform;
  }

  /** The most tokens one pass of a text of `nKeys` tokens takes; longer ones take several passes. */
  maxPassTokens(nKeys: number): number {
    const { nHead, nVocab, nFf, nEmbd } = this.config;
    const keys = 256 * Math.ceil(nKeys / 256);
    return this.backend.maxPassTokens(Math.max(nHead * keys, nVocab, nFf, nEmbd));
  }

  /** Token ids of a text. */
  tokenize(text: string, options: TokenizeOptions = {}): number[] {
    const tokenize = this.#parts.transforms.reduce<Tokenize>(
      (before, transform) => transform.tokenize?.(before, this.tokenizer) ?? before,
      (plain, how) => this.#tokenize(plain, how),
    );
    return tokenize(text, options);
  }

  #tokenize(text: string, { bos, chat = false }: TokenizeOptions): number[] {
    if (!chat) return this.tokenizer.encode(text, bos === undefined ? {} : { bos });
    const messages: ChatMessage[] = [{ role: 'user', content: text }];
    const prompt = applyChat(this.gguf.metadata, this.name, messages);
    return bos === undefined ? encodeChat(this.tokenizer, prompt) : this.tokenizer.encode(prompt, { bos });
  }

  detokenize(ids: Iterable<number>): string {
    return this.tokenizer.decode(ids, { special: true });
  }

  /** Type and shape of a weight by its GGUF name, of those that transforms add as well; undefined where there is none. */
  weightInfo(name: string): WeightInfo | undefined {
    return this.#parts.weights.info(name);
  }

  /** Any weight, dequantised to f32, by its GGUF name; of a matrix only rows `[start, end)` where they are given. */
  async weight(
    name: string,
    { rows }: { readonly rows?: readonly [start: number, end: number] } = {},
  ): Promise<Tensor> {
    const { gguf, weights } = this.#parts;
    const info = weights.info(name);
    if (!info) {
      const near = [...gguf.tensors.keys()]
        .filter((known) => known.includes(name.replace(/\.weight$/, '')))
        .slice(0, 3);
      throw new StepError(
        `Cannot read weight ${name}: ${this.name} has no tensor of that name; ` +
          `${near.length > 0 ? `it has ${near.join(', ')}` : 'names look like blk.0.attn_q.weight'}`,
        { tensor: name, file: this.name },
      );
    }
    const dims = info.shape.length === 2 ? ['row', 'column'] : info.shape.map((_, i) => `axis${i}`);
    const nRows = rowsOf(info.shape);
    const [start, end] = rows ?? [0, nRows];
    if (!(Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end && end <= nRows)) {
      throw new StepError(`Cannot read rows ${start} to ${end} of weight ${name}: it has rows 0 to ${nRows}`, {
        tensor: name,
        file: this.name,
      });
    }
    const data = await weightRows(weights, info, start, end - start);
    const shape = rows && info.shape.length > 1 ? [end - start, info.shape.at(-1) as number] : info.shape;
    return new Tensor({ name, shape, dims: shape.length === dims.length ? dims : ['row', 'column'], data });
  }

  /**
   * Runs one step alone on given inputs, by role: tensors, a cache slot's whole content, or token ids; weights and edits are
   * the model's. Throws StepError where the inputs do not fit.
   */
  async runStep(
    name: string,
    inputs: Readonly<Record<string, Tensor | readonly number[]>>,
    { backend = this.backend.name, nPast }: RunStepOptions = {},
  ): Promise<Tensor> {
    const ours = this.names.resolve(name, 'run');
    const step = this.steps.find((known) => known.name === ours)!;
    const op = opOf(step);
    const weights: Record<string, OpWeight> = {};
    for (const [role, weight] of inputsOfKind(op, step, 'weight')) {
      weights[role] = await hostWeight(this.#parts.weights, weight);
    }
    const tensors: Record<string, Values> = Object.fromEntries(
      Object.entries(inputs).map(([role, input]) => [
        role,
        input instanceof Tensor ? input : { shape: [input.length], data: Float64Array.from(input) },
      ]),
    );
    const { platform } = this.#parts;
    const where = backend === 'reference' ? backend : deviceContext(await platform.gpu(), platform.kernel);
    const pass = { ...passOf(step, this.steps, tensors), ...(nPast === undefined ? {} : { nPast }) };
    const { cached, unwritten, params } = step;
    if (cached) {
      for (const [role] of inputsOfKind(op, step, 'cache')) {
        const slot = tensors[role];
        if (slot) tensors[role] = asFound(slot, (position) => cached(position, pass));
      }
    }
    const { shape, data: computed } = await runOp(op, { tensors, weights, params, pass }, where);
    const whole = Float32Array.from(computed);
    const output = { shape, data: unwritten ? partlyWritten(unwritten, whole) : whole };
    const data = step.edit ? await step.edit(output, pass) : output.data;
    return new Tensor({ name: step.name, shape, dims: step.dims, data });
  }

  /** The same file and steps on a backend of its own; itself where it runs there already. Closing one closes the file of both. */
  async on(backend: 'webgpu' | 'reference'): Promise<Model> {
    const { platform, weights } = this.#parts;
    if (this.backend.name === backend) return this;
    return new Model({ ...this.#parts, backend: await backendOf(backend, platform, weights) });
  }

  /** The model without its transforms. */
  get untransformed(): Model {
    return this.#parts.transforms.length === 0
      ? this
      : new Model({ ...this.#parts, transforms: [], steps: forward(this.config) });
  }

  /** The same model with other steps; weights and device memory are shared. */
  with(...transforms: readonly Transform[]): Model {
    const { config, tokenizer } = this;
    let { steps, weights, backend } = this.#parts;
    const weightType = (name: string) => weights.info(name)?.type;
    const all = [...this.#parts.transforms];
    for (const transform of transforms) {
      steps = transform.apply(steps, config, tokenizer, weightType, all);
      weights = transform.weights?.(weights, config) ?? weights;
      all.push(transform);
    }
    if (weights !== this.#parts.weights) backend = backend.over(weights);
    return new Model({ ...this.#parts, transforms: all, steps, weights, backend });
  }

  /** How many tensors a trace of these tokens holds, and how many values of those that `select` picks. */
  traceSize(
    tokens: readonly number[],
    select: string | readonly string[] = 'all',
  ): { tensors: number; values: number } {
    const chosen = this.names.select(select);
    let values = 0;
    let passes = 0;
    const most = this.maxPassTokens(tokens.length);
    for (let nPast = 0; nPast < tokens.length; nPast += most, passes++) {
      const pass = { nPast, nTokens: Math.min(most, tokens.length - nPast) };
      const shapes = outputShapes(this.steps, pass, (name) => this.#parts.weights.info(name)?.shape);
      for (const { name } of this.steps) {
        if (chosen.has(name)) values += sizeOf(shapes.get(name) ?? []);
      }
    }
    return { tensors: passes * this.steps.length, values };
  }

  /** Begins a run over a text or token ids. Nothing is computed until it is moved. */
  start(input: string | readonly number[], options: StartOptions = {}): Run {
    const tokens = typeof input === 'string' ? this.tokenize(input, options) : input;
    this.checkTokens(tokens);
    const { budget = DEFAULT_BUDGET } = options;
    if (!(budget >= 0)) throw new UsageError(`Cannot keep values within a budget ${budget}: it is a number of bytes`);
    const session = this.backend.session(budget, options.fill);
    const prompt = typeof input === 'string' ? input : options.prompt;
    return new Run(this, tokens, session, { ...options, prompt, date: this.platform.now() });
  }

  /** Throws UsageError where a run over these tokens cannot begin. */
  checkTokens(tokens: readonly number[]): void {
    const { nVocab, nCtx } = this.config;
    if (tokens.length === 0) {
      throw new UsageError(`Cannot run ${this.name}: the prompt is empty; give some text, or let it begin with BOS`);
    }
    if (tokens.length > nCtx) {
      throw new UsageError(
        `Cannot run ${this.name}: the prompt is ${tokens.length} tokens long; the model's context is ${nCtx}. Shorten the prompt`,
      );
    }
    const wrong = tokens.find((token) => !Number.isInteger(token) || token < 0 || token >= nVocab);
    if (wrong !== undefined) {
      throw new UsageError(`Cannot run ${this.name}: ${wrong} is not a token id; ids go from 0 to ${nVocab - 1}`);
    }
  }

  /** What makes an experiment this one and no other. Holds the file's sha256 once `sha256()` was awaited. */
  manifest(tokens: readonly number[], { prompt, chat, date, plan, ...watched }: Origin = {}): Manifest {
    const { backend, transforms, gguf } = this.#parts;
    const observed = () => observedBy(this.names, watched);
    const sha256 = digests.get(gguf.source);
    const types = new Set([...gguf.tensors.values()].map(({ type }) => type));
    return {
      producer: 'layerscope',
      version,
      file: this.name,
      architecture: 'llama',
      quantisation: [...types].filter((type) => type in blockTypes).join(' '),
      ...(sha256 ? { model: sha256 } : {}),
      ...(prompt === undefined ? {} : { prompt }),
      ...(chat ? { template: chatTemplate(gguf.metadata, this.name) } : {}),
      tokens: [...tokens],
      pieces: tokens.map((token) => this.tokenizer.piece(token)),
      bos: tokens[0] === this.tokenizer.bos,
      backend: backend.name,
      adapter: backend.adapter,
      plan: plan ?? backend.plan(this.steps, observed()),
      precision: backend.name === 'reference' ? 'f64' : 'f32',
      transforms: transforms.map(({ name, params }) => ({ name, params })),
      date: (date ?? this.#made).toISOString(),
    };
  }

  /** sha256 of the whole model file, 64 hexadecimal digits; read once, then part of every manifest. */
  async sha256(watch: Watch = {}): Promise<string> {
    const { source } = this.gguf;
    const known = digests.get(source) ?? (await fileSha256(source, watchedBy(this.platform, watch)));
    digests.set(source, known);
    return known;
  }

  /** Gives the weights' device memory back and closes the file. Close its runs first. */
  async close(): Promise<void> {
    await this.backend.close();
    await this.gguf.source.close();
  }
}

/** The pass that given inputs belong to: as many tokens as they hold, after as many as a cache holds before them. */
function passOf(step: Step, steps: readonly Step[], inputs: Readonly<Record<string, Values>>): Pass {
  let nTokens = 1;
  let nKeys: number | undefined;
  const { inputs: rules } = opOf(step);
  for (const [role, { shape }] of Object.entries(inputs)) {
    if (rules[role]?.kind === 'cache') nKeys = shape[0];
    else {
      const dims = steps.find(({ name }) => name === step.inputs[role])?.dims ?? ['token'];
      nTokens = shape[dims.indexOf('token')] ?? nTokens;
      if (dims.includes('key')) nKeys ??= shape[dims.indexOf('key')];
    }
  }
  return { nTokens, nPast: (nKeys ?? nTokens) - nTokens };
}

/** A cache slot in which the row of each position is that of the position which `cached` gives. */
function asFound({ shape, data }: Values, cached: (position: number) => number): Values {
  const width = sizeOf(shape.slice(1));
  const from = (i: number) => cached(Math.floor(i / width)) * width + (i % width);
  return { shape, data: Float64Array.from(data, (_, i) => data[from(i)]!) };
}

/** sha256 of files that were read for it: a model and those made of it by `with` have one. */
const digests = new WeakMap<ByteSource, string>();

/** Bytes that are hashed at a time. */
const HASHED_BYTES = 4 * 2 ** 20;

async function fileSha256(source: ByteSource, { stop, onProgress }: Watched): Promise<string> {
  const { name, size: total } = source;
  const hash = await createSHA256();
  for (let done = 0; done < total; ) {
    mustGoOn(stop, `read ${name} for its sha256`, 'ask for it again');
    const piece = await source.read(done, Math.min(HASHED_BYTES, total - done));
    hash.update(piece);
    done += piece.byteLength;
    onProgress?.({ task: "reading the model's file for its sha256", item: name, done, total, unit: 'bytes' });
  }
  return hash.digest('hex');
}
