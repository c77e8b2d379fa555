/**
 * A page in a headless Chromium with WebGPU on SwiftShader (a CPU), served by this process from 127.0.0.1 alone: WebGPU
 * wants https or localhost. The address decides what is served: `/` is the empty page, `/kernels/…` the kernels, and the
 * rest is given by the test.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

/** No sandbox, because Chromium refuses to run as root with one; the rest keeps it from talking to anybody but us. */
export const FLAGS = [
  '--no-sandbox',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-default-apps',
  '--disable-quic',
  '--disable-sync',
];

export const WEBGPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

const TYPES: Readonly<Record<string, string>> = {
  '': 'text/html',
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.wgsl': 'text/plain; charset=utf-8',
};

export interface OpenPage {
  readonly page: Page;
  /** Where the files are. */
  readonly origin: string;
  close(): Promise<void>;
}

export async function openPage(
  executablePath: string,
  files: Readonly<Record<string, Uint8Array>>,
  { webgpu = true }: { readonly webgpu?: boolean } = {},
): Promise<OpenPage> {
  const server = createServer(async ({ url = '/' }, response) => {
    const body = await content(url, files).catch(() => undefined);
    response.writeHead(body === undefined ? 404 : 200, {
      'content-type': TYPES[extname(url)] ?? 'application/octet-stream',
    });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  let browser: Browser | undefined;
  const close = async (): Promise<void> => {
    await browser?.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  try {
    browser = await chromium.launch({ executablePath, headless: true, args: [...FLAGS, ...(webgpu ? WEBGPU : [])] });
    const page = await browser.newPage();
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await page.goto(`${origin}/`);
    return { page, origin, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const KERNEL = /^\/kernels\/[\w/]+\.wgsl$/;

async function content(url: string, files: Readonly<Record<string, Uint8Array>>): Promise<Uint8Array | string> {
  if (url === '/') return '<!doctype html><title>Layerscope in a browser</title>';
  if (KERNEL.test(url)) return readFile(new URL(`../..${url}`, import.meta.url));
  const file = files[url];
  if (!file) throw new Error(`nothing at ${url}`);
  return file;
}
