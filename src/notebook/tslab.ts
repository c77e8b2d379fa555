/** What `import { display } from 'tslab'` gives a cell; see display/tslab.ts. */
import { connectedDisplay } from './display/connected.ts';
import { tslabModule } from './display/tslab.ts';

export const { display, newDisplay } = tslabModule({ put: (output) => connectedDisplay().put(output) });
