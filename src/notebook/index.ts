/** Notebooks: cells that run TypeScript, for the command line and the lab. The Jupyter kernel's own program is kernel.ts. */
import { resolve } from 'node:path';
import type { Cells, CellsOptions } from './cells.ts';
import { Supervisor } from './supervisor/supervisor.ts';

export type { CellOutput, CellReply, Cells, CellsOptions } from './cells.ts';

/** Cells in the folder `cwd`, in a process of their own that ends with this one. */
export async function startCells({ cwd, backend }: CellsOptions): Promise<Cells> {
  return new Supervisor({ cwd: resolve(cwd), backend });
}
