/**
 * Makes the golden tensors of a model again:
 *
 *     npm run build && node dist/oracle/make_golden.js fixtures/MODEL.gguf ["PROMPT"]
 *
 * writes `fixtures/golden/MODEL.arrow` and prints its size and checksum for `fixtures/README.md`.
 */
import { basename, dirname, join } from 'node:path';
import { sha256 } from './digest.ts';
import { writeGolden } from './golden.ts';

/** 10 tokens with the shipped vocabulary; names that must be told apart, so attention has work to do. */
const PROMPT = 'Lily gave the ball to Tom. Tom thanked';
const LARGEST_FILE = 2_000_000;

const [model, prompt = PROMPT] = process.argv.slice(2);
if (model === undefined) {
  console.error('Usage: node dist/oracle/make_golden.js MODEL.gguf ["PROMPT"]');
  process.exit(2);
}

const output = join(dirname(model), 'golden', `${basename(model, '.gguf')}.arrow`);
const size = await writeGolden(output, model, prompt);
console.log(`${output}: ${size} bytes`);
console.log(`sha256 ${await sha256(output)}`);
if (size > LARGEST_FILE) {
  console.error(`Cannot ship ${output}: it has ${size} bytes; wanted at most ${LARGEST_FILE}; give a shorter prompt`);
  process.exit(1);
}
