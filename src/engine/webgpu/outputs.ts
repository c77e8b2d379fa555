/**
 * Where a run's outputs lie on the device, and for how long. A segment's outputs share a few pages. Once the last step that
 * reads them has run, the values somebody chose are copied to pages of their own, and the segment's pages are used again:
 * as every token finds the same ones, a decode makes no bind groups after its first, whatever is kept. (A driver may spend
 * a memory map on each, and Linux ends a process that has 65,530.) Beyond the budget the oldest kept values go first; what
 * went is counted.
 */
import type { Shape } from '../../ops/op.ts';
import type { Step } from '../../ops/step.ts';
import type { Statistics } from '../../trace/statistics.ts';
import type { Observed, PassState } from '../backend.ts';
import { placeOutputs, type Region, type Segment } from '../plan.ts';
import { type Page, PagePool } from './pages.ts';

/** Where an output lies now. */
export interface Placed {
  readonly page: Page;
  readonly region: Region;
}

/** What is known of one pass. */
export interface PassRecord {
  readonly pass: PassState;
  readonly steps: readonly Step[];
  readonly shapes: ReadonlyMap<string, Shape>;
  readonly segments: readonly Segment[];
  /** Pages still in use by the pass itself, by segment and bank. */
  readonly pages: Map<number, Page[]>;
  /** Outputs that have been computed and not let go. */
  readonly placed: Map<string, Placed>;
  readonly statistics: Map<string, Statistics>;
}

/** Small values share a page of up to so many bytes. */
const SHARED_PAGE_BYTES = 2 ** 24;

/** Where values lie that somebody chose. */
interface KeptPage {
  readonly page: Page;
  readonly record: PassRecord;
  /** Index of the last segment that reads what lies here: after going back, a kept value is an input again. */
  readonly lastUse: number;
  readonly names: readonly string[];
}

export class Outputs {
  readonly #pool: PagePool;
  readonly #keptPool: PagePool;
  readonly #budget: number;
  readonly #passes = new Map<number, PassRecord>();
  #kept: KeptPage[] = [];
  #dropped = 0;

  constructor(device: GPUDevice, budgetBytes: number) {
    this.#pool = new PagePool(device);
    this.#keptPool = new PagePool(device);
    this.#budget = budgetBytes;
  }

  pass(index: number): PassRecord | undefined {
    return this.#passes.get(index);
  }

  /** Lays out a new pass. Earlier passes keep only what was chosen. */
  begin(
    pass: PassState,
    steps: readonly Step[],
    shapes: ReadonlyMap<string, Shape>,
    observed: Observed,
    encoder: GPUCommandEncoder,
  ) {
    const segments = placeOutputs(steps, shapes);
    // Before the copies below, whose source or target it must not take away.
    const largest = Math.max(...segments.flatMap(({ banks }) => banks));
    this.#pool.trim(largest);
    this.#keptPool.trim(Math.max(largest, SHARED_PAGE_BYTES));
    for (const before of this.#passes.values()) {
      for (const index of [...before.pages.keys()]) this.#letGo(before, index, observed, encoder);
    }
    this.#dropBeyondBudget(() => false);
    const record: PassRecord = {
      pass,
      steps,
      shapes,
      segments,
      pages: new Map(),
      placed: new Map(),
      statistics: new Map(),
    };
    this.#passes.set(pass.index, record);
    return record;
  }

  /** Gives an output its place, in a page of its segment. */
  place(record: PassRecord, segment: number, name: string): Placed {
    const { banks, regions } = record.segments[segment]!;
    let pages = record.pages.get(segment);
    if (!pages) {
      pages = banks.map((bytes) => this.#pool.acquire(bytes));
      record.pages.set(segment, pages);
    }
    const region = regions.get(name)!;
    const placed = { page: pages[region.bank]!, region };
    record.placed.set(name, placed);
    return placed;
  }

  /**
   * Lets go of segments that no segment from `done` on reads. The pass's last one stays until the next pass begins: a
   * sampler may still want the logits.
   */
  retire(record: PassRecord, done: number, observed: Observed, encoder: GPUCommandEncoder): void {
    for (const index of [...record.pages.keys()]) {
      if (record.segments[index]!.lastUse >= done || index === record.segments.length - 1) continue;
      this.#letGo(record, index, observed, encoder);
    }
    this.#dropBeyondBudget((kept) => kept.record === record && kept.lastUse >= done);
  }

  #letGo(record: PassRecord, index: number, observed: Observed, encoder: GPUCommandEncoder): void {
    const pages = record.pages.get(index) ?? [];
    record.pages.delete(index);
    const { regions, lastUse } = record.segments[index]!;
    const computed = [...regions.keys()].filter((name) => pages.includes(record.placed.get(name)?.page as Page));
    const chosen = computed.filter((name) => observed.values(name));
    for (const names of shares(chosen, regions)) {
      const bytes = names.reduce((sum, name) => sum + paddedBytes(regions.get(name)!), 0);
      const page = this.#keptPool.acquire(bytes);
      let offset = 0;
      for (const name of names) {
        const from = record.placed.get(name)!;
        encoder.copyBufferToBuffer(from.page.buffer, from.region.offset, page.buffer, offset, from.region.bytes);
        record.placed.set(name, { page, region: { ...from.region, offset } });
        offset += paddedBytes(from.region);
      }
      this.#kept.push({ page, record, lastUse, names });
    }
    for (const name of computed) if (!observed.values(name)) record.placed.delete(name);
    for (const page of pages) this.#pool.release(page);
  }

  /** Drops the oldest first, but for what is still to be read. */
  #dropBeyondBudget(isNeeded: (kept: KeptPage) => boolean): void {
    let bytes = this.keptBytes;
    this.#kept = this.#kept.filter((kept) => {
      if (bytes <= this.#budget || isNeeded(kept)) return true;
      const names = namesIn(kept);
      for (const name of names) kept.record.placed.delete(name);
      this.#dropped += names.length;
      bytes -= kept.page.bytes;
      this.#keptPool.release(kept.page);
      return false;
    });
  }

  /** Forgets outputs of steps from `from` on in a pass, and all later passes. */
  rewind(index: number, from: number): void {
    const record = this.#passes.get(index);
    for (const step of record?.steps.slice(from) ?? []) {
      record?.placed.delete(step.name);
      record?.statistics.delete(step.name);
    }
    for (const [later, { pages }] of this.#passes) {
      if (later <= index) continue;
      for (const page of [...pages.values()].flat()) this.#pool.release(page);
      this.#passes.delete(later);
    }
    const isGone = (kept: KeptPage) => kept.record.pass.index > index || namesIn(kept).length === 0;
    for (const { page } of this.#kept.filter(isGone)) this.#keptPool.release(page);
    this.#kept = this.#kept.filter((kept) => !isGone(kept));
  }

  get keptBytes(): number {
    return this.#kept.reduce((sum, { page }) => sum + page.bytes, 0);
  }

  get dropped(): number {
    return this.#dropped;
  }

  destroy(): void {
    for (const { page } of this.#kept) page.buffer.destroy();
    for (const { pages } of this.#passes.values()) {
      for (const page of [...pages.values()].flat()) page.buffer.destroy();
    }
    this.#kept = [];
    this.#passes.clear();
    this.#pool.destroy();
    this.#keptPool.destroy();
  }
}

/** The outputs that lie in a kept page now: one computed again after going back lies in another. */
function namesIn({ page, record, names }: KeptPage): string[] {
  return names.filter((name) => record.placed.get(name)?.page === page);
}

/** Names in groups that share a page. */
function shares(names: readonly string[], regions: ReadonlyMap<string, Region>): string[][] {
  const groups: string[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const name of names) {
    const more = paddedBytes(regions.get(name)!);
    if (bytes + more > SHARED_PAGE_BYTES) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)!.push(name);
    bytes += more;
  }
  return groups;
}

function paddedBytes({ bytes }: Region): number {
  return 256 * Math.ceil(bytes / 256);
}
