/** Stands for the inspector's process: says its folder, echoes, and ends as it is told. */

/** @param {string | Uint8Array} message */
const say = (message) => process.send?.(message);

process.on('disconnect', () => process.exit(0));
process.on('message', (/** @type {string | Uint8Array} */ message) => {
  if (message === 'folder') say(process.argv[2] ?? '');
  else if (message === 'exit') process.exit(3);
  else if (message === 'flood') for (let i = 0; i < 200; i++) say(new Uint8Array(1e6));
  else if (message === 'pid') say(`${process.pid}`);
  else say(message);
});
