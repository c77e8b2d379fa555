/** Text ↔ token ids by llama.cpp's own tokenizer. Runs in the child process. */
import type { Native, Pointer } from './native.ts';
import type { Session } from './session.ts';

export interface TokenizeOptions {
  /** Adds BOS and EOS as the model's metadata say. Default true. */
  readonly addSpecial?: boolean;
  /** Reads special tokens' texts as those tokens. Default true. */
  readonly parseSpecial?: boolean;
}

export function tokenizeAll(session: Session, texts: readonly string[], options: TokenizeOptions): Int32Array[] {
  const { native, vocab } = session;
  const encoder = new TextEncoder();
  return texts.map((text) => {
    const bytes = encoder.encode(text);
    const room = bytes.length + 16;
    return filled(Int32Array, room, (ids) =>
      native.llama_tokenize(
        vocab,
        bytes,
        bytes.length,
        ids,
        ids.length,
        options.addSpecial ?? true,
        options.parseSpecial ?? true,
      ),
    );
  });
}

/** The bytes of each token; a part of a character is a piece too, hence bytes. */
export function pieceBytes(session: Session, ids: readonly number[]): Uint8Array[] {
  session.checkIds(ids);
  const { native, vocab } = session;
  return ids.map((id) => pieceOf(native, vocab, id));
}

function pieceOf(native: Native, vocab: Pointer, id: number): Uint8Array {
  return filled(Uint8Array, 64, (buffer) => native.llama_token_to_piece(vocab, id, buffer, buffer.length, 0, true));
}

export interface DetokenizeOptions {
  /** Leaves BOS and EOS out. Default false. */
  readonly removeSpecial?: boolean;
  /** Writes special tokens as their text. Default true. */
  readonly unparseSpecial?: boolean;
}

export function detokenize(session: Session, ids: readonly number[], options: DetokenizeOptions): string {
  if (ids.length === 0) return '';
  session.checkIds(ids);
  const { native, vocab } = session;
  const bytes = filled(Uint8Array, 8 * ids.length + 64, (text) =>
    native.llama_detokenize(
      vocab,
      Int32Array.from(ids),
      ids.length,
      text,
      text.length,
      options.removeSpecial ?? false,
      options.unparseSpecial ?? true,
    ),
  );
  return new TextDecoder().decode(bytes);
}

/** What `fill` wrote. llama.cpp returns how many it wrote or, negated, how many it has where there is too little room. */
function filled<A extends Int32Array | Uint8Array>(
  Type: new (length: number) => A,
  room: number,
  fill: (target: A) => number,
): A {
  const target = new Type(room);
  const written = fill(target);
  if (written >= 0) return target.slice(0, written) as A;
  const larger = new Type(-written);
  return larger.slice(0, fill(larger)) as A;
}
