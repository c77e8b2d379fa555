import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RecipeLanguageName, recipeLanguages } from '../../src/cli/recipe_languages.ts';
import type { Model } from '../../src/engine/model.ts';
import { readDump } from '../../src/node/dump.ts';
import { findCompiler, findJupyterPython } from '../../src/node/host.ts';
import { openModel } from '../../src/node/index.ts';
import type { Trace } from '../../src/trace/trace.ts';
import { have } from '../skip.ts';
import { expectSame, littleEndian } from '../trace/dumps/traced.ts';
import { layerscope, Workplace } from './layerscope.ts';

const TOKENS = [1, 5, 9, 17];
const place = new Workplace();
let path = '';
let model: Model;
let trace: Trace;

beforeAll(async () => {
  path = await place.model('tiny.gguf');
  model = await openModel(path, { backend: 'reference' });
  ({ trace } = await model.start(TOKENS).toEnd());
});
afterAll(() => place.remove());

interface Recipe {
  readonly file: string;
  readonly code: string;
  readonly bytes: number;
  readonly tensors: readonly { readonly name: string; readonly shape: number[]; readonly bytes: number }[];
}

async function recipe(lang: string, ...more: string[]): Promise<Recipe> {
  const { code, stdout, stderr } = await layerscope([
    'recipe',
    path,
    '--tokens',
    `${TOKENS}`,
    '--lang',
    lang,
    '--json',
    ...more,
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

test.for(Object.keys(recipeLanguages))('the writer in %s has at most twenty lines', async (lang) => {
  const { code } = await recipe(lang);
  const lines = code.trimEnd().split('\n');
  expect(lines.length).toBeLessThanOrEqual(20);
  expect(lines[0]?.includes('Untried')).toBe(lang === 'swift');
});

test('the checklist is what a run of these tokens computes, in its order', async () => {
  const { tensors, bytes } = await recipe('c');
  expect(tensors.map(({ name, shape }) => ({ name, shape }))).toEqual(
    trace.entries.map(({ name, shape }) => ({ name, shape: [...shape] })),
  );
  expect(bytes).toBe(trace.entries.reduce((sum, { statistics }) => sum + 4 * statistics.n, 0));
});

/** Programs that hand every value of the run, from files beside them, to the writer. */
const engines: Readonly<Record<'c' | 'rust' | 'python', (writer: string, names: readonly string[]) => string>> = {
  c: (writer, names) => `#include "${writer}"
int main(void) {
    const char *names[] = { ${names.map((name) => `"${name}"`).join(', ')} };
    static float values[1 << 16];
    dump_begin();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512];
        snprintf(path, sizeof path, "values/%s", names[i]);
        FILE *file = fopen(path, "rb");
        if (!file) return 1;
        dump(names[i], values, fread(values, sizeof *values, 1 << 16, file));
        fclose(file);
    }
    return 0;
}
`,
  rust: (writer, names) => `include!("${writer}");
fn main() {
    dump_begin();
    for name in [${names.map((name) => `"${name}"`).join(', ')}] {
        let bytes = fs::read(format!("values/{name}")).unwrap();
        let values: Vec<f32> = bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
        dump(name, &values);
    }
}
`,
  python: (writer, names) => `import array
from ${writer.replace('.py', '')} import dump, dump_begin
dump_begin()
for name in [${names.map((name) => `"${name}"`).join(', ')}]:
    values = array.array("f")
    with open("values/" + name, "rb") as file:
        values.frombytes(file.read())
    dump(name, values.tolist())
`,
};

/** Puts writer, engine and values into a folder and gives what the engine wrote, read back. */
async function dumpedBy(lang: keyof typeof engines, run: (folder: string, engine: string) => void): Promise<Trace> {
  const folder = place.path(lang);
  mkdirSync(place.path(lang, 'values'), { recursive: true });
  for (const { name } of trace.entries) {
    writeFileSync(place.path(lang, 'values', name), littleEndian(await trace.tensor(name)));
  }
  const { file, code } = await recipe(lang, '--out', 'my dump 50%s');
  place.file(`${lang}/${file}`, code);
  run(folder, place.file(`${lang}/engine.${lang}`, engines[lang](file, trace.names)));
  return readDump(place.path(lang, 'my dump 50%s'), { model });
}

describe('what the writer wrote is the run, in every bit', () => {
  const here = (folder: string) => ({ cwd: folder, stdio: 'pipe', timeout: 120_000 }) as const;
  const written = async (dump: Trace) => {
    await expectSame(dump, { trace }, trace.names);
    expect(dump.manifest).toMatchObject({ tokens: TOKENS, bos: true, notRead: [] });
  };

  test('in C', async (context) => {
    const gcc = have(context, findCompiler('gcc'), 'no gcc on this machine');
    await written(
      await dumpedBy('c', (folder, engine) => {
        const flags = ['-std=c99', '-D_POSIX_C_SOURCE=200809L', '-Wall', '-Wextra', '-Werror'];
        execFileSync(gcc, [...flags, '-x', 'c', engine, '-o', 'engine'], here(folder));
        execFileSync('./engine', here(folder));
      }),
    );
  });

  test('in Rust', async (context) => {
    const rustc = have(context, findCompiler('rustc'), 'no rustc on this machine');
    await written(
      await dumpedBy('rust', (folder, engine) => {
        execFileSync(rustc, ['--edition', '2021', '-D', 'warnings', engine, '-o', 'engine'], here(folder));
        execFileSync('./engine', here(folder));
      }),
    );
  });

  test('in Python', async (context) => {
    const python = have(context, findJupyterPython(), 'no Python on this machine');
    await written(await dumpedBy('python', (folder, engine) => void execFileSync(python, [engine], here(folder))));
  });
});

test('for a reader it says what to save, what to call, what to write and what comes then', async () => {
  const { stdout } = await layerscope(['recipe', path, '--tokens', '1,5', '--lang', 'rust', '--select', 'l_out-*']);
  expect(stdout).toMatch(
    /^Save this as dump\.rs, run the tokens 1,5 and call dump\("l_out-0", &values\);\n\n\/\/ Call/,
  );
  expect(stdout).toMatch(
    /What to write: 2 tensors, 1\.02 kB\..*\n.*\n\nname +shape +bytes\nl_out-0 +token 2, embd 64 +512\n/,
  );
  expect(stdout).toMatch(/\n\nThen: npx layerscope compare dump .*tiny\.gguf'? --tokens 1,5\n$/);
});

describe('a wrong call is one line', () => {
  test.for<[what: string, message: string, args: string[]]>([
    ['no language', "required option '--lang <name>' not specified", ['--tokens', '1']],
    ['an unknown language', 'Allowed choices are rust, c, python, swift', ['--tokens', '1', '--lang', 'go']],
    ['no tokens', 'give --prompt TEXT, --chat TEXT or --tokens 1,2,3', ['--lang', 'c']],
    ['an id beyond the vocabulary', 'ids go from 0 to 399', ['--lang', 'c', '--tokens', '400']],
    [
      'no such tensor',
      'Cannot select "nothing-0": no step has that name',
      ['--lang', 'c', '--tokens', '1', '--select', 'nothing-0'],
    ],
  ])('%s', async ([, message, args]) => {
    const { code, stdout, stderr } = await layerscope(['recipe', path, ...args]);
    expect(stderr).toMatch(/^Cannot [^\n]+\n$/);
    expect(stderr).toContain(message);
    expect([code !== 0, stdout]).toEqual([true, '']);
  });
});

test('every language is one of the help', async () => {
  const { stdout } = await layerscope(['recipe', '--help']);
  for (const lang of Object.keys(recipeLanguages) as RecipeLanguageName[]) expect(stdout).toContain(`"${lang}"`);
  expect(stdout).toMatch(/Swift\s+is\s+untried/);
});
