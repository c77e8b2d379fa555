/** The command line: `layerscope <command>`. Each command is one file in src/cli; exit code 1 is an error, 2 a wrong call. */
import { Command, CommanderError } from 'commander';
import { doctorCommand } from './cli/doctor.ts';
import { generateCommand } from './cli/generate.ts';
import { infoCommand } from './cli/info.ts';
import { modelsCommand } from './cli/models.ts';
import { startCommand } from './cli/start.ts';
import { tokenizeCommand } from './cli/tokenize.ts';
import { traceCommand } from './cli/trace.ts';
import { InterruptedError, LayerscopeError, UsageError } from './errors.ts';
import { version } from './version.ts';

const program = new Command('layerscope')
  .description('Open a Llama: run it one layer at a time, look at every tensor, write them to Arrow.')
  .version(version)
  .exitOverride()
  .showHelpAfterError('("layerscope --help" lists the commands)');

for (const command of [
  startCommand,
  traceCommand,
  generateCommand,
  tokenizeCommand,
  infoCommand,
  modelsCommand,
  doctorCommand,
]) {
  program.addCommand(command().exitOverride());
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
// Dawn's threads would keep the process alive.
process.exit();

/** Says what went wrong on stderr, in one line where we know it; gives the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof InterruptedError) {
    process.stderr.write(`${error.message}\n`);
    return 130;
  }
  if (error instanceof LayerscopeError) {
    process.stderr.write(`${error.message}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`Cannot finish: this is a bug in layerscope; please report it with the text below.\n${text}\n`);
  return 1;
}
