/**
 * Greedy pair merging, which SentencePiece's BPE and byte-level BPE share: of all adjacent pairs the one of lowest rank is
 * merged, leftmost first, until none can be (Sennrich et al. 2016, arXiv:1508.07909). A priority queue over a linked list
 * makes it O(n log n), as in llama.cpp's llm_tokenizer_spm and llm_tokenizer_bpe.
 */

interface Pair {
  readonly rank: number;
  /** Indices of the two symbols. */
  readonly left: number;
  readonly right: number;
  /** Where the right symbol ended when the pair was seen; once it has grown, the pair is stale. */
  readonly end: number;
}

const isBefore = (a: Pair, b: Pair) => a.rank < b.rank || (a.rank === b.rank && a.left < b.left);

/** Adds `pair` to a binary heap whose first is before all others. */
function push(heap: Pair[], pair: Pair): void {
  let at = heap.length;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] as Pair;
    if (!isBefore(pair, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = pair;
}

/** Takes the first pair off the heap. */
function pop(heap: Pair[]): Pair | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (first === undefined || last === undefined || heap.length === 0) return first;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Pair, heap[child] as Pair)) child++;
    const below = heap[child] as Pair;
    if (!isBefore(below, last)) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = last;
  return first;
}

/**
 * Merges the symbols of a text.
 *
 * @param starts where each symbol begins, ascending, and at the end the length of the text
 * @param rank rank of the pair [start, middle) [middle, end), lower first; undefined where it must not merge
 * @returns `starts` of the symbols that are left
 */
export function mergePairs(
  starts: readonly number[],
  rank: (start: number, middle: number, end: number) => number | undefined,
): number[] {
  const n = starts.length - 1;
  const start = Int32Array.from(starts);
  const end = start.slice(1);
  const next = Int32Array.from({ length: n }, (_, i) => (i + 1 < n ? i + 1 : -1));
  const previous = Int32Array.from({ length: n }, (_, i) => i - 1);
  const isGone = new Uint8Array(n);
  const heap: Pair[] = [];

  const offer = (left: number, right: number) => {
    if (left < 0 || right < 0) return;
    const of = rank(start[left] as number, start[right] as number, end[right] as number);
    if (of !== undefined) push(heap, { rank: of, left, right, end: end[right] as number });
  };

  for (let i = 1; i < n; i++) offer(i - 1, i);
  for (let pair = pop(heap); pair !== undefined; pair = pop(heap)) {
    const { left, right } = pair;
    if (isGone[left] || isGone[right] || end[right] !== pair.end) continue;
    isGone[right] = 1;
    end[left] = pair.end;
    const after = next[right] as number;
    next[left] = after;
    if (after >= 0) previous[after] = left;
    offer(previous[left] as number, left);
    offer(left, after);
  }
  return [...starts.slice(0, n).filter((_, i) => !isGone[i]), ...starts.slice(n)];
}
