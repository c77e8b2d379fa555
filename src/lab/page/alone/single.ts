/** layerscope.html: engine, model and lesson are in the page itself, so that it opens from a disk as well. */
import './alone.css';
import { mountAlone } from './alone.tsx';

/** The text of an element that holds data. */
function held(id: string): string {
  const element = document.getElementById(id);
  if (!element?.textContent) {
    throw new Error(`Cannot open this page: its part "${id}" is missing; download the file again`);
  }
  return element.textContent;
}

function bytesOfBase64(text: string): Uint8Array<ArrayBuffer> {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < characters.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

const name = document.getElementById('model')?.dataset.name ?? 'model.gguf';
const model = new File([bytesOfBase64(held('model').trim())], name);
void mountAlone({ script: { text: held('engine') }, beside: [], inside: model });
