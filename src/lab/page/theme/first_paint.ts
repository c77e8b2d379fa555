/** Runs in the page's head, before anything is painted: whoever chose dark sees no light page first. */
import { applyTheme, rememberedChoice } from './choice.ts';

const choice = rememberedChoice();
const systemIsDark = matchMedia('(prefers-color-scheme: dark)').matches;
applyTheme(choice === 'system' ? (systemIsDark ? 'dark' : 'light') : choice);
