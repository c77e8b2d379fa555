/**
 * Whether what an Arrow file claims can be true. apache-arrow believes it: one wrong bit can make a list of fields 2^31
 * long, and decoding then takes memory until the process dies. So before it decodes a footer or the head of a batch, its
 * lists are followed here and held against the bytes there are.
 *
 * Both are flatbuffers: a table is an offset back to its slots; a slot has a field's offset from the table, or 0.
 * Slots are those of Footer, Schema, Field, Message and RecordBatch in Arrow's format/*.fbs.
 */

/** Bytes of a FieldNode or Buffer in a RecordBatch, and of a Block in a Footer. */
const NODE_BYTES = 16;
const BLOCK_BYTES = 24;
const REFERENCE_BYTES = 4;

/** Throws RangeError where a list in the footer is longer than the footer. */
export function checkFooter(bytes: Uint8Array): void {
  const claims = new Claims(bytes);
  const footer = claims.root(0);
  claims.list(footer, 8, BLOCK_BYTES);
  claims.list(footer, 10, BLOCK_BYTES);
  claims.schema(claims.table(footer, 6));
}

/** Throws RangeError where a list in a stream's schema message is longer than the message. */
export function checkSchema(bytes: Uint8Array): void {
  const claims = new Claims(bytes);
  claims.schema(claims.table(claims.message(), 8));
}

/** Throws RangeError where a list in a record batch's head, or its number of rows, is longer than its bytes, or they are compressed. */
export function checkBatch(bytes: Uint8Array, bodyBytes: number): void {
  const claims = new Claims(bytes);
  const message = claims.message();
  const batch = claims.table(message, 8);
  claims.list(message, 12, REFERENCE_BYTES);
  claims.list(batch, 6, NODE_BYTES);
  claims.list(batch, 8, NODE_BYTES);
  claims.list(batch, 12, 8);
  const rows = claims.int64(batch, 4);
  if (claims.has(batch, 10)) throw new RangeError('it is compressed, which is not supported');
  // `seq` alone takes four bytes of each row.
  if (rows < 0 || 4 * rows > bodyBytes) throw new RangeError(`${rows} rows in ${bodyBytes} bytes`);
}

class Claims {
  readonly #view: DataView;
  /** Fields seen: more than there are bytes means that they contain each other. */
  #fields = 0;

  constructor({ buffer, byteOffset, byteLength }: Uint8Array) {
    this.#view = new DataView(buffer, byteOffset, byteLength);
  }

  int32(at: number): number {
    return this.#view.getInt32(at, true);
  }

  int64(table: number, slot: number): number {
    const at = this.#field(table, slot);
    return at === 0 ? 0 : Number(this.#view.getBigInt64(at, true));
  }

  /** Since format 0.15 a message begins with -1, then its length. */
  message(): number {
    return this.root(this.int32(0) === -1 ? 8 : 4);
  }

  schema(table: number): void {
    this.list(table, 8, REFERENCE_BYTES);
    this.tables(table, 6, (field) => this.field(field));
  }

  root(at: number): number {
    return at + this.int32(at);
  }

  has(table: number, slot: number): boolean {
    return this.#field(table, slot) !== 0;
  }

  /** Where the table in a slot begins. */
  table(parent: number, slot: number): number {
    const at = this.#field(parent, slot);
    if (at === 0) throw new RangeError('a part of it is missing');
    return this.root(at);
  }

  /** Where the list in a slot begins and how many elements it has, none where the slot is empty. */
  list(table: number, slot: number, elementBytes: number): { at: number; length: number } {
    const field = this.#field(table, slot);
    if (field === 0) return { at: 0, length: 0 };
    const at = this.root(field);
    const length = this.int32(at);
    if (length < 0 || at + 4 + length * elementBytes > this.#view.byteLength) {
      throw new RangeError(`it claims a list of ${length} in ${this.#view.byteLength} bytes`);
    }
    return { at: at + 4, length };
  }

  tables(table: number, slot: number, visit: (table: number) => void): void {
    const { at, length } = this.list(table, slot, REFERENCE_BYTES);
    for (let i = 0; i < length; i++) visit(this.root(at + REFERENCE_BYTES * i));
  }

  /** A column or a list's item, with all below it. */
  field(table: number): void {
    this.#fields++;
    if (this.#fields > this.#view.byteLength) throw new RangeError('its columns contain each other');
    this.list(table, 16, REFERENCE_BYTES);
    this.tables(table, 14, (child) => this.field(child));
  }

  /** Where a slot's field is, or 0. */
  #field(table: number, slot: number): number {
    const slots = table - this.int32(table);
    if (slot >= this.#view.getUint16(slots, true)) return 0;
    const offset = this.#view.getUint16(slots + slot, true);
    return offset === 0 ? 0 : table + offset;
  }
}
