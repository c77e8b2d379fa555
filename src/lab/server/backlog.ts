/**
 * What a kernel said while a page was away, for it to hear when it comes back. Bounded: outputs that find no room are left
 * out, and their number is told; replies and states, by which the page knows what is over, are kept.
 */
import { type Message, newHeader } from '../../notebook/protocol/message.ts';

/** Outputs, which may be large and many. */
const OUTPUTS = new Set(['stream', 'display_data', 'update_display_data', 'execute_result']);

export class Backlog {
  readonly #limit: number;
  readonly #messages: Message[] = [];
  #size = 0;
  #leftOut = 0;
  /** The last output that found no room: its cell shows what is missing. */
  #last: Message | undefined;

  /** `limit` is in characters of content. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  push(message: Message): void {
    const size = JSON.stringify(message.content).length;
    if (OUTPUTS.has(message.header.msg_type) && this.#size + size > this.#limit) {
      this.#leftOut++;
      this.#last = message;
      return;
    }
    this.#size += size;
    this.#messages.push(message);
  }

  /** All of it, oldest first. */
  messages(): readonly Message[] {
    if (!this.#last) return this.#messages;
    const text = `${this.#leftOut} outputs are missing here: they came while the page was not connected, and were too many to keep.\n`;
    const note: Message = {
      ...this.#last,
      header: newHeader('stream', this.#last.header.session),
      content: { name: 'stderr', text },
    };
    // Before the cell's end is told, after which a page takes no more outputs for it.
    const parent = this.#last.parent.msg_id;
    const end = this.#messages.findIndex(({ channel, parent: { msg_id } }) => channel === 'shell' && msg_id === parent);
    const at = end < 0 ? this.#messages.length : end;
    return [...this.#messages.slice(0, at), note, ...this.#messages.slice(at)];
  }
}
