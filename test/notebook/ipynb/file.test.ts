/** Reading and writing notebook files; Debian's nbformat is the witness. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { NotebookError } from '../../../src/errors.ts';
import { findJupyterPython } from '../../../src/node/host.ts';
import type { Notebook } from '../../../src/notebook/ipynb/notebook.ts';
import { parseNotebook, readNotebook } from '../../../src/notebook/ipynb/read.ts';
import { notebookText, writeNotebook } from '../../../src/notebook/ipynb/write.ts';
import { have } from '../../skip.ts';
import { codeCell, markdownCell, notebookOf, printed, thrown } from './fake_cells.ts';

const folder = mkdtempSync(join(tmpdir(), 'layerscope-ipynb-'));
afterAll(() => rmSync(folder, { recursive: true }));

const chart = {
  $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
  mark: 'bar',
  data: { values: [{ a: 1.5 }] },
};

/** One of everything a notebook may hold. */
const full: Notebook = {
  metadata: { title: 'Everything', authors: [{ name: 'Ann' }], kernelspec: { name: 'other', display_name: 'Other' } },
  cells: [
    {
      ...markdownCell('# 日本\n\nA picture: ![a](attachment:a.png)\n'),
      attachments: { 'a.png': { 'image/png': 'AAAA\n' } },
    },
    { type: 'raw', id: 'raw-1', source: 'as it is', metadata: { format: 'text/plain' }, attachments: {} },
    codeCell('const a = 1;\na', {
      metadata: { tags: ['one'], collapsed: false },
      executionCount: 1,
      outputs: [
        printed('one\r\ntwo\rthree\n'),
        {
          type: 'display_data',
          data: { 'application/vnd.vegalite.v5+json': chart, 'text/plain': 'a\u2028b' },
          metadata: {},
        },
        {
          type: 'display_data',
          data: { 'image/svg+xml': '<svg>\n</svg>', 'application/x-odd': 'a\nb' },
          metadata: { x: 1 },
        },
        { type: 'execute_result', data: { 'text/plain': '1' }, metadata: {}, executionCount: 1 },
        thrown('TypeError', 'no', '\u001b[31mTypeError\u001b[39m: no', 'at cell.ts:1'),
      ],
    }),
    codeCell('', { id: 'empty' }),
  ],
};

describe('a written notebook', () => {
  test('is byte for byte what nbformat writes of it, and valid', (context) => {
    const python = have(context, findJupyterPython(), 'no Python with nbformat on this machine');
    const path = join(folder, 'full.ipynb');
    writeFileSync(path, notebookText(full));
    const code = `
import nbformat, sys
notebook = nbformat.read(sys.argv[1], as_version=nbformat.NO_CONVERT)
nbformat.validate(notebook)
nbformat.write(notebook, sys.argv[2])`;
    const theirs = join(folder, 'theirs.ipynb');
    const { stderr } = spawnSync(python, ['-W', 'error', '-c', code, path, theirs], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(readFileSync(path, 'utf8')).toBe(readFileSync(theirs, 'utf8'));
  });

  test('is read back as it was, but for the kernel, which is ours', () => {
    const { metadata, cells } = parseNotebook(notebookText(full), 'full.ipynb');
    expect(cells).toEqual(full.cells);
    expect(metadata).toMatchObject({
      title: 'Everything',
      kernelspec: { name: 'layerscope', display_name: 'TypeScript (Layerscope)', language: 'typescript' },
      language_info: { name: 'typescript', file_extension: '.ts' },
    });
  });

  test('has sources as lists of lines, an indent of one space, and a newline at its end', () => {
    const text = notebookText(notebookOf(codeCell('a\nb')));
    expect(text).toMatch(/^\{\n "cells": \[\n {2}\{\n {3}"cell_type": "code",\n/);
    expect(text).toContain('"source": [\n    "a\\n",\n    "b"\n   ]');
    expect(text.endsWith('}\n')).toBe(true);
  });

  test('stands under its name only when it is whole', async () => {
    const path = join(folder, 'whole.ipynb');
    const size = await writeNotebook(path, full);
    expect(readFileSync(path)).toHaveLength(size);
    expect(readdirSync(folder).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });
});

describe('a file of nbformat 4.0, without ids', () => {
  const old = {
    nbformat: 4,
    nbformat_minor: 0,
    metadata: { orig_nbformat: 3, signature: 'x' },
    cells: [
      { cell_type: 'markdown', metadata: { trusted: true }, source: ['# A\n', 'b'] },
      { cell_type: 'code', metadata: {}, source: 'same', outputs: [], execution_count: null, id: 'kept' },
      { cell_type: 'code', source: 'same' },
      { cell_type: 'code', source: 'same', id: 'kept' },
      { cell_type: 'code', source: 'same', id: 'not valid' },
    ],
  };

  test('gets ids that are unique and the same each time; those it has are kept', () => {
    const read = () => parseNotebook(JSON.stringify(old), 'old.ipynb');
    const ids = read().cells.map(({ id }) => id);
    expect(new Set(ids).size).toBe(5);
    expect(ids[1]).toBe('kept');
    expect(ids.filter((id) => /^[0-9a-f]{8}$/.test(id))).toHaveLength(4);
    expect(read()).toEqual(read());
  });

  test('loses what Jupyter never keeps, and is valid as 4.5', (context) => {
    const text = notebookText(parseNotebook(JSON.stringify(old), 'old.ipynb'));
    expect(text).not.toMatch(/orig_nbformat|signature|trusted/);
    const python = have(context, findJupyterPython(), 'no Python with nbformat on this machine');
    const code = 'import json, nbformat, sys; nbformat.validate(json.load(sys.stdin))';
    const { stderr } = spawnSync(python, ['-W', 'error', '-c', code], { input: text, encoding: 'utf8' });
    expect(stderr).toBe('');
  });
});

describe('a file that is no notebook is refused, with its name, the place and the cure', () => {
  const file = (parts: object) => JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [], ...parts });
  const code = (parts: object) => file({ cells: [{ cell_type: 'code', source: '1', ...parts }] });
  test.for<[what: string, text: string, message: string]>([
    ['no JSON', '{"cells": [', 'it is not JSON ('],
    ['a merge conflict', '{\n<<<<<<< HEAD\n"cells"', 'the marks of a merge conflict (<<<<<<<); resolve the conflict'],
    ['other JSON', '[1]', 'it is JSON but no notebook'],
    [
      'nbformat 3',
      '{"nbformat": 3, "nbformat_minor": 0, "worksheets": []}',
      'jupyter nbconvert --to notebook --nbformat 4',
    ],
    ['a later nbformat', file({ nbformat_minor: 6 }), 'it is of nbformat 4.6; those from 4.0 to 4.5 are read'],
    ['no cells', file({ cells: undefined }), 'it has no list of cells'],
    ['metadata that is a text', file({ metadata: 'x' }), 'its metadata must be an object and is "x"'],
    ['a cell that is a number', file({ cells: [7] }), 'cell 1 must be an object and is 7'],
    ['a cell of an unknown type', file({ cells: [{ cell_type: 'sql' }] }), 'cell 1 is of type "sql"; types are code'],
    [
      'a cell without source',
      code({ source: undefined }),
      'cell 1 (code) has no source; give it one, or remove the cell',
    ],
    ['a source of numbers', code({ source: [1] }), 'the source of cell 1 (code) is neither text nor a list of lines'],
    ['outputs that are no list', code({ outputs: {} }), 'the outputs of cell 1 (code) are no list'],
    [
      'an unknown output',
      code({ outputs: [{ output_type: 'pyout' }] }),
      'output 1 of cell 1 (code) is of type "pyout"',
    ],
    [
      'an output without data',
      code({ outputs: [{ output_type: 'display_data' }] }),
      'the data of output 1 of cell 1 (code) must be an object and is missing',
    ],
  ])('%s', ([, text, message]) => {
    expect(() => parseNotebook(text, 'a/x.ipynb')).toThrow(NotebookError);
    expect(() => parseNotebook(text, 'a/x.ipynb')).toThrow(/^Cannot read a\/x\.ipynb: [^\n]+$/);
    expect(() => parseNotebook(text, 'a/x.ipynb')).toThrow(message);
  });

  test('that is not UTF-8, or not there', async () => {
    const path = join(folder, 'latin.ipynb');
    writeFileSync(path, Buffer.from('{"a": "\xe9"}', 'latin1'));
    await expect(readNotebook(path)).rejects.toThrow(`Cannot read ${path}: it is not UTF-8 text`);
    await expect(readNotebook(join(folder, 'none.ipynb'))).rejects.toThrow('there is no such file');
  });
});
