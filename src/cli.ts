/**
 * The command line: `layerscope <command>`. Each command is one file in src/cli. Exit code 1 is an error, 2 a wrong call,
 * 130 Ctrl-C; what went wrong is one line on stderr.
 */
import { Command, CommanderError } from 'commander';
import { checkCommand } from './cli/check.ts';
import { compareCommand } from './cli/compare.ts';
import { demoCommand } from './cli/demo.ts';
import { doctorCommand } from './cli/doctor.ts';
import { faultsCommand } from './cli/faults.ts';
import { generateCommand } from './cli/generate.ts';
import { infoCommand } from './cli/info.ts';
import { kernelCommand } from './cli/kernel.ts';
import { labCommand } from './cli/lab.ts';
import { mapCommand } from './cli/map.ts';
import { matrixCommand } from './cli/matrix.ts';
import { modelsCommand } from './cli/models.ts';
import type { StartCells } from './cli/notebook_file.ts';
import { recipeCommand } from './cli/recipe.ts';
import { runCommand } from './cli/run.ts';
import { exitOnSignals } from './cli/signals.ts';
import { stableCommand } from './cli/stable.ts';
import { startCommand } from './cli/start.ts';
import { tokenizeCommand } from './cli/tokenize.ts';
import { traceCommand } from './cli/trace.ts';
import { LayerscopeError, UsageError } from './errors.ts';
import { version } from './version.ts';

const program = new Command('layerscope')
  .description('Open a Llama: run it one layer at a time, look at every tensor, write them to Arrow.')
  .version(version);

/** Cells, with the compiler loaded only when a notebook is run. */
const startCells: StartCells = async (options) => (await import('./notebook/index.ts')).startCells(options);

const commands = [
  labCommand(),
  startCommand(startCells),
  demoCommand(),
  traceCommand(),
  compareCommand(),
  mapCommand(),
  generateCommand(),
  tokenizeCommand(),
  infoCommand(),
  modelsCommand(),
  recipeCommand(),
  faultsCommand(),
  matrixCommand(),
  checkCommand(),
  stableCommand(),
  runCommand(startCells),
  kernelCommand(),
  doctorCommand(),
];
for (const command of commands) program.addCommand(command);
/** All of them, with those of `kernel`. */
const calls = [program, ...commands, ...commands.flatMap((command) => command.commands)];
for (const call of calls) call.exitOverride().configureOutput({ outputError: () => {} });

exitOnSignals();
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // `layerscope … | head`: whoever read has enough.
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`Cannot write to stdout: ${error.message}; check the disk\n`);
  process.exit(1);
});
try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
await new Promise((written) => process.stdout.write('', written));
// Dawn's threads would keep the process alive.
process.exit();

/** Says what went wrong on stderr, in one line where we know it; gives the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return reportCall(error);
  if (error instanceof LayerscopeError) {
    process.stderr.write(`${error.message}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`Cannot finish: this is a bug in layerscope; please report it with the text below.\n${text}\n`);
  return 1;
}

/** A call that commander refused, in our words. Help that was asked for is no refusal. */
function reportCall({ exitCode, code, message }: CommanderError): number {
  if (exitCode === 0) return 0;
  if (code === 'commander.help') return 2; // Called without a command: its help is on stderr.
  const command = commands.find((each) => each.name() === process.argv[2]);
  const part = command?.commands.find((each) => each.name() === process.argv[3]);
  const call = ['layerscope', ...[command, part].flatMap((each) => (each ? [each.name()] : []))].join(' ');
  const found = message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '');
  process.stderr.write(`Cannot run ${call}: ${found}; "npx ${call} --help" shows how to call it\n`);
  return 2;
}
