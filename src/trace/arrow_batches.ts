/**
 * An Arrow IPC file or stream by the batch. apache-arrow decodes footer, schema and batches. Reading by range is ours: its
 * own file reader takes only Node's file handles, fetches lengths four bytes at a time, and trusts what they say.
 */
import { Message, MessageHeader, type RecordBatch, RecordBatchReader, Schema } from 'apache-arrow';
import { type FileBlock, Footer } from 'apache-arrow/ipc/metadata/file';
import { TraceError } from '../errors.ts';
import type { ByteSource } from '../platform.ts';
import { checkBatch, checkFooter, checkSchema } from './arrow_claims.ts';

const MAGIC = 'ARROW1';
/** Footer length and magic. */
const TAIL_BYTES = 10;
/** Magic, padding, footer length, magic. */
const LEAST_BYTES = 8 + TAIL_BYTES;
/** What a message of a stream begins with: -1, and the length of its head. */
const PREFIX_BYTES = 8;

/** An Arrow file's schema, and its batches by range. */
export class BatchFile {
  readonly source: ByteSource;
  readonly schema: Schema;
  readonly #blocks: readonly FileBlock[];
  /** Decoded before every batch: the schema, and dictionaries where another program wrote some. */
  readonly #preamble: readonly Uint8Array[];

  private constructor(source: ByteSource, schema: Schema, blocks: readonly FileBlock[], preamble: Uint8Array[]) {
    this.source = source;
    this.schema = schema;
    this.#blocks = blocks;
    this.#preamble = preamble;
  }

  static async open(source: ByteSource): Promise<BatchFile> {
    const footer = await readFooter(source);
    const { schema } = footer;
    const { blocks, dictionaries } = decoded(source.name, 'its footer', () => ({
      blocks: [...footer.recordBatches()],
      dictionaries: [...footer.dictionaryBatches()],
    }));
    for (const block of [...blocks, ...dictionaries]) mustBeInside(block, source);
    const preamble = [schemaMessage(schema)];
    for (const block of dictionaries) preamble.push(await readBlock(source, block));
    return new BatchFile(source, schema, blocks, preamble);
  }

  /** A stream has no footer: its messages are followed from head to head. */
  static async openStream(source: ByteSource): Promise<BatchFile> {
    let schema: Schema | undefined;
    const blocks: FileBlock[] = [];
    const preamble: Uint8Array[] = [];
    for (let at = 0; at < source.size; ) {
      const message = await readHead(source, at);
      if (!message) break;
      const { block, bytes, head } = message;
      if (head.headerType === MessageHeader.Schema) {
        schema = decoded(source.name, 'its schema', () => {
          checkSchema(bytes);
          return head.header() as Schema;
        });
        preamble.unshift(schemaMessage(schema));
      } else if (head.headerType === MessageHeader.DictionaryBatch) preamble.push(await readBlock(source, block));
      else blocks.push(block);
      at = block.offset + block.metaDataLength + block.bodyLength;
    }
    if (!schema) throw broken(source.name, 'it is an Arrow stream without a schema');
    return new BatchFile(source, schema, blocks, preamble);
  }

  /** Whether it has a column. */
  has(column: string): boolean {
    return this.schema.fields.some(({ name }) => name === column);
  }

  get count(): number {
    return this.#blocks.length;
  }

  async batch(index: number): Promise<RecordBatch> {
    const block = this.#blocks[index] as FileBlock;
    const bytes = await readBlock(this.source, block);
    return decoded(this.source.name, `batch ${index}`, () => {
      checkBatch(bytes.subarray(0, block.metaDataLength), block.bodyLength);
      const reader = RecordBatchReader.from([...this.#preamble, bytes]);
      const { value } = reader.next();
      if (!value || value.numCols !== this.schema.fields.length) throw new Error('it holds no record batch');
      return value;
    });
  }
}

async function readFooter(source: ByteSource): Promise<Footer> {
  const { name, size } = source;
  if (size < LEAST_BYTES) throw broken(name, `it has ${size} bytes, less than the shortest Arrow file`);
  const head = await source.read(0, MAGIC.length);
  if (textOf(head) !== MAGIC) throw broken(name, 'it is no Arrow IPC file: it does not begin with ARROW1');
  const tail = await source.read(size - TAIL_BYTES, TAIL_BYTES);
  if (textOf(tail.subarray(4)) !== MAGIC) {
    throw broken(name, 'it is cut short or still being written: it does not end with ARROW1');
  }
  const length = new DataView(tail.buffer, tail.byteOffset).getInt32(0, true);
  if (length <= 0 || length > size - LEAST_BYTES) {
    throw broken(name, `its footer claims ${length} bytes of the file's ${size}`);
  }
  const bytes = await source.read(size - TAIL_BYTES - length, length);
  return decoded(name, 'its footer', () => {
    checkFooter(bytes);
    return Footer.decode(bytes);
  });
}

/** The message that begins at a place of a stream; null where its end is marked, by a length of 0. */
async function readHead(source: ByteSource, offset: number) {
  const { name, size } = source;
  if (offset + PREFIX_BYTES > size) throw broken(name, 'it is cut short: it ends within a message');
  const prefix = await source.read(offset, PREFIX_BYTES);
  const view = new DataView(prefix.buffer, prefix.byteOffset);
  const length = view.getInt32(4, true);
  if (view.getInt32(0, true) !== -1) throw broken(name, `no message of Arrow begins at byte ${offset}`);
  if (length === 0) return null;
  if (length < 0 || offset + PREFIX_BYTES + length > size) {
    throw broken(name, `the message at byte ${offset} claims ${length} bytes of the file's ${size}`);
  }
  const bytes = await source.read(offset, PREFIX_BYTES + length);
  const head = decoded(name, `the message at byte ${offset}`, () => Message.decode(bytes.subarray(PREFIX_BYTES)));
  const block = { offset, metaDataLength: PREFIX_BYTES + length, bodyLength: head.bodyLength };
  if (block.bodyLength < 0 || offset + block.metaDataLength + block.bodyLength > size) {
    throw broken(name, `the batch at byte ${offset} claims ${block.bodyLength} bytes of the file's ${size}`);
  }
  return { block, bytes, head };
}

function mustBeInside({ offset, metaDataLength, bodyLength }: FileBlock, { name, size }: ByteSource): void {
  const isInside = offset >= 8 && metaDataLength > 0 && bodyLength >= 0 && offset + metaDataLength + bodyLength <= size;
  if (isInside) return;
  throw broken(name, `a batch claims bytes ${offset} to ${offset + metaDataLength + bodyLength} of the file's ${size}`);
}

function readBlock(source: ByteSource, { offset, metaDataLength, bodyLength }: FileBlock): Promise<Uint8Array> {
  return source.read(offset, metaDataLength + bodyLength);
}

/** The schema as the message with which a stream begins; without metadata, which each decoding would parse again. */
function schemaMessage({ fields }: Schema): Uint8Array {
  const message = Message.encode(Message.from(new Schema(fields)));
  const length = 8 * Math.ceil(message.byteLength / 8);
  const bytes = new Uint8Array(PREFIX_BYTES + length);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, -1, true);
  view.setInt32(4, length, true);
  bytes.set(message, PREFIX_BYTES);
  return bytes;
}

export function cellOf(batch: RecordBatch, row: number, column: string): unknown {
  return batch.getChild(column)?.get(row) ?? null;
}

/** What `decode` gives; whatever it throws, be it of a decoder that met nonsense, becomes a TraceError. */
export function decoded<T>(file: string, what: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    throw broken(file, `${what} cannot be decoded (${cause instanceof Error ? cause.message : cause})`, cause);
  }
}

export function broken(file: string, found: string, cause?: unknown): TraceError {
  return new TraceError(`Cannot read the trace ${file}: ${found}; write or copy it again`, { file, cause });
}

function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
