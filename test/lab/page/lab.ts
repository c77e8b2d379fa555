/** The lab as a user has it: the real server over a folder of its own, its page in a headless Chromium. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { type Lab, startLab } from '../../../src/lab/server/index.ts';
import { FLAGS, WEBGPU } from '../../browser/page.ts';
import { startHeldLab } from './held_lab.ts';

const fixtures = fileURLToPath(new URL('../../../fixtures/', import.meta.url));

export interface OpenLabOptions {
  /** Models of fixtures/ that the folder holds. */
  readonly models?: readonly string[];
  readonly size?: { readonly width: number; readonly height: number };
  readonly theme?: 'light' | 'dark';
  /** Choices that the browser remembers of an earlier visit. */
  readonly remembered?: Readonly<Record<string, string>>;
  /** The program of the inspector's processes, in place of the lab's own. */
  readonly inspector?: string;
  /** Whether files' modes hold the server, which is a process of its own then. */
  readonly isHeld?: boolean;
}

type Running = Pick<Lab, 'url' | 'close'>;

interface Served {
  readonly root: string;
  readonly state: string;
  /** 0 for any port that is free. */
  start(port: number): Promise<Running>;
}

export class OpenLab {
  /** The folder whose files the page sees. */
  readonly root: string;
  readonly browser: Browser;
  readonly context: BrowserContext;
  /** What the page's console called an error, and errors nobody caught. */
  readonly errors: string[] = [];
  /** Requests to anybody but the server. */
  readonly foreign: string[] = [];
  #lab: Running;
  readonly #served: Served;

  private constructor(served: Served, lab: Running, browser: Browser, context: BrowserContext) {
    this.root = served.root;
    this.#served = served;
    this.#lab = lab;
    this.browser = browser;
    this.context = context;
    context.on('page', (page) => this.#listen(page));
  }

  static async open(executablePath: string, options: OpenLabOptions = {}): Promise<OpenLab> {
    const {
      models = [],
      size = { width: 1280, height: 720 },
      theme = 'light',
      remembered = {},
      inspector,
      isHeld,
    } = options;
    const root = mkdtempSync(join(tmpdir(), 'layerscope-lab-'));
    const state = mkdtempSync(join(tmpdir(), 'layerscope-lab-state-'));
    for (const model of models) cpSync(join(fixtures, model), join(root, model));
    const started = (port: number) =>
      isHeld
        ? startHeldLab(root, state, port)
        : startLab({ root, state, port, log: () => {}, ...(inspector ? { inspector } : {}) });
    const lab = await started(0);
    const browser = await chromium.launch({ executablePath, headless: true, args: [...FLAGS, ...WEBGPU] });
    const context = await browser.newContext({ viewport: size, colorScheme: theme });
    await context.addInitScript((choices) => {
      const page = globalThis as unknown as { location: { protocol: string }; localStorage: Record<string, string> };
      // An empty page has no storage.
      if (page.location.protocol === 'about:') return;
      for (const [name, value] of Object.entries(choices)) page.localStorage[name] ??= value;
    }, remembered);
    return new OpenLab({ root, state, start: started }, lab, browser, context);
  }

  /** Another tab of the same browser; of the welcome, unless a notebook is named. */
  async page(notebook?: string): Promise<Page> {
    const page = await this.context.newPage();
    const url = new URL(this.#lab.url);
    if (notebook) url.searchParams.set('notebook', notebook);
    await page.goto(url.href);
    await (notebook ? page.locator('.jp-Cell').first() : page.locator('.welcome')).waitFor();
    return page;
  }

  /** Kills the server. */
  async stop(): Promise<void> {
    await this.#lab.close();
  }

  /** Starts it again where it was. */
  async start(): Promise<void> {
    this.#lab = await this.#served.start(Number(new URL(this.#lab.url).port));
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.#lab.close();
    for (const folder of [this.root, this.#served.state]) rmSync(folder, { recursive: true, force: true });
  }

  #listen(page: Page): void {
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(`${message.text()} (${message.location().url})`);
    });
    page.on('pageerror', (error) => this.errors.push(`${error.stack ?? error}`));
    page.on('request', (request) => {
      const { protocol, host } = new URL(request.url());
      const isOurs = protocol === 'data:' || protocol === 'blob:' || host === new URL(this.#lab.url).host;
      if (!isOurs) this.foreign.push(request.url());
    });
  }
}
