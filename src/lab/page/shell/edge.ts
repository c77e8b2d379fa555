/**
 * The edge between two panes, moved by the mouse or, where it has the focus, by arrow keys, Home and End; as the ARIA
 * Authoring Practices have their window splitter. Widths are remembered in the browser.
 */

/** How far one key moves it; in CSS pixels. */
const STEP = 24;

export interface EdgeParts {
  /** The element of the edge, with its label. */
  readonly edge: HTMLElement;
  /** On which side of the edge the pane is whose width it decides. */
  readonly side: 'left' | 'right';
  /** The custom property that holds the width, and under which it is remembered. */
  readonly property: `--${string}`;
  readonly narrowest: number;
  /** Unless another was remembered. */
  width(): number;
  /** What is left for the panes, in CSS pixels. */
  widest(): number;
}

export function makeEdge({ edge, side, property, narrowest, width, widest }: EdgeParts): void {
  const key = `layerscope.width${property}`;
  const set = (wanted: number) => {
    const now = Math.round(Math.max(narrowest, Math.min(widest(), wanted)));
    document.documentElement.style.setProperty(property, `${now}px`);
    edge.ariaValueNow = `${now}`;
    edge.ariaValueMin = `${narrowest}`;
    edge.ariaValueMax = `${Math.round(Math.max(narrowest, widest()))}`;
    return now;
  };
  const current = () => Number(edge.ariaValueNow);
  const move = (wanted: number) => localStorage.setItem(key, `${set(wanted)}`);

  set(Number(localStorage.getItem(key)) || width());
  window.addEventListener('resize', () => set(Number(localStorage.getItem(key)) || width()));

  const outwards = side === 'left' ? 1 : -1;
  edge.addEventListener('keydown', (event) => {
    const wanted = {
      ArrowRight: current() + outwards * STEP,
      ArrowLeft: current() - outwards * STEP,
      Home: narrowest,
      End: widest(),
    }[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    move(wanted);
  });
  edge.addEventListener('pointerdown', (down) => {
    if (down.button !== 0) return;
    const from = current();
    edge.setPointerCapture(down.pointerId);
    const onMove = (event: PointerEvent) => void move(from + outwards * (event.clientX - down.clientX));
    edge.addEventListener('pointermove', onMove);
    edge.addEventListener('lostpointercapture', () => edge.removeEventListener('pointermove', onMove), { once: true });
  });
}
