/**
 * Text of a terminal as HTML: colours and weights (SGR of ECMA-48, with 256 colours and RGB), lines that were overwritten
 * by a carriage return. Other escape sequences are left out.
 */
import { escapeHtml } from '../escape.ts';

interface Style {
  readonly color?: string;
  readonly background?: string;
  readonly isBold?: boolean;
  readonly isFaint?: boolean;
  readonly isItalic?: boolean;
  readonly isUnderlined?: boolean;
  readonly isInverse?: boolean;
}

const ESCAPE = '\u001b';
/** Control sequences (CSI), then commands to the operating system (OSC), then two-character escapes. */
const SEQUENCES = new RegExp(
  `${ESCAPE}\\[([\\d;:?]*)[ -/]*([@-~])|${ESCAPE}\\][^\\u0007${ESCAPE}]*(?:\\u0007|${ESCAPE}\\\\)|${ESCAPE}.?`,
  'g',
);

export function ansiHtml(text: string): string {
  let style: Style = {};
  let html = '';
  let end = 0;
  const source = text.split('\n').map(lastWritten).join('\n');
  for (const match of source.matchAll(SEQUENCES)) {
    html += span(source.slice(end, match.index), style);
    end = match.index + match[0].length;
    if (match[2] === 'm') style = styled(style, match[1] ?? '');
  }
  return html + span(source.slice(end), style);
}

/** What a line shows after its carriage returns: its last part; a shorter one hides the longer part before it whole. */
function lastWritten(line: string): string {
  return line.split('\r').findLast((part) => part !== '') ?? '';
}

function span(text: string, style: Style): string {
  // What is left of the controls would be invisible.
  const html = escapeHtml(text.replace(/[^\P{Cc}\n\t]/gu, ''));
  const css = html === '' ? '' : cssOf(style);
  return css === '' ? html : `<span style="${css}">${html}</span>`;
}

/** On a background of its own, text that has no colour takes the page's: the palette is made to be read against that. */
function cssOf({ color, background, isInverse, ...rest }: Style): string {
  const back = isInverse ? (color ?? 'var(--text)') : background;
  const front = (isInverse ? background : color) ?? (back && 'var(--page)');
  return [
    front && `color:${front}`,
    back && `background:${back}`,
    rest.isBold && 'font-weight:bold',
    rest.isFaint && 'opacity:.75',
    rest.isItalic && 'font-style:italic',
    rest.isUnderlined && 'text-decoration:underline',
  ]
    .filter(Boolean)
    .join(';');
}

/** The style after a "select graphic rendition" with these parameters. */
function styled(before: Style, parameters: string): Style {
  const codes = parameters.split(/[;:]/).map(Number);
  let style = before;
  while (codes.length > 0) style = afterCode(style, codes);
  return style;
}

/** Takes one code, with the numbers that belong to it, off the front. */
function afterCode(style: Style, codes: number[]): Style {
  const code = codes.shift() ?? 0;
  if (code === 0) return {};
  if (code === 1) return { ...style, isBold: true };
  if (code === 2) return { ...style, isFaint: true };
  if (code === 3) return { ...style, isItalic: true };
  if (code === 4) return { ...style, isUnderlined: true };
  if (code === 7) return { ...style, isInverse: true };
  if (code === 22) return { ...style, isBold: false, isFaint: false };
  if (code === 23) return { ...style, isItalic: false };
  if (code === 24) return { ...style, isUnderlined: false };
  if (code === 27) return { ...style, isInverse: false };
  if (code === 38) return withPart(style, 'color', extendedColor(codes));
  if (code === 48) return withPart(style, 'background', extendedColor(codes));
  if (code === 39) return withPart(style, 'color', undefined);
  if (code === 49) return withPart(style, 'background', undefined);
  if (code >= 30 && code <= 37) return { ...style, color: paletteColor(code - 30) };
  if (code >= 90 && code <= 97) return { ...style, color: paletteColor(code - 82) };
  if (code >= 40 && code <= 47) return { ...style, background: paletteColor(code - 40) };
  if (code >= 100 && code <= 107) return { ...style, background: paletteColor(code - 92) };
  return style;
}

function withPart(style: Style, part: 'color' | 'background', value: string | undefined): Style {
  const { [part]: _, ...rest } = style;
  return value === undefined ? rest : { ...rest, [part]: value };
}

/** `5;n` of 256 colours or `2;r;g;b`, taken off the front. */
function extendedColor(codes: number[]): string | undefined {
  const kind = codes.shift();
  if (kind === 5) return paletteColor(codes.shift() ?? 0);
  if (kind !== 2) return undefined;
  return `rgb(${codes.splice(0, 3).join(' ')})`;
}

/** The 16 colours are the page's; then a cube of 6 × 6 × 6, then 24 greys (xterm). */
function paletteColor(n: number): string {
  if (n < 16) return `var(--ansi-${n})`;
  if (n >= 232)
    return `rgb(${Array(3)
      .fill(8 + 10 * (n - 232))
      .join(' ')})`;
  const level = (digit: number) => (digit === 0 ? 0 : 55 + 40 * digit);
  const cube = n - 16;
  return `rgb(${[Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map(level).join(' ')})`;
}
