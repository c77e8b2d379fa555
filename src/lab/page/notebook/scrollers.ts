/** Parts of outputs that scroll sideways, as wide tables and charts do, are reached by Tab and scrolled by arrow keys. */

const MAY_SCROLL = '.chart-output, .jp-OutputArea-output :is(.wide, [style*="overflow"])';

/** How long after the last change in the page it is looked at; in ms. */
const PAUSE_MS = 300;

/** Watches a notebook's node; what it returns ends that. */
export function reachScrollers(node: HTMLElement): () => void {
  let timer = 0;
  const look = () => {
    for (const part of node.querySelectorAll<HTMLElement>(MAY_SCROLL)) {
      const scrolls = part.scrollWidth > part.clientWidth || part.scrollHeight > part.clientHeight;
      if (scrolls) part.tabIndex = 0;
      else part.removeAttribute('tabindex');
    }
  };
  const lookSoon = () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(look, PAUSE_MS);
  };
  const changes = new MutationObserver(lookSoon);
  changes.observe(node, { childList: true, subtree: true });
  const sizes = new ResizeObserver(lookSoon);
  sizes.observe(node);
  return () => {
    window.clearTimeout(timer);
    changes.disconnect();
    sizes.disconnect();
  };
}
