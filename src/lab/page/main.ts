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
  insertCell: (code) => void notebooks.insertCell(code),
  openNotebook: (path) => void notebooks.open(path),
  theme,
  chosenFile,
};

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
