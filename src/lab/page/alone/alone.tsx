/** The inspector in a page without a server, with a lesson beside it where there is one. */
import { signal } from '@preact/signals';
import { render } from 'preact';
import { lastingConnection } from '../inspector/connection.ts';
import { mountOver } from '../inspector/index.tsx';
import type { LabActions } from '../shell/panes.ts';
import { type EngineScript, startEngine } from './engine.ts';
import { beginLesson, Lesson } from './lesson.tsx';

export interface AloneOptions {
  readonly script: EngineScript;
  /** Models that lie beside the page, by their address. */
  readonly beside: readonly string[];
  /** A model that the page holds, and whether to begin with the lesson on it. */
  readonly inside: File | null;
}

/** Fills the body. Says in its place what went wrong where the engine cannot be started. */
export async function mountAlone({ script, beside, inside }: AloneOptions): Promise<void> {
  const pane = (tag: string, className: string) => {
    const element = document.createElement(tag);
    element.className = className;
    return element;
  };
  const [notice, aside, host] = [pane('div', 'notice'), pane('aside', 'beside'), pane('main', 'host')];
  document.body.append(notice, ...(inside ? [aside] : []), host);
  try {
    const { port, notice: said } = await startEngine(script);
    if (said) notice.textContent = said;
    const connection = lastingConnection(async () => port);
    if (inside) await connection.drop(inside);
    const paths = [...(inside ? [inside.name] : []), ...beside];
    const listFiles = async () => paths.map((path) => ({ path }));
    const isLinked = location.hash.length > 1;
    const inspector = mountOver(connection, host, labActions(), { listFiles });
    if (!inside) return;
    render(<Lesson inspector={inspector} file={inside.name} />, aside);
    if (!isLinked) await beginLesson(inspector, inside.name);
  } catch (error) {
    notice.textContent = `${(error as Error).message}`;
    notice.setAttribute('role', 'alert');
  }
}

/** There is no notebook: cells go to the clipboard. */
function labActions(): LabActions {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const theme = signal<'light' | 'dark'>(dark.matches ? 'dark' : 'light');
  dark.addEventListener('change', ({ matches }) => {
    theme.value = matches ? 'dark' : 'light';
  });
  // More than every shell asks for: files are dropped here, and notebooks are nowhere.
  const actions = {
    theme,
    chosenFile: signal(null),
    async insertCell(code: string) {
      try {
        await navigator.clipboard.writeText(code);
      } catch (error) {
        return `Cannot copy the cell: the browser refuses (${(error as Error).message}). Allow this page the clipboard, or open the lab`;
      }
      return 'Copied: paste it into a cell of a notebook';
    },
    openNotebook() {},
  };
  return actions;
}
