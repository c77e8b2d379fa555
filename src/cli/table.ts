/** Text tables for a terminal: columns as wide as their widest cell, counted as a terminal shows them. */

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

/** A token or text so that a line stays a line: control characters are shown, spaces kept. */
export function visible(text: string): string {
  return JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"');
}

/** Three significant digits, as a table shows a number. */
export function short(value: number | null): string {
  if (value === null) return '–';
  const size = Math.abs(value);
  if (value === 0) return '0';
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : value.toPrecision(4);
}

/** Columns a terminal gives the text: 2 for CJK and emoji, by the East Asian wide ranges of Unicode. */
function shownWidth(text: string): number {
  let width = 0;
  for (const character of text)
    width += /[ᄀ-ᅟ⺀-꓏가-힣豈-﫿︰-﹏＀-｠￠-￦\u{1F300}-\u{1FAFF}\u{20000}-\u{3FFFD}]/u.test(character) ? 2 : 1;
  return width;
}
