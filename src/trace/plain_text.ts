/** Plain text as a terminal or a notebook shows it: in columns that line up, with nothing in it that is obeyed or hidden. */

/** Rows as aligned text; numbers (`align: 'right'`) end at the column's edge. */
export function table(rows: readonly (readonly string[])[], align: readonly ('left' | 'right')[] = []): string {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, shownWidth(cell));
  return rows
    .map((row) =>
      row
        .map((cell, i) => {
          const padding = ' '.repeat(widths[i]! - shownWidth(cell));
          return align[i] === 'right' ? padding + cell : cell + padding;
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Four significant digits, as a table shows a number. */
export function short(value: number | null): string {
  if (value === null || Number.isNaN(value)) return '–';
  const size = Math.abs(value);
  if (value === 0) return '0';
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : value.toPrecision(4);
}

/** Three significant digits, as a sentence has a number. */
export function threeDigits(x: number): string {
  const size = Math.abs(x);
  return size !== 0 && (size >= 1e5 || size < 1e-3) ? x.toExponential(1) : `${Number(x.toPrecision(3))}`;
}

const graphemes = new Intl.Segmenter();

/** The text in at most `columns` columns, with an ellipsis where it was longer. */
export function cut(text: string, columns: number): string {
  if (shownWidth(text) <= columns) return text;
  let kept = '';
  for (const { segment } of graphemes.segment(text)) {
    if (shownWidth(kept + segment) > columns - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

const WIDE = /\p{Emoji_Presentation}|\ufe0f|[ᄀ-ᅟ⺀-꓏가-힣豈-﫿︰-﹏＀-｠￠-￦\u{1F300}-\u{1FAFF}\u{20000}-\u{3FFFD}]/u;
const INVISIBLE = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;

/** Columns a terminal gives the text: 2 for CJK and emoji (Unicode's East Asian wide), 1 for other graphemes. */
export function shownWidth(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += WIDE.test(segment) ? 2 : INVISIBLE.test(segment) ? 0 : 1;
  return width;
}

/** Characters that a terminal obeys or hides: controls, line separators, direction marks, the byte order mark. */
const OBEYED = /[\p{Cc}\u2028\u2029\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

const SPELLINGS = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

/** A token or text so that a line stays a line: what a terminal would obey is spelt out, spaces are kept. */
export function visible(text: string): string {
  return text.replaceAll('\\', '\\\\').replace(OBEYED, spelt);
}

/** Text of many lines: newlines and tabs are kept, what else a terminal would obey is spelt out. */
export function visibleLines(text: string): string {
  return text.replace(OBEYED, (character) => (/[\n\t]/.test(character) ? character : spelt(character)));
}

function spelt(character: string): string {
  return SPELLINGS.get(character) ?? `\\u{${character.codePointAt(0)!.toString(16)}}`;
}
