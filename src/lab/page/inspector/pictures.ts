/** The pictures of a view: what its charts and drawings give for the exports. */
import { createContext } from 'preact';
import { useContext, useEffect } from 'preact/hooks';

/** Gives a drawing as SVG text, with `width` and `height` in pixels. */
export type Picture = () => Promise<string>;

/** The pictures of the view around, in no particular order: each under the element that it is drawn in. */
export const Pictures = createContext<Map<Element, Picture>>(new Map());

/** Has the element's drawing among the exports while it is shown. */
export function usePicture(element: { readonly current: Element | null }, picture: Picture): void {
  const pictures = useContext(Pictures);
  useEffect(() => {
    const { current } = element;
    if (!current) return;
    pictures.set(current, picture);
    return () => {
      pictures.delete(current);
    };
  });
}

/** Properties that a drawing in the page has from its style sheet, and a file has to say itself. */
const STYLES = [
  ...['fill', 'fill-opacity', 'stroke', 'stroke-width', 'stroke-dasharray', 'stroke-opacity', 'stroke-linecap'],
  ...['opacity', 'font-family', 'font-size', 'font-weight', 'text-anchor', 'dominant-baseline', 'visibility'],
];

/** An SVG element of the page as text that needs no style sheet. */
export function standaloneSvg(svg: SVGSVGElement): string {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const copies = [copy, ...copy.querySelectorAll<SVGElement>('*')];
  for (const [i, original] of [svg, ...svg.querySelectorAll<SVGElement>('*')].entries()) {
    const found = getComputedStyle(original);
    copies[i]?.setAttribute('style', STYLES.map((name) => `${name}:${found.getPropertyValue(name)}`).join(';'));
  }
  const { width, height } = svg.getBoundingClientRect();
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  copy.setAttribute('width', `${Math.ceil(width)}`);
  copy.setAttribute('height', `${Math.ceil(height)}`);
  return new XMLSerializer().serializeToString(copy);
}

/** Drawings one below the other, as one, on a page of that colour. */
export function stacked(
  svgs: readonly string[],
  background: string,
): { readonly svg: string; width: number; height: number } {
  let width = 0;
  let height = 0;
  const parts = svgs.map((text) => {
    const root = new DOMParser().parseFromString(text, 'image/svg+xml').documentElement;
    root.setAttribute('y', `${height}`);
    width = Math.max(width, Number.parseFloat(root.getAttribute('width') ?? '0'));
    height += Number.parseFloat(root.getAttribute('height') ?? '0');
    return new XMLSerializer().serializeToString(root);
  });
  const page = `<rect width="100%" height="100%" fill="${background}"/>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${page}${parts.join('')}</svg>`;
  return { svg, width, height };
}

/**
 * Drawn at twice the size, so that it is sharp on paper. Rejects where the browser cannot draw it. As text and not by `toBlob`, which
 * in Chromium waits until the page is idle, up to 6.7 seconds.
 */
export async function pngOf({ svg, width, height }: ReturnType<typeof stacked>): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = document.createElement('canvas');
  canvas.width = 2 * width;
  canvas.height = 2 * height;
  const context = canvas.getContext('2d');
  context?.scale(2, 2);
  context?.drawImage(image, 0, 0, width, height);
  const base64 = canvas.toDataURL().split(',')[1];
  if (!base64) throw new Error('Cannot make the PNG: the drawing is too large; take the SVG instead');
  return new Blob([Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0))], { type: 'image/png' });
}
