/** What a notebook's kernel does, for those who look at it, and what can be done where it does nothing any more. */
import { type ISessionContext, SessionContextDialogs } from '@jupyterlab/apputils';
import { KernelAPI } from '@jupyterlab/services';
import { type ReadonlySignal, signal } from '@preact/signals';
import type { Notices } from '../shell/notices.tsx';

/** Asks before a kernel is restarted, and which kernel to use where a notebook names one that is not here. */
export const kernelDialogs = new SessionContextDialogs();

export interface KernelState {
  readonly light: 'idle' | 'busy' | 'starting' | 'gone';
  readonly text: string;
}

const STATES: Readonly<Record<string, KernelState>> = {
  idle: { light: 'idle', text: 'Idle' },
  busy: { light: 'busy', text: 'Busy' },
  starting: { light: 'starting', text: 'Starting' },
  restarting: { light: 'starting', text: 'Restarting' },
  autorestarting: { light: 'starting', text: 'Restarting' },
  terminating: { light: 'starting', text: 'Ending' },
  connecting: { light: 'starting', text: 'Connecting' },
  dead: { light: 'gone', text: 'Dead' },
  disconnected: { light: 'gone', text: 'Not connected' },
};

const NO_KERNEL: KernelState = { light: 'gone', text: 'No kernel' };

/** Follows the kernel of a notebook. */
export function kernelState(session: ISessionContext): ReadonlySignal<KernelState> {
  const state = signal<KernelState>(STATES.connecting ?? NO_KERNEL);
  const look = () => {
    state.value = STATES[session.kernelDisplayStatus] ?? NO_KERNEL;
  };
  session.statusChanged.connect(look);
  session.connectionStatusChanged.connect(look);
  session.sessionChanged.connect(look);
  return state;
}

/** Says in the notebook that its kernel died, and offers another. */
export function tellOfDeath(session: ISessionContext, notices: Notices): void {
  session.statusChanged.connect((_, status) => {
    if (status === 'dead') {
      notices.show({
        subject: 'kernel',
        tone: 'error',
        text: 'The kernel died. Its variables are gone; cells and outputs are still here.',
        actions: [
          {
            label: 'Start it again',
            async run() {
              await startAgain(session);
              notices.clear('kernel');
            },
          },
        ],
      });
    } else if (status === 'autorestarting') {
      notices.show({
        subject: 'kernel',
        tone: 'warning',
        text: 'The kernel died and was started again. Its variables are gone: run the cells that make them once more.',
      });
    } else if (status === 'restarting') {
      notices.clear('kernel');
    }
  });
}

/** Restarts the kernel, or starts a new one where it is gone altogether. */
export async function startAgain(session: ISessionContext): Promise<void> {
  const open = session.session;
  if (open?.kernel && open.kernel.status !== 'dead') return session.restartKernel();
  // JupyterLab has no use for the connection to a kernel that is dead.
  open?.dispose();
  await session.startKernel();
}

/** Has the kernel end with the notebook that is about to be closed, unless another page has that open too. */
export async function endWithLastPage(session: ISessionContext): Promise<void> {
  const kernel = session.session?.kernel;
  if (!kernel) return;
  // Where the server does not answer, who else is there is not known.
  const model = await KernelAPI.getKernelModel(kernel.id, kernel.serverSettings).catch(() => undefined);
  // One of the connections is ours.
  const shutdownOnDispose = model?.connections === 1;
  session.kernelPreference = { ...session.kernelPreference, shutdownOnDispose };
}
