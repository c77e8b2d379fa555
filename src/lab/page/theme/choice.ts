/** The theme as the document and the browser's storage have it; what has to be known before the first paint. */

export type Theme = 'light' | 'dark';

/** `system` follows the operating system. */
export type Choice = 'system' | Theme;

const KEY = 'layerscope.theme';

export function rememberedChoice(): Choice {
  const found = localStorage.getItem(KEY);
  return found === 'light' || found === 'dark' ? found : 'system';
}

export function rememberChoice(choice: Choice): void {
  localStorage.setItem(KEY, choice);
}

/** JupyterLab's styles ask for its attribute, ours for `data-theme`. The dark style sheet lies over the light one. */
export function applyTheme(theme: Theme): void {
  const { dataset } = document.documentElement;
  dataset.theme = theme;
  dataset.jpThemeLight = `${theme === 'light'}`;
  document.querySelector<HTMLLinkElement>('#dark-theme')?.setAttribute('media', theme === 'dark' ? 'all' : 'not all');
}
