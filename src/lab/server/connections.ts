/**
 * Connections of who has shown nothing yet are bounded: of more than so many the oldest is cut off. Whoever opens a thousand
 * and says nothing keeps nobody else out, and uses up no descriptors.
 */
import type { Socket } from 'node:net';

/** A browser opens six at a time. */
const MAX_UNKNOWN = 128;

export class Connections {
  /** The oldest first. */
  readonly #unknown = new Set<Socket>();

  opened(socket: Socket): void {
    this.#unknown.add(socket);
    socket.once('close', () => this.#unknown.delete(socket));
    if (this.#unknown.size <= MAX_UNKNOWN) return;
    const [oldest] = this.#unknown;
    oldest?.destroy();
    if (oldest) this.#unknown.delete(oldest);
  }

  /** A request that came over it has shown the token. */
  isKnown(socket: Socket): void {
    this.#unknown.delete(socket);
  }
}
