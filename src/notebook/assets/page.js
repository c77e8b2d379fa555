/**
 * Runs in our HTML pages (src/notebook/ipynb/page.ts): makes what scrolls sideways reachable by keyboard, and draws
 * the charts in place of their still pictures. Vega's scripts are in the page only where it has charts.
 *
 * @typedef {object} PageElement what is used of an element; this project is compiled without a browser's types
 * @property {number} scrollWidth
 * @property {number} clientWidth
 * @property {number} tabIndex
 * @property {string} className
 * @property {string} textContent
 * @property {Record<string, string>} dataset
 * @property {{ add(name: string): void }} classList
 * @property {(name: string) => void} removeAttribute
 * @property {(...children: PageElement[]) => void} replaceChildren
 * @property {(selector: string) => PageElement} querySelector
 *
 * @typedef {object} Page
 * @property {{ createElement(tag: string): PageElement, querySelectorAll(selector: string): Iterable<PageElement> }} document
 * @property {(event: string, listener: () => void) => void} addEventListener
 * @property {(element: PageElement, spec: unknown, options: object) => Promise<unknown>} vegaEmbed
 */
const showPage = async () => {
  const { document, addEventListener, vegaEmbed } = /** @type {Page} */ (/** @type {unknown} */ (globalThis));

  const reachScrollers = () => {
    for (const element of document.querySelectorAll('pre, .wide, .live, .katex-display')) {
      if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
      else element.removeAttribute('tabindex');
    }
  };

  /** @param {PageElement} figure */
  const draw = async (figure) => {
    const script = figure.querySelector('script');
    const live = figure.querySelector('.live > div');
    const options = {
      mode: script.dataset.mode,
      actions: { export: true, source: false, compiled: false, editor: false },
    };
    try {
      await vegaEmbed(live, JSON.parse(script.textContent), options);
      figure.classList.add('drawn');
    } catch (error) {
      const note = document.createElement('p');
      note.className = 'note';
      note.textContent = `Cannot draw this chart: ${error instanceof Error ? error.message : error}`;
      live.replaceChildren(note);
    }
  };

  reachScrollers();
  addEventListener('resize', reachScrollers);
  for (const figure of document.querySelectorAll('figure.chart')) await draw(figure);
  reachScrollers();
};
showPage();
