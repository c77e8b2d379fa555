/** What the server refuses or cannot do: an HTTP status, a sentence for people, a word for programs. */
import { LayerscopeError, type Place } from '../../errors.ts';

/** Why, in one word that the page may act on. */
export type Reason =
  /** The request itself makes no sense. */
  | 'malformed'
  /** Who asks has not shown the token; the page sends its user to the terminal's address. */
  | 'login'
  /** It came from another site, or under a name that is not this machine's. */
  | 'foreign'
  /** The path leads out of the lab's folder, or is of a kind that no system takes alike. */
  | 'path'
  | 'missing'
  /** Something of that name is there already. */
  | 'exists'
  /** The file on disk is not the one that the page read. */
  | 'changed'
  /** The system does not let this user. */
  | 'permission'
  | 'disk'
  | 'too-large'
  | 'too-many'
  | 'unreadable'
  | 'unsupported'
  | 'kernel'
  | 'bug';

export class Refusal extends LayerscopeError {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly reason: Reason;

  constructor(status: number, reason: Reason, message: string, place: Place = {}) {
    super(message, place);
    this.status = status;
    this.reason = reason;
  }
}

interface Told {
  readonly status: number;
  readonly reason: Reason;
  readonly words: string;
}

/** What a user can do about what the system said, by its code. */
const SYSTEM: Readonly<Record<string, Told>> = {
  ENOENT: { status: 404, reason: 'missing', words: 'there is no such file or folder; reload the list of files' },
  ENOTDIR: { status: 404, reason: 'missing', words: 'a part of its path is a file; reload the list of files' },
  EEXIST: { status: 409, reason: 'exists', words: 'there is one of that name; choose another' },
  ENOTEMPTY: { status: 409, reason: 'exists', words: 'the folder is not empty; delete what is in it first' },
  EACCES: {
    status: 403,
    reason: 'permission',
    words: 'this user may not; change its permissions, or use another folder',
  },
  EPERM: {
    status: 403,
    reason: 'permission',
    words: 'this user may not; change its permissions, or use another folder',
  },
  EROFS: { status: 403, reason: 'permission', words: 'that disk is read-only; use another folder' },
  EBUSY: { status: 409, reason: 'permission', words: 'another program holds it; close that, then try again' },
  ENOSPC: { status: 507, reason: 'disk', words: 'the disk is full; make room, then try again' },
  EDQUOT: { status: 507, reason: 'disk', words: "this user's share of the disk is full; make room, then try again" },
  EFBIG: { status: 507, reason: 'disk', words: 'it is larger than a file may be there' },
  ENAMETOOLONG: { status: 400, reason: 'path', words: 'its name is too long; choose a shorter one' },
  ELOOP: { status: 403, reason: 'path', words: 'it is a link that leads back to itself; remove the link' },
  EMFILE: { status: 503, reason: 'too-many', words: 'too many files are open; close some notebooks' },
};

/** What the system said while we tried to do `what`, as in `save a.ipynb`. Anything else is given back as it came. */
export function systemRefusal(what: string, cause: unknown): unknown {
  const code = systemCode(cause);
  if (code === undefined) return cause;
  const { status, reason, words } = SYSTEM[code] ?? {
    status: 500,
    reason: 'disk' as const,
    words: `the system says ${code}; check the disk`,
  };
  return new Refusal(status, reason, `Cannot ${what}: ${words}`, { cause });
}

/** The system's word, also where an error of ours that knows no better cure is wrapped around it. */
function systemCode(cause: unknown): string | undefined {
  if (cause instanceof Refusal || !(cause instanceof Error)) return undefined;
  if ('syscall' in cause && 'code' in cause) return String(cause.code);
  return systemCode(cause.cause);
}
