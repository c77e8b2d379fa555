/**
 * The inspector alone in a headless Chromium: its page, bundled, and a session in this process behind a websocket. The page is
 * served with the lab's content security policy, so that what a script may not do fails here too.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright-core';
import { WebSocketServer } from 'ws';
import { bytesSource } from '../../../src/gguf/bytes.ts';
import { type InspectorHost, type Port, serveInspector } from '../../../src/lab/inspector/index.ts';
import { fromBytes, toBytes } from '../../../src/lab/inspector/wire.ts';
import { sources } from '../../../src/lab/sources.mjs';
import { nodePlatform, openFile } from '../../../src/node/index.ts';

const ROOT = new URL('../../../', import.meta.url);
const at = (path: string): string => fileURLToPath(new URL(path, ROOT));

/** The page: the pane fills the window, the notebook is a list of the cells that were put into it. */
const ENTRY = `
  import { signal } from '@preact/signals';
  import { mountInspector } from './src/lab/page/inspector/index.tsx';
  const theme = signal('light');
  const cells = [];
  const insertCell = async (code) => {
    cells.push(code);
    return 'The cell stands below the active one';
  };
  const chosenFile = signal(null);
  Object.assign(globalThis, { cells, theme, chosenFile });
  mountInspector(document.querySelector('#inspector'), { theme, chosenFile, insertCell, openNotebook() {} });
`;

const HTML = `<!doctype html>
<html lang="en">
<title>Inspector</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/entry.css">
<style>html, body { height: 100%; margin: 0 } #inspector { height: 100vh }</style>
<main id="inspector"></main>
<script type="module" src="/entry.js"></script>
</html>`;

/** As the lab sends it: no code from text, nothing from elsewhere. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; form-action 'self'";

const TYPES: Readonly<Record<string, string>> = { '.js': 'text/javascript', '.css': 'text/css', '.html': 'text/html' };

/** Files that the page finds below the lab's folder, by path; bytes, or a path on this machine. */
export type LabFiles = Readonly<Record<string, Uint8Array | string>>;

export interface InspectorPage {
  readonly page: Page;
  readonly url: string;
  /** What the console said that is no information, and what the page threw. */
  readonly faults: string[];
  /** The cells that were put into the notebook. */
  cells(): Promise<string[]>;
  setTheme(theme: 'light' | 'dark'): Promise<void>;
  /** Ends every session, as a lab that is stopped does; the next request finds a new one. */
  dropSockets(): void;
  close(): Promise<void>;
}

/** A window of that size, empty but for the inspector with no model open. */
export async function openInspectorPage(
  executablePath: string,
  files: LabFiles,
  viewport = { width: 1280, height: 720 },
  host: Partial<InspectorHost> = {},
): Promise<InspectorPage> {
  const served = await bundle();
  const server = createServer(async ({ url = '/' }, response) => {
    const { pathname } = new URL(url, 'http://lab');
    const listing = pathname.startsWith('/api/contents/') ? contents(files, pathname) : undefined;
    const body = pathname === '/' ? HTML : (listing ?? served.get(pathname));
    response.writeHead(body === undefined ? 404 : 200, {
      'content-type': listing
        ? 'application/json'
        : (TYPES[extname(pathname) || '.html'] ?? 'application/octet-stream'),
      'content-security-policy': POLICY,
    });
    response.end(body);
  });
  const sockets = new WebSocketServer({ server, path: '/inspector/socket' });
  sockets.on('connection', (socket) => {
    const port: Port = {
      post: (message) => socket.send(toBytes(message)),
      onMessage: (listener) => socket.on('message', (data) => listener(fromBytes(data as Uint8Array))),
      onClose: (listener) => socket.on('close', () => listener('The page is gone')),
    };
    serveInspector(port, { ...hostOf(files), ...host });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  let browser: Browser | undefined;
  const close = async (): Promise<void> => {
    await browser?.close();
    for (const socket of sockets.clients) socket.terminate();
    sockets.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  try {
    const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking'];
    browser = await chromium.launch({ executablePath, headless: true, args });
    const context = await browser.newContext({ viewport, permissions: ['clipboard-read', 'clipboard-write'] });
    const page = await context.newPage();
    const faults: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text());
    });
    page.on('pageerror', (error) => faults.push(error.message));
    await page.goto(url);
    return {
      page,
      url,
      faults,
      cells: () => page.evaluate('cells'),
      setTheme: (theme) => page.evaluate(`theme.value = ${JSON.stringify(theme)}`),
      dropSockets: () => {
        for (const socket of sockets.clients) socket.terminate();
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function bundle(): Promise<Map<string, Uint8Array>> {
  const { outputFiles } = await build({
    absWorkingDir: at('.'),
    stdin: { contents: ENTRY, resolveDir: at('.'), sourcefile: 'entry.js' },
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2023',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    outdir: at('dist/inspector_page'),
    entryNames: 'entry',
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'error',
    write: false,
    plugins: [sources],
  });
  return new Map(outputFiles.map(({ path, contents }) => [path.slice(at('dist/inspector_page').length), contents]));
}

function hostOf(files: LabFiles): InspectorHost {
  return {
    platform: nodePlatform,
    llamaCpp: null,
    async open(path) {
      const found = Object.hasOwn(files, path) ? files[path] : undefined;
      if (found === undefined) throw new Error(`Cannot open ${path}: the lab has no such file`);
      return typeof found === 'string' ? openFile(found) : bytesSource(path, found);
    },
  };
}

/** As Jupyter's contents API lists a folder. */
function contents(files: LabFiles, pathname: string): string {
  const folder = decodeURIComponent(pathname.slice('/api/contents/'.length));
  const inside = Object.keys(files).filter((path) => folder === '' || path.startsWith(`${folder}/`));
  const names = new Set(inside.map((path) => path.slice(folder === '' ? 0 : folder.length + 1).split('/')[0] ?? ''));
  const content = [...names].map((name) => {
    const path = folder === '' ? name : `${folder}/${name}`;
    return { name: basename(path), path, type: Object.hasOwn(files, path) ? 'file' : 'directory' };
  });
  return JSON.stringify({ path: folder, type: 'directory', content });
}
