/** The models and traces below the lab's folder, as the server lists them. */

export interface ListedFile {
  /** Below the lab's folder, with `/`. */
  readonly path: string;
}

/** What a list of files came to. */
export interface FileList {
  /** None before it has come. */
  readonly listed: readonly ListedFile[];
  /** Why there is none, a sentence for the user. */
  readonly failure: string | null;
}

/** Folders are looked into so deep, and so many; a lab's folder may be somebody's home. */
const [DEEPEST, MOST_FOLDERS] = [3, 60] as const;

const isOurs = (name: string): boolean => /\.(gguf|arrow)$/i.test(name);
const isSkipped = (name: string): boolean => name.startsWith('.') || name === 'node_modules';

interface Listed {
  readonly name: string;
  readonly path: string;
  readonly type: string;
}

/** Rejects with an Error, a sentence for the user, where there is no server that lists files. */
export async function listFiles(): Promise<ListedFile[]> {
  const files: ListedFile[] = [];
  let folders = [''];
  let left: number = MOST_FOLDERS;
  for (let depth = 0; depth <= DEEPEST && folders.length > 0; depth++) {
    const listings = await Promise.all(folders.slice(0, left).map(folderOf));
    left -= listings.length;
    const entries = listings.flat();
    files.push(...entries.flatMap(({ name, path, type }) => (type !== 'directory' && isOurs(name) ? { path } : [])));
    folders = entries.flatMap(({ name, path, type }) => (type === 'directory' && !isSkipped(name) ? path : []));
  }
  return files.sort((a, b) => a.path.localeCompare(b.path));
}

async function folderOf(path: string): Promise<readonly Listed[]> {
  const url = new URL(`api/contents/${path.split('/').map(encodeURIComponent).join('/')}`, document.baseURI);
  url.searchParams.set('type', 'directory');
  url.searchParams.set('content', '1');
  const response = await fetch(url);
  if (!response.ok) {
    throw new Error(
      `Cannot list the lab’s files: the server answers ${response.status}. Open a file from this computer, or load the page again`,
    );
  }
  const { content } = (await response.json()) as { readonly content: readonly Listed[] | null };
  return content ?? [];
}
