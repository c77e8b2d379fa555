/** What is in the middle while no notebook is open: what this is, and where to begin. */
import type { Contents } from '@jupyterlab/services';
import { render } from 'preact';

export interface WelcomeParts {
  readonly contents: Contents.IManager;
  openNotebook(path: string): void;
  createNotebook(): unknown;
}

/** Where numbered notebooks, the lessons, are looked for. */
const LESSON_FOLDERS = ['', 'notebooks'];

export async function mountWelcome(host: HTMLElement, parts: WelcomeParts): Promise<void> {
  render(<Welcome {...parts} lessons={[]} />, host);
  const found = await Promise.all(LESSON_FOLDERS.map((folder) => lessonsIn(folder, parts.contents)));
  render(<Welcome {...parts} lessons={found.flat()} />, host);
}

async function lessonsIn(folder: string, contents: Contents.IManager): Promise<Contents.IModel[]> {
  // A folder that is not there holds none; one that cannot be read is told by the list of files.
  const model = await contents.get(folder).catch(() => null);
  const entries: Contents.IModel[] = model?.content ?? [];
  return entries.filter(({ name }) => /^\d+_.*\.ipynb$/.test(name)).sort((a, b) => a.name.localeCompare(b.name));
}

function Welcome({
  lessons,
  openNotebook,
  createNotebook,
}: WelcomeParts & { readonly lessons: readonly Contents.IModel[] }) {
  return (
    <section class="welcome">
      <h2>See what a language model computes</h2>
      <p>
        On the left are files, in the middle notebooks, on the right the inspector. A notebook holds text and code in
        cells: click a cell and press <kbd>Shift</kbd> <kbd>Enter</kbd> to run it and go to the next. In the inspector
        you walk through a model with the mouse; what you find there can be put into a notebook as a cell.
      </p>
      {lessons.length > 0 && (
        <>
          <h3>Lessons</h3>
          <ol class="lessons">
            {lessons.map(({ path, name }, i) => (
              <li key={path}>
                <button type="button" class={i === 0 ? 'first' : ''} onClick={() => openNotebook(path)}>
                  <span class="number">{Number.parseInt(name, 10)}</span>
                  {titleOf(name)}
                </button>
              </li>
            ))}
          </ol>
        </>
      )}
      <p>
        <button type="button" onClick={() => void createNotebook()}>
          New notebook
        </button>
      </p>
    </section>
  );
}

/** `01_first_look.ipynb` is “First look”; `13_one_layer_sums.ja.ipynb` says its language. */
function titleOf(name: string): string {
  const [, words = name, language] = /^\d+_([^.]+)(?:\.(\w+))?\.ipynb$/.exec(name) ?? [];
  const title = words.replaceAll('_', ' ');
  return `${title.charAt(0).toUpperCase()}${title.slice(1)}${language ? ` (${language})` : ''}`;
}
