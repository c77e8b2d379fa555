/** The lab: the file list, notebooks and the inspector, around one server. */
import './styles.ts';
import { effect, signal } from '@preact/signals';
import { h, render } from 'preact';
import { Notebooks } from './notebook/notebooks.ts';
import { connectServices } from './notebook/server.ts';
import { watchServer } from './notebook/server_watch.ts';
import { mountFileList } from './shell/file_list.tsx';
import { makeFrame } from './shell/frame.ts';
import { NoticeList, Notices } from './shell/notices.tsx';
import type { LabActions } from './shell/panes.ts';
import { tellOfServer } from './shell/server_notice.ts';
import { mountWelcome } from './shell/welcome.tsx';
import { theme } from './theme/theme.ts';

const frame = makeFrame();
const notices = new Notices();
render(h(NoticeList, { notices }), frame.notices);

const services = connectServices();
const { contents } = services;
const notebooks = new Notebooks(services, frame.notebooks);
tellOfServer(watchServer(services.serverSettings), notices, notebooks);

const chosenFile = signal<string | null>(null);
const lab: LabActions = {
  openNotebook: (path) => void notebooks.open(path),
  theme,
  chosenFile,
  insertCell: (code) => notebooks.insertCell(code).catch(() => copied(code)),
};

/** Where no notebook takes it. */
async function copied(code: string): Promise<string> {
  await navigator.clipboard.writeText(code);
  return 'Copied: no notebook is open, and none could be made';
}

// The inspector is loaded when its pane is first seen; what keeps it away is said in the pane.
let isInspectorThere = false;
effect(() => {
  if (frame.inspectorState.value === 'closed' || isInspectorThere) return;
  isInspectorThere = true;
  import('./inspector/index.tsx')
    .then(({ mountInspector }) => mountInspector(frame.inspector, lab))
    .catch((error) => {
      frame.inspector.replaceChildren(Object.assign(document.createElement('p'), { className: 'problem' }));
      frame.inspector.firstElementChild?.append(error instanceof Error ? error.message : String(error));
    });
});

mountFileList(frame.files, {
  contents,
  inFront: notebooks.inFront,
  openNotebook: lab.openNotebook,
  createNotebook: (folder) => notebooks.create(folder),
  inspect(path) {
    chosenFile.value = path;
    if (frame.inspectorState.value === 'closed') frame.inspectorState.value = 'open';
  },
});
void mountWelcome(frame.welcome, {
  contents,
  openNotebook: lab.openNotebook,
  createNotebook: () => notebooks.create(''),
});

// The notebook in front is in the address and in the title: a page that is loaded again shows it again.
const asked = new URLSearchParams(location.search).get('notebook');
if (asked) lab.openNotebook(asked);
effect(() => {
  const path = notebooks.inFront.value;
  frame.welcome.hidden = path !== null;
  document.title = path ? `${path.split('/').pop()} · Layerscope` : 'Layerscope';
  const address = new URL(location.href);
  if (path) address.searchParams.set('notebook', path);
  else address.searchParams.delete('notebook');
  history.replaceState(history.state, '', address);
});
