/** Our charts are drawn for a white page; on the inspector's they take its colours, and on a dark one dark turns to light. */
import type { Theme } from './state.ts';

/** Colours that our charts name for the page, its text and its lines, and what they are on each page. */
const COLOURS: Readonly<Record<Theme, Readonly<Record<string, string>>>> = {
  light: { white: 'transparent' },
  dark: {
    white: 'transparent',
    black: '#e6e9ee',
    '#000000': '#e6e9ee',
    '#000': '#e6e9ee',
    '#444': '#a2abb6',
    '#e4e4e4': '#333a44',
    '#0072B2': '#56a8de',
  },
};

/** Text and lines that a spec says nothing of. */
const DARK = {
  title: { color: '#e6e9ee' },
  axis: { labelColor: '#c6ccd4', titleColor: '#e6e9ee', domainColor: '#5b6572', tickColor: '#5b6572' },
  header: { labelColor: '#c6ccd4', titleColor: '#e6e9ee' },
  legend: { labelColor: '#c6ccd4', titleColor: '#e6e9ee' },
  text: { color: '#e6e9ee' },
  rule: { color: '#a2abb6' },
};

type Node = Readonly<Record<string, unknown>>;

/** The spec as it looks on such a page. Data stays as it is. */
export function themed<Spec extends object>(spec: Spec, theme: Theme): Spec {
  const changed = recoloured(spec, COLOURS[theme]) as Spec & { readonly config?: Node };
  return theme === 'light' ? changed : { ...changed, config: merged(DARK, changed.config ?? {}) };
}

function recoloured(value: unknown, colours: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string') return colours[value] ?? value;
  if (Array.isArray(value)) return value.map((each) => recoloured(each, colours));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, isData(key) ? each : recoloured(each, colours)]),
  );
}

const isData = (key: string): boolean => key === 'data' || key === 'datasets' || key === 'domain' || key === 'sort';

function merged(base: Node, over: Node): Node {
  const keys = [...new Set([...Object.keys(base), ...Object.keys(over)])];
  return Object.fromEntries(
    keys.map((key) => {
      const [below, above] = [base[key], over[key]];
      return [key, isNode(below) && isNode(above) ? merged(below, above) : above === undefined ? below : above];
    }),
  );
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value);
