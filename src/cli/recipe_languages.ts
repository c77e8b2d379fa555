/**
 * A dump writer in each language: at most twenty lines to paste into somebody's engine, which write what `readDump` reads, a
 * file `<name>.f32` of little-endian floats for each value and a manifest.json with the tokens.
 */

export interface RecipeLanguage {
  /** What to save it as. */
  readonly file: string;
  /** How a value is handed over. */
  readonly call: string;
  readonly code: (folder: string, manifest: string) => string;
}

/** C99 and POSIX, for mkdir. */
const c: RecipeLanguage = {
  file: 'dump.h',
  call: 'dump("l_out-0", values, count);',
  code: (
    folder,
    manifest,
  ) => `// Call dump_begin() once, then dump() with each value where it is made: floats, row by row.
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static void dump_bytes(const char *name, const char *ending, const void *bytes, size_t count) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s%s", ${JSON.stringify(folder)}, name, ending);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, count, file) != count || fclose(file)) { perror(path); exit(1); }
}
static void dump(const char *name, const float *values, size_t count) {
    dump_bytes(name, ".f32", values, count * sizeof *values);
}
static void dump_begin(void) {
    static const char manifest[] = ${JSON.stringify(manifest)};
    mkdir(${JSON.stringify(folder)}, 0777);
    dump_bytes("manifest", ".json", manifest, sizeof manifest - 1);
}
`,
};

const rust: RecipeLanguage = {
  file: 'dump.rs',
  call: 'dump("l_out-0", &values);',
  code: (
    folder,
    manifest,
  ) => `// Call dump_begin() once, then dump() with each value where it is made: floats, row by row.
use std::{fs, path::Path};

pub fn dump_begin() {
    fs::create_dir_all(${JSON.stringify(folder)}).expect("make the dump's folder");
    let manifest = r#"${manifest}"#;
    fs::write(Path::new(${JSON.stringify(folder)}).join("manifest.json"), manifest).expect("write manifest.json");
}

pub fn dump(name: &str, values: &[f32]) {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    fs::write(Path::new(${JSON.stringify(folder)}).join(format!("{name}.f32")), bytes).expect(name);
}
`,
};

const python: RecipeLanguage = {
  file: 'dump.py',
  call: 'dump("l_out-0", tensor.float().flatten().tolist())',
  code: (
    folder,
    manifest,
  ) => `# Call dump_begin() once, then dump() with each value where it is made: floats, row by row.
import array, os, sys

def dump_begin():
    os.makedirs(${JSON.stringify(folder)}, exist_ok=True)
    with open(os.path.join(${JSON.stringify(folder)}, "manifest.json"), "w") as file:
        file.write(${JSON.stringify(manifest)})

def dump(name, values):
    numbers = array.array("f", values)
    if sys.byteorder == "big":
        numbers.byteswap()
    with open(os.path.join(${JSON.stringify(folder)}, name + ".f32"), "wb") as file:
        numbers.tofile(file)
`,
};

const swift: RecipeLanguage = {
  file: 'Dump.swift',
  call: 'try dump("l_out-0", values)',
  code: (folder, manifest) => `// Untried: no test of ours compiles this.
// Call dumpBegin() once, then dump() with each value where it is made: floats, row by row.
import Foundation

let dumpFolder = URL(fileURLWithPath: ${JSON.stringify(folder)})

func dumpBegin() throws {
    try FileManager.default.createDirectory(at: dumpFolder, withIntermediateDirectories: true)
    try Data(#"${manifest}"#.utf8).write(to: dumpFolder.appendingPathComponent("manifest.json"))
}

func dump(_ name: String, _ values: [Float]) throws {
    let bits = values.map { $0.bitPattern.littleEndian }
    try bits.withUnsafeBytes { Data($0) }.write(to: dumpFolder.appendingPathComponent(name + ".f32"))
}
`,
};

export const recipeLanguages = { rust, c, python, swift } as const satisfies Record<string, RecipeLanguage>;

export type RecipeLanguageName = keyof typeof recipeLanguages;
