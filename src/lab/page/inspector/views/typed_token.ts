/** Tokens as somebody types them: `␣Lily`, or `#366` for an id. */

/** Null where nothing is typed. Whether it is a token, the session knows. */
export function typedToken(text: string): string | number | null {
  const bare = text.trim();
  if (bare === '') return null;
  const id = /^#(\d{1,9})$/.exec(bare)?.[1];
  return id === undefined ? bare.replaceAll('␣', ' ') : Number(id);
}

/** Several, with commas between. */
export function typedTokens(text: string): (string | number)[] {
  return text.split(',').flatMap((part) => typedToken(part) ?? []);
}
