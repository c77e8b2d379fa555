import { expect, test } from 'vitest';
import { ansiHtml } from '../../../src/notebook/ipynb/ansi.ts';

const ESC = '\u001b';

test.for<[what: string, text: string, html: string]>([
  ['plain text, escaped', `a <b> & "c" 'd'`, 'a &#60;b&#62; &#38; &#34;c&#34; &#39;d&#39;'],
  ['a colour and its end', `${ESC}[31mred${ESC}[39m.`, '<span style="color:var(--ansi-1)">red</span>.'],
  ['a bright colour', `${ESC}[91mred`, '<span style="color:var(--ansi-9)">red</span>'],
  [
    'bold and underlined, then reset',
    `${ESC}[1;4ma${ESC}[mb`,
    '<span style="font-weight:bold;text-decoration:underline">a</span>b',
  ],
  ['one of 256 colours', `${ESC}[38;5;208ma`, '<span style="color:rgb(255 135 0)">a</span>'],
  ['a grey of 256 colours', `${ESC}[38;5;232ma`, '<span style="color:rgb(8 8 8)">a</span>'],
  ['RGB, and what follows it', `${ESC}[38;2;1;2;3;1ma`, '<span style="color:rgb(1 2 3);font-weight:bold">a</span>'],
  [
    'a background, on which text stays legible',
    `${ESC}[43ma`,
    '<span style="color:var(--page);background:var(--ansi-3)">a</span>',
  ],
  ['inverse', `${ESC}[7;31ma`, '<span style="color:var(--page);background:var(--ansi-1)">a</span>'],
  ['a link of the terminal', `${ESC}]8;;https://example.org${ESC}\\a${ESC}]8;;${ESC}\\`, 'a'],
  ['a cursor that moves, and a bell', `a${ESC}[2K${ESC}[1Ab\u0007`, 'ab'],
  ['a line written over', 'first line\r50 %\r100 %\r\nnext', '100 %\nnext'],
  ['a style that cannot break out of its attribute', `${ESC}[38;2;"><script>m`, '38;2;&#34;&#62;&#60;script&#62;m'],
])('text of a terminal: %s', ([, text, html]) => {
  expect(ansiHtml(text)).toBe(html);
});
