/** What the server and a kernel's process say to each other, over Node's channel between them. */
import type { Message, Request } from '../../notebook/protocol/message.ts';

export type ToKernel =
  /** `identities` holds who asked, one frame: the reply comes back with it. */
  { readonly type: 'request'; readonly request: Request } | { readonly type: 'interrupt' } | { readonly type: 'end' };

export type FromKernel =
  | { readonly type: 'message'; readonly message: Message }
  /** A page asked it to end, by a message and not by the server. */
  | { readonly type: 'ending' };
