/** What the inspector needs of where it runs: a child process of the lab's server, or a worker of a page. */
import type { Model } from '../../engine/model.ts';
import type { ByteSource, Platform, Watch } from '../../platform.ts';
import type { Trace } from '../../trace/trace.ts';

/** What is known of a dump by whoever opens it. */
export interface KnownOfDump {
  readonly model?: Model;
  readonly tokens?: readonly number[];
}

/** As the file has them, or those of its F32 twin, on which llama.cpp rounds no activations. */
export type LlamaCppWeights = 'file' | 'f32';

export interface InspectorHost {
  readonly platform: Platform;
  /** A file by the path that the page names it with; a page without a server has none and throws UsageError, saying to drop it. */
  open(path: string): Promise<ByteSource>;
  /** What llama.cpp computes of the same tokens; null where there is no llama.cpp. */
  readonly llamaCpp:
    | ((model: Model, tokens: readonly number[], watch: Watch, weights: LlamaCppWeights) => Promise<Trace>)
    | null;
  /** Opens a dump of another program, as `readDumpFrom` of src/node does; absent where .arrow traces are all that is read. */
  readonly readDump?: (source: ByteSource, known: KnownOfDump) => Promise<Trace>;
  /** The same by its path, which may be that of a folder, or of a table in a file: `sums.md#2`. There where `readDump` is. */
  readonly openDump?: (path: string, known: KnownOfDump) => Promise<Trace>;
  /** Bytes of values that all runs may keep together. Default three times what one run keeps in a notebook. */
  readonly budget?: number;
}
