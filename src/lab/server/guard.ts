/**
 * Who may ask. In order: the name by which the server was called (a site that rebinds its name to 127.0.0.1 calls it by its
 * own), where the request comes from, whether the token was shown, and for what changes something that a page of ours asks,
 * as Jupyter does it (`_xsrf`). Whatever another program of this machine serves is another site to us.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { parseCookie, stringifySetCookie } from 'cookie';
import { Refusal } from './refusal.ts';
import { cookieValue, isSame, type Secret } from './secret.ts';

/** This machine's names for itself. Any port, as a tunnel may come out at another. */
const HOST = /^(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/i;

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

const XSRF_COOKIE = '_xsrf';

/** How who asks has shown that they may. */
export type Proof =
  /** By the cookie of a page that was opened with the token. */
  | 'cookie'
  /** By the token itself, in the address or a header: no site but ours can know it. */
  | 'token';

export class Guard {
  readonly #token: string;
  readonly #cookie: string;

  constructor(token: string, secret: Secret) {
    this.#token = token;
    this.#cookie = cookieValue(secret);
  }

  /** Throws Refusal for a request from elsewhere, or by a name that is not this machine's. */
  mustBeOurs(request: IncomingMessage): void {
    const { host = '', origin } = request.headers;
    if (!HOST.test(host)) {
      throw foreign(`it was called ${JSON.stringify(host)}; call it 127.0.0.1 or localhost`);
    }
    if (origin !== undefined && origin !== `http://${host}`.toLowerCase()) {
      throw foreign(`the request comes from ${origin}; open the lab's own page`);
    }
    const site = request.headers['sec-fetch-site'];
    const isNavigation = request.headers['sec-fetch-mode'] === 'navigate' && request.method === 'GET';
    if ((site === 'cross-site' || site === 'same-site') && !isNavigation) {
      throw foreign("the request comes from another site; open the lab's own page");
    }
  }

  /** Null where nothing was shown, or the wrong thing. */
  proof(request: IncomingMessage, query: URLSearchParams): Proof | null {
    const [, bearer] = /^(?:token|bearer) +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
    if (isSame(bearer, this.#token) || isSame(query.get('token') ?? undefined, this.#token)) return 'token';
    return isSame(cookies(request)[cookieName(request)], this.#cookie) ? 'cookie' : null;
  }

  /** The same as a demand. Throws Refusal. */
  mustProve(request: IncomingMessage, query: URLSearchParams): Proof {
    const proof = this.proof(request, query);
    if (proof) return proof;
    throw new Refusal(
      403,
      'login',
      'Cannot answer: this page has not shown the token of the lab that runs now; open the address that the terminal ' +
        'shows, in another tab, and go on here: what you edited is still here',
    );
  }

  /** Throws Refusal where something is to be changed, and the request does not show that a page of ours made it. */
  mustIntend(request: IncomingMessage, query: URLSearchParams, proof: Proof): void {
    if (proof === 'token' || SAFE_METHODS.has(request.method ?? '')) return;
    const cookie = cookies(request)[XSRF_COOKIE];
    const header = request.headers['x-xsrftoken'];
    const shown = (typeof header === 'string' ? header : undefined) ?? query.get(XSRF_COOKIE) ?? undefined;
    if (request.headers.origin !== undefined && cookie && cookie.length >= XSRF_LENGTH && isSame(shown, cookie)) return;
    throw foreign("it does not show that the lab's own page sent it (X-XSRFToken); reload the page");
  }

  /** Throws Refusal for a websocket that a page of another site opens: browsers send cookies with it, and always the origin. */
  mustBePage(request: IncomingMessage, proof: Proof): void {
    if (proof === 'cookie' && request.headers.origin === undefined) throw foreign('the websocket has no origin');
  }

  /** Headers for a page that has shown the token. */
  cookiesFor(request: IncomingMessage): string[] {
    const fixed = { path: '/', sameSite: 'strict' } as const;
    const login = stringifySetCookie({ ...fixed, name: cookieName(request), value: this.#cookie, httpOnly: true });
    if ((cookies(request)[XSRF_COOKIE]?.length ?? 0) >= XSRF_LENGTH) return [login];
    // Pages read it, to send it back. Jupyter's own servers on this machine may replace it, which does no harm.
    const xsrf = randomBytes(24).toString('base64url');
    return [login, stringifySetCookie({ ...fixed, name: XSRF_COOKIE, value: xsrf })];
  }
}

/** Characters of an _xsrf cookie, at least. */
const XSRF_LENGTH = 32;

const foreign = (why: string): Refusal => new Refusal(403, 'foreign', `Cannot answer: ${why}`);

const cookies = (request: IncomingMessage) => parseCookie(request.headers.cookie ?? '');

/** Cookies do not know ports, and two labs may run on two. */
function cookieName(request: IncomingMessage): string {
  return `layerscope-lab-${/:(\d+)$/.exec(request.headers.host ?? '')?.[1] ?? '80'}`;
}
