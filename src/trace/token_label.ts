/** Tokens as labels: readable whatever a piece holds, and no two positions alike. */
import type { Manifest, Trace } from './trace.ts';

/** The label of a position: `3 ␣Tom`. The number keeps repeated tokens apart. */
export function tokenLabel({ manifest }: Pick<Trace, 'manifest'>, position: number): string {
  const piece = manifest.pieces?.[position];
  return piece === undefined ? `${position}` : `${position} ${shown(piece)}`;
}

/** What the ids of a text spell, by its own manifest; other ids are not known without a vocabulary. */
export function knownPieces({ tokens = [], pieces = [] }: Manifest): ReadonlyMap<number, string> {
  return new Map(tokens.flatMap((id, i) => (pieces[i] === undefined ? [] : [[id, pieces[i]] as const])));
}

/** Control, format and separator characters, none of which would show. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A piece that can be read: spaces as `␣`, newlines as `\n`, what else has no shape by its code point. */
export function shown(piece: string): string {
  const text = piece.replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t').replaceAll(' ', '␣');
  return text.replace(UNSEEN, (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`);
}
