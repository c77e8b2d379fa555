/** The first layers of a model as a GGUF file of its own: what a twin is made of where the whole one is too large. */
import { UsageError } from '../errors.ts';
import { type GgufFile, type GgufValue, rowsOf, type TensorInfo } from '../gguf/reader.ts';
import type { GgufContent, MetadataEntry, TensorContent } from '../gguf/writer.ts';

/** `layers`, or null where it takes in all. Throws UsageError where it is no number of layers. */
export function checkedLayers(gguf: GgufFile, layers: number): number | null {
  if (!Number.isInteger(layers) || layers < 1) {
    throw new UsageError(`Cannot take the first layers of ${gguf.source.name}: got ${layers}; wanted 1, 2, …`);
  }
  return layers < nLayerOf(gguf) ? layers : null;
}

const countKey = ({ metadata }: GgufFile): string => `${metadata.get('general.architecture')}.block_count`;

const nLayerOf = (gguf: GgufFile): number => Number(gguf.metadata.get(countKey(gguf)));

/** Everything of the file, or the first `layers` with what is outside of layers. */
export function contentOf(gguf: GgufFile, layers: number | null): GgufContent {
  const nLayer = nLayerOf(gguf);
  const kept = layers ?? nLayer;
  const metadata: Record<string, MetadataEntry> = {};
  for (const [key, value] of gguf.metadata) {
    if (key === 'general.alignment') continue; // The writer's to add.
    const type = gguf.metadataTypes.get(key);
    if (type) metadata[key] = [type, key === countKey(gguf) ? kept : firstOf(value, key, nLayer, kept)];
  }
  const tensors = [...gguf.tensors.values()]
    .filter(({ name }) => Number(/^blk\.(\d+)\./.exec(name)?.[1] ?? 0) < kept)
    .map((info): TensorContent => ({ ...info, data: () => piecesOf(gguf, info) }));
  return { alignment: gguf.alignment, metadata, tensors };
}

/** Some models list head counts or feed-forward lengths layer by layer. */
function firstOf(value: GgufValue, key: string, nLayer: number, kept: number): GgufValue {
  const isByLayer = typeof value === 'object' && value.length === nLayer && !key.startsWith('tokenizer.');
  return isByLayer ? value.slice(0, kept) : value;
}

/** Bytes that are read at a time, or one row where that is longer. */
const READ_BYTES = 4 * 2 ** 20;

async function* piecesOf(gguf: GgufFile, info: TensorInfo): AsyncGenerator<Uint8Array> {
  const rows = rowsOf(info);
  const most = Math.max(1, Math.floor((READ_BYTES * rows) / info.byteLength));
  for (let rowStart = 0; rowStart < rows; rowStart += most) {
    yield gguf.readTensor(info, { rowStart, rowCount: Math.min(most, rows - rowStart) });
  }
}
