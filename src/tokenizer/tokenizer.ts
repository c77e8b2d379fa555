/**
 * Text ↔ tokens, from a GGUF file's own metadata: the same ids as llama.cpp gives on any text, and the text back without
 * loss, but for U+2581, which SPM cannot tell from a space.
 */

import { TokenizerError } from '../errors.ts';
import { bpeEncoder } from './bpe.ts';
import { shownBytes, type TextStream, textStream, tokenBytes } from './decode.ts';
import { specialPartition } from './special.ts';
import { byteText, spmEncoder } from './spm.ts';
import { type Metadata, readVocab, TokenType, type Vocab } from './vocab.ts';

export interface EncodeOptions {
  /** Begin with BOS. Where it is not said the model's metadata decides, about BOS and EOS both. */
  readonly bos?: boolean;
  /** End with EOS. */
  readonly eos?: boolean;
  /** Read `<s>` and the like as the tokens they spell, rather than as text. Default true. */
  readonly special?: boolean;
}

export interface DecodeOptions {
  /** Keep control tokens such as `</s>` in the text. Default false. */
  readonly special?: boolean;
  /** Keep the space that an SPM model puts before text, so that pieces of a longer text can be joined. Default false. */
  readonly prefix?: boolean;
}

export interface Tokenizer {
  readonly kind: 'spm' | 'bpe';
  readonly vocabSize: number;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  /** End of turn, in chat models. */
  readonly eot: number | undefined;
  /** Tokens that end an answer: EOS, end of turn, and the like. */
  readonly ends: ReadonlySet<number>;
  /** Whether text begins with BOS by the model's own rule. */
  readonly addBos: boolean;

  /** Token ids of a text. A lone surrogate is read as U+FFFD. */
  encode(text: string, options?: EncodeOptions): number[];
  /** The text of tokens: bytes joined first, then read as UTF-8, with U+FFFD for what is none. */
  decode(ids: Iterable<number>, options?: DecodeOptions): string;
  /** Decodes token by token, for generation; pieces are joined as they are, with no space taken away. */
  stream(options?: Pick<DecodeOptions, 'special'>): TextStream;
  /** A token to show: spaces as spaces, bytes that are no whole character as `<0xE3>`. */
  piece(id: number): string;
  /** The bytes that a token stands for; those of its spelling if it is special. (For unused tokens llama.cpp gives none.) */
  pieceBytes(id: number): Uint8Array;
  /** Whether a token is control or unknown: no part of the text. */
  isSpecial(id: number): boolean;
}

/** Text as UTF-8 can hold it. */
const wellFormed = (text: string) => text.replace(/\p{Surrogate}/gu, '\uFFFD');

/** Whether llama.cpp cuts text at this token before it looks at anything else. */
const isCut = (vocab: Vocab, id: number) => {
  const type = vocab.types[id];
  return type === TokenType.control || type === TokenType.unknown || type === TokenType.userDefined;
};

function encoder(vocab: Vocab): (text: string, options: EncodeOptions) => number[] {
  const partition = specialPartition(vocab);
  const encodeText = vocab.pre === undefined ? spmEncoder(vocab) : bpeEncoder(vocab, vocab.pre);
  const prefix = vocab.kind === 'spm' && vocab.addSpacePrefix ? ' ' : '';

  return (text, options) => {
    const { bos = vocab.addBos, eos = options.bos === undefined && vocab.addEos, special = true } = options;
    const ids: number[] = bos ? [wanted(vocab, 'bos')] : [];
    let isAfterCut = true;
    for (const fragment of partition(wellFormed(text), special)) {
      if (typeof fragment === 'number') ids.push(fragment);
      else for (const id of encodeText((isAfterCut ? prefix : '') + fragment)) ids.push(id);
      isAfterCut = typeof fragment === 'number';
    }
    if (eos) ids.push(wanted(vocab, 'eos'));
    return ids;
  };
}

function wanted(vocab: Vocab, name: 'bos' | 'eos'): number {
  const id = vocab[name];
  if (id !== undefined) return id;
  throw new TokenizerError(
    `Cannot add ${name.toUpperCase()}: ${vocab.file} has no tokenizer.ggml.${name}_token_id; leave out ${name}: true`,
    { file: vocab.file },
  );
}

function decoder(vocab: Vocab, bytesOf: (id: number) => Uint8Array) {
  const putsSpace = vocab.kind === 'spm' && vocab.addSpacePrefix;
  return (ids: Iterable<number>, { special = false, prefix = false }: DecodeOptions): string => {
    const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
    let text = '';
    let isAfterCut = true;
    for (const id of ids) {
      const bytes = bytesOf(id);
      const isCutHere = isCut(vocab, id);
      const skipsSpace = putsSpace && !prefix && isAfterCut && !isCutHere && bytes[0] === 0x20;
      if (special || !isSpecial(vocab, id))
        text += utf8.decode(skipsSpace ? bytes.subarray(1) : bytes, { stream: true });
      isAfterCut = isCutHere;
    }
    return text + utf8.decode();
  };
}

const isSpecial = (vocab: Vocab, id: number) =>
  vocab.types[id] === TokenType.control || vocab.types[id] === TokenType.unknown;

/**
 * The tokenizer of a GGUF file.
 *
 * @param metadata the file's metadata by key
 * @param file what errors call it
 * @throws TokenizerError where the metadata is missing, broken, or of a kind that is not supported
 */
export function createTokenizer(metadata: Metadata, file: string): Tokenizer {
  const vocab = readVocab(metadata, file);
  const bytesOf = tokenBytes(vocab);
  const encode = encoder(vocab);
  const decode = decoder(vocab, bytesOf);
  const { kind, bos, eos, eot, ends, addBos } = vocab;
  return {
    ...{ kind, bos, eos, eot, ends, addBos },
    vocabSize: vocab.texts.length,
    encode: (text, options = {}) => encode(text, options),
    decode: (ids, options = {}) => decode(ids, options),
    stream: ({ special = false } = {}) =>
      textStream((id) => (special || !isSpecial(vocab, id) ? bytesOf(id) : new Uint8Array())),
    piece: (id) => {
      const bytes = bytesOf(id);
      return vocab.types[id] === TokenType.byte ? byteText(bytes[0] as number) : shownBytes(bytes);
    },
    pieceBytes: bytesOf,
    isSpecial: (id) => isSpecial(vocab, id),
  };
}
