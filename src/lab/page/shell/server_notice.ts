/** Says in the page that the server is away, or back, and what that means for what is open. */
import { effect, type ReadonlySignal } from '@preact/signals';
import type { Notebooks } from '../notebook/notebooks.ts';
import type { ServerState, ServerWatch } from '../notebook/server_watch.ts';
import type { Notices } from './notices.tsx';

const SUBJECT = 'server';

export function tellOfServer({ state, look }: ServerWatch, notices: Notices, notebooks: Notebooks): void {
  const again = [{ label: 'Try again', run: look }];
  let generation = generationOf(state);
  let wasAway = false;
  effect(() => {
    const now = state.value;
    switch (now.is) {
      case 'down':
        wasAway = true;
        return notices.show({
          subject: SUBJECT,
          tone: 'error',
          text: `The server at ${location.host} does not answer. Start it again in a terminal, with the same port: npm start -- --port ${location.port}. Keep this page open: unsaved cells stay in it and in the browser's storage, and are saved when the server is back.`,
          actions: again,
        });
      case 'refusing':
        wasAway = true;
        return notices.show({
          subject: SUBJECT,
          tone: 'error',
          text: 'The server was started again and does not know this page. Open the address that it printed in another tab of this browser, then come back: nothing is lost here.',
          actions: again,
        });
      case 'up': {
        if (!wasAway && now.generation === generation) return;
        const isAnother = now.generation !== generation;
        generation = now.generation;
        wasAway = false;
        notices.clear(SUBJECT);
        void recover(isAnother, notebooks);
        return;
      }
      default:
        return now satisfies never;
    }
  });
}

async function recover(isAnother: boolean, notebooks: Notebooks): Promise<void> {
  await notebooks.reconnect();
  if (isAnother) await notebooks.startKernelsAgain();
}

function generationOf(state: ReadonlySignal<ServerState>): number {
  const now = state.peek();
  return now.is === 'up' ? now.generation : 0;
}
