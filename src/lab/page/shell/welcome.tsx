/** What is in the middle while no notebook is open: what this is, and where to begin. */
import type { Contents } from '@jupyterlab/services';
import { render } from 'preact';

export interface WelcomeParts {
  readonly contents: Contents.IManager;
  openNotebook(path: string): void;
  createNotebook(): unknown;
}

/** The folder of the lessons, where the server's root is not that folder itself. */
const LESSONS = 'notebooks';

export async function mountWelcome(host: HTMLElement, parts: WelcomeParts): Promise<void> {
  render(<Welcome {...parts} lessons={[]} />, host);
  // What cannot be read is told by the list of files.
  const lessons = await lessonsBelow('', parts.contents).catch(() => []);
  render(<Welcome {...parts} lessons={lessons} />, host);
}

/** The numbered notebooks of a folder, and of the folder of lessons in it. */
async function lessonsBelow(folder: string, contents: Contents.IManager): Promise<Contents.IModel[]> {
  const { content } = await contents.get(folder);
  const entries = content as Contents.IModel[];
  const own = entries.filter(({ name }) => /^\d+_.*\.ipynb$/.test(name));
  const inner = entries.find(({ name, type }) => name === LESSONS && type === 'directory');
  const theirs = inner ? await lessonsBelow(inner.path, contents) : [];
  return [...own.sort((a, b) => a.name.localeCompare(b.name)), ...theirs];
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
