/** Pictures that Markdown names, as data: URLs: attachments of the cell, and files beside the notebook. */
import { readFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import type { TextCell } from './notebook.ts';

const MIME_TYPES: Readonly<Record<string, string>> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
  '.avif': 'image/avif',
  '.svg': 'image/svg+xml',
};

/** The picture at this address; undefined where it is on the network, or there is no such file. */
export async function findPicture(address: string, cell: TextCell, folder: string): Promise<string | undefined> {
  if (address.startsWith('data:')) return address;
  if (address.startsWith('attachment:')) return attached(decoded(address.slice('attachment:'.length)), cell);
  const mime = MIME_TYPES[extname(address).toLowerCase()];
  if (mime === undefined || /^(\w[\w+.-]*:|\/\/)/.test(address)) return undefined;
  const bytes = await readFile(resolve(folder, decoded(address))).catch(() => undefined);
  return bytes && dataUrl(mime, bytes);
}

export function dataUrl(mime: string, content: Uint8Array | string): string {
  return `data:${mime};base64,${Buffer.from(content).toString('base64')}`;
}

function attached(name: string, { attachments }: TextCell): string | undefined {
  const [found] = Object.entries(attachments[name] ?? {}).filter(([mime]) => mime.startsWith('image/'));
  if (!found || typeof found[1] !== 'string') return undefined;
  const [mime, content] = found;
  return mime === 'image/svg+xml'
    ? dataUrl(mime, found[1])
    : `data:${mime};base64,${`${content}`.replaceAll(/\s/g, '')}`;
}

function decoded(address: string): string {
  try {
    return decodeURIComponent(address);
  } catch {
    return address; // A lone % stands for itself.
  }
}
