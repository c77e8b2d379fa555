/** The row above a notebook: its actions as buttons, the kind of the active cell, what the kernel does. */
import type { CellType } from '@jupyterlab/nbformat';
import { NotebookActions } from '@jupyterlab/notebook';
import { CommandRegistry } from '@lumino/commands';
import type { Widget } from '@lumino/widgets';
import { type ReadonlySignal, useComputed } from '@preact/signals';
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Icon } from '../shell/icon.tsx';
import { ACTIONS, type ActionId } from './actions.ts';
import type { KernelState } from './kernel_state.ts';
import type { NotebookTab } from './notebook_tab.ts';

interface ToolbarParts {
  readonly tab: NotebookTab;
  readonly commands: CommandRegistry;
  readonly kernel: ReadonlySignal<KernelState>;
}

/** In groups; those with `true` show their label too, where there is room. */
const GROUPS: readonly (readonly (readonly [ActionId, boolean])[])[] = [
  [['save', true]],
  [
    ['run', true],
    ['run-all', true],
    ['interrupt', true],
    ['restart', true],
    ['restart-run-all', false],
  ],
  [
    ['insert-below', true],
    ['move-up', false],
    ['move-down', false],
    ['delete', false],
  ],
];

function Toolbar({ tab, commands, kernel }: ToolbarParts) {
  return (
    <>
      {GROUPS.map((group) => (
        <div key={group[0]?.[0]} class="group">
          {group.map(([id, isLabelled]) => (
            <ActionButton key={id} id={id} isLabelled={isLabelled} commands={commands} />
          ))}
        </div>
      ))}
      <CellTypeChoice tab={tab} />
      <KernelLight kernel={kernel} />
    </>
  );
}

function ActionButton(props: {
  readonly id: ActionId;
  readonly isLabelled: boolean;
  readonly commands: CommandRegistry;
}) {
  const { id, isLabelled, commands } = props;
  const { label, icons = [] } = ACTIONS[id];
  const keys = commands.keyBindings.find(({ command }) => command === id)?.keys ?? [];
  const stroke = keys.map((key) => CommandRegistry.formatKeystroke(key)).join(' ');
  const title = `${commands.caption(id)}${stroke ? ` (${stroke})` : ''}`;
  return (
    <button
      type="button"
      data-action={id}
      title={title}
      aria-label={isLabelled ? undefined : commands.caption(id)}
      // The focus stays in the cell that the button acts on.
      onMouseDown={(event) => event.preventDefault()}
      onClick={() => void commands.execute(id)}
    >
      {icons.map((icon) => (
        <Icon key={icon.name} icon={icon} />
      ))}
      {isLabelled && <span class="label">{label}</span>}
    </button>
  );
}

const CELL_TYPES: Readonly<Record<CellType, string>> = { code: 'Code', markdown: 'Markdown', raw: 'Raw' };

function CellTypeChoice({ tab }: Pick<ToolbarParts, 'tab'>) {
  const { content } = tab.panel;
  const [type, setType] = useState<string>('code');
  useEffect(() => {
    const look = () => setType(content.activeCell?.model.type ?? 'code');
    look();
    content.activeCellChanged.connect(look);
    return () => void content.activeCellChanged.disconnect(look);
  }, [content]);
  return (
    <select
      aria-label="Kind of the cell"
      title="Kind of the cell"
      value={type}
      onChange={({ currentTarget }) => {
        NotebookActions.changeCellType(content, currentTarget.value as CellType);
        content.activate();
      }}
    >
      {Object.entries(CELL_TYPES).map(([value, label]) => (
        <option key={value} value={value}>
          {label}
        </option>
      ))}
    </select>
  );
}

function KernelLight({ kernel }: Pick<ToolbarParts, 'kernel'>) {
  const title = useComputed(() => `Kernel: ${kernel.value.text}`);
  return (
    <span class="kernel-light" data-state={kernel.value.light} title={title}>
      <span class="lamp" aria-hidden="true" />
      <span>{kernel.value.text}</span>
    </span>
  );
}

/** The toolbar as a widget; it ends with its tab. */
export function drawToolbar(host: Widget, parts: ToolbarParts): void {
  host.addClass('notebook-toolbar');
  host.node.setAttribute('role', 'toolbar');
  host.node.setAttribute('aria-label', 'Notebook');
  render(<Toolbar {...parts} />, host.node);
  host.disposed.connect(() => render(null, host.node));
}
