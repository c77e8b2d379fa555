/** `layerscope doctor`: what this machine has, and what to do about what is missing. */
import { Command } from 'commander';
import { doctor, formatDoctor } from '../node/doctor.ts';
import { findLibraries, librariesFolder, packageVersion } from '../oracle/package.ts';
import { jsonOption, printJson } from './model.ts';

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('show GPU, limits, features, versions, and what to do about what is missing')
    .addOption(jsonOption())
    .action(async (options: { json?: boolean }) => {
      const report = await doctor({ llamaCpp });
      if (options.json) return printJson(report);
      process.stdout.write(`${formatDoctor(report)}\n`);
    });
}

/** The version of llama.cpp's package; throws where it or one of its libraries is missing. */
function llamaCpp(): string | null {
  findLibraries(librariesFolder());
  return packageVersion();
}
