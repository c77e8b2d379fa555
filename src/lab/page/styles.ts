/** Styles of the first visit, JupyterLab's before ours. Those of the themes are in theme/, those of pieces beside their scripts. */
import '@jupyterlab/notebook/style/index.js';
import '@jupyterlab/completer/style/index.js';
import '@jupyterlab/tooltip/style/index.js';
import './shell/shell.css';
import './notebook/notebook.css';
