/** What is in the middle while no notebook is open: what this is, and where to begin. */
import type { INotebookContent } from '@jupyterlab/nbformat';
import type { Contents } from '@jupyterlab/services';
import { render } from 'preact';

export interface WelcomeParts {
  readonly contents: Contents.IManager;
  openNotebook(path: string): void;
  createNotebook(): unknown;
}

/** The folder of the lessons, where the server's root is not that folder itself. */
const LESSONS = 'notebooks';

interface Lesson {
  readonly path: string;
  readonly number: number;
  readonly title: string;
  /** Of the title, where the notebook says it. */
  readonly language?: string;
}

export async function mountWelcome(host: HTMLElement, parts: WelcomeParts): Promise<void> {
  const show = (lessons: readonly Lesson[]) => render(<Welcome {...parts} lessons={lessons} />, host);
  show([]);
  // What cannot be read is told by the list of files.
  const found = await lessonsBelow('', parts.contents).catch(() => []);
  show(found.map(byName));
  // Notebooks are large for the sake of their titles alone: they are read where somebody sees those.
  await seen(host);
  show(await Promise.all(found.map((lesson) => byHeading(lesson, parts.contents).catch(() => byName(lesson)))));
}

function seen(host: HTMLElement): Promise<void> {
  return new Promise((resolve) => {
    const observer = new IntersectionObserver(([entry]) => {
      if (!entry?.isIntersecting) return;
      observer.disconnect();
      resolve();
    });
    observer.observe(host);
  });
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

function Welcome({ lessons, openNotebook, createNotebook }: WelcomeParts & { readonly lessons: readonly Lesson[] }) {
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
            {lessons.map(({ path, number, title, language }, i) => (
              <li key={path}>
                <button type="button" class={i === 0 ? 'first' : ''} onClick={() => openNotebook(path)}>
                  <span class="number">{number}</span>
                  <span lang={language}>{title}</span>
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
function byName({ path, name }: Contents.IModel): Lesson {
  const [, words = name, language] = /^\d+_([^.]+)(?:\.(\w+))?\.ipynb$/.exec(name) ?? [];
  const said = words.replaceAll('_', ' ');
  const title = `${said.charAt(0).toUpperCase()}${said.slice(1)}${language ? ` (${language})` : ''}`;
  return { path, number: Number.parseInt(name, 10), title };
}

/** Called as its first heading does, without the number. */
async function byHeading(lesson: Contents.IModel, contents: Contents.IManager): Promise<Lesson> {
  const { cells, metadata } = (await contents.get(lesson.path)).content as INotebookContent;
  const text = cells.filter(({ cell_type }) => cell_type === 'markdown').map(({ source }) => [source].flat().join(''));
  const [, title] = /^#\s+(?:\d+\.\s*)?(\S.*)$/m.exec(text.join('\n')) ?? [];
  const { language } = metadata as { readonly language?: unknown };
  return {
    ...byName(lesson),
    ...(title ? { title } : {}),
    ...(typeof language === 'string' ? { language } : {}),
  };
}
