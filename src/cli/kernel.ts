/** `layerscope kernel`: puts the kernel where Jupyter finds it, takes it away, and shows where it is. No Python is needed. */
import { join, resolve, sep } from 'node:path';
import { Command, Option } from 'commander';
import { KERNEL_NAME, KERNEL_PROGRAM } from '../notebook/kernelspec.ts';
import { kernelFolders, prefixKernels, thisMachine, userKernels } from '../notebook/kernelspec_folders.ts';
import { installKernel, type ListedKernel, listKernels, uninstallKernel } from '../notebook/kernelspec_install.ts';
import { jsonOption, printJson } from './model.ts';
import { commandLine } from './terminal.ts';

interface PlaceOptions {
  readonly prefix?: string;
  readonly json?: boolean;
}

interface InstallCommandOptions extends PlaceOptions {
  readonly name: string;
  readonly strict?: boolean;
  readonly force?: boolean;
}

const userOption = () => new Option('--user', 'in the folder of this user alone (default)').conflicts('prefix');
const prefixOption = () =>
  new Option('--prefix <dir>', 'in DIR/share/jupyter/kernels: a Python environment, or /usr/local');
const nameOption = () => new Option('--name <name>', 'what Jupyter calls the kernel').default(KERNEL_NAME);

export function kernelCommand(): Command {
  return new Command('kernel')
    .description("Jupyter's kernel for TypeScript cells: install, uninstall, list")
    .addCommand(
      new Command('install')
        .description('write the kernelspec, for JupyterLab, Notebook, VS Code and jupyter console')
        .addOption(userOption())
        .addOption(prefixOption())
        .addOption(nameOption())
        .option('--strict', "check cells with TypeScript's strict")
        .option('--force', 'replace a kernelspec of that name that Layerscope did not write')
        .addOption(jsonOption())
        .action(install),
    )
    .addCommand(
      new Command('uninstall')
        .description('remove a kernelspec that Layerscope wrote')
        .addOption(userOption())
        .addOption(prefixOption())
        .addOption(nameOption())
        .addOption(jsonOption())
        .action(uninstall),
    )
    .addCommand(
      new Command('list')
        .description('show where the kernel is installed, and whether it can still start')
        .addOption(prefixOption())
        .addOption(jsonOption())
        .action(list),
    );
}

async function install({ prefix, json, ...options }: InstallCommandOptions): Promise<void> {
  const installed = await installKernel(kernelsOf(prefix), options);
  if (json) return printJson(installed);
  const { name, folder, displayName } = installed;
  process.stdout.write(
    `Installed ${displayName} in ${folder}.\n` +
      `Choose it in JupyterLab, Notebook or VS Code; at a terminal: jupyter console --kernel ${name}\n`,
  );
  if (!kernelFolders(thisMachine()).includes(kernelsOf(prefix))) {
    const data = resolve(folder, '..', '..');
    process.stdout.write(`The Jupyter of that environment finds it; any other with JUPYTER_PATH=${data}\n`);
  }
  if (KERNEL_PROGRAM.split(sep).includes('_npx')) {
    process.stderr.write(
      "Layerscope lies in npm's cache, which npm may empty: npm install --global layerscope, then install the kernel again\n",
    );
  }
}

async function uninstall({ prefix, name, json }: InstallCommandOptions): Promise<void> {
  const folder = await uninstallKernel(kernelsOf(prefix), name);
  if (json) return printJson({ name, folder });
  process.stdout.write(`Removed ${folder}.\n`);
}

async function list({ prefix, json }: PlaceOptions): Promise<void> {
  const machine = thisMachine();
  const given = prefix === undefined ? [] : [kernelsOf(prefix)];
  const kernels = await listKernels([...new Set([...given, ...kernelFolders(machine)])]);
  if (json) return printJson(kernels);
  if (kernels.length === 0) {
    process.stdout.write(
      `No kernel of Layerscope is installed here. Install it: ${commandLine('kernel', 'install')}\n`,
    );
    return;
  }
  process.stdout.write(`${kernels.map(kernelText).join('\n')}\n`);
}

function kernelText(kernel: ListedKernel): string {
  const { name, folder, displayName, version, argv, missing } = kernel;
  const head = `${name}: ${displayName}, of Layerscope ${version}\n  in ${folder}\n`;
  if (missing.length === 0) return `${head}  starts ${argv[1]} with ${argv[0]}`;
  const gone = `${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} gone`;
  return `${head}  cannot start: ${gone}; install it again: ${commandLine('kernel', 'install', ...optionsOf(kernel))}`;
}

/** What installs the same kernel in the same place. */
function optionsOf({ name, folder, isStrict }: ListedKernel): string[] {
  const isUsers = folder === join(userKernels(thisMachine()), name);
  return [
    ...(isUsers ? [] : ['--prefix', resolve(folder, '..', '..', '..', '..')]),
    ...(name === KERNEL_NAME ? [] : ['--name', name]),
    ...(isStrict ? ['--strict'] : []),
  ];
}

/** The folder of kernels that the options name. */
function kernelsOf(prefix: string | undefined): string {
  const machine = thisMachine();
  return prefix === undefined ? userKernels(machine) : prefixKernels(resolve(prefix), machine);
}
