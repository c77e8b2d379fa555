/** Light or dark: as the system has it, or as was chosen in the page and is remembered in the browser. */
import { computed, effect, signal } from '@preact/signals';
import { applyTheme, type Choice, rememberChoice, rememberedChoice, type Theme } from './choice.ts';

export type { Choice, Theme } from './choice.ts';

const systemIsDark = matchMedia('(prefers-color-scheme: dark)');
const system = signal<Theme>(systemIsDark.matches ? 'dark' : 'light');
systemIsDark.addEventListener('change', ({ matches }) => {
  system.value = matches ? 'dark' : 'light';
});

/** What was asked for. */
export const choice = signal<Choice>(rememberedChoice());

/** What is drawn. */
export const theme = computed<Theme>(() => (choice.value === 'system' ? system.value : choice.value));

effect(() => rememberChoice(choice.value));
effect(() => applyTheme(theme.value));
