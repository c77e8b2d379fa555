/** What a stranger's name says: which of our tensors it may mean, and the layer's number. */
import { beforeWords, fillerWords, layerWords, rotationWords, strangers, synonyms } from './synonyms.ts';

export interface ForeignName {
  /** The name with `#` for the layer's number: what names of one tensor in several layers share. Empty where it says nothing. */
  readonly pattern: string;
  /** As it is written: from 0 or from 1 is not known here. */
  readonly number: number | null;
  /** Our names without the layer that the words stand for; null where they are none we know. */
  readonly stems: readonly string[] | null;
  /** Whether it is known as something that we have no tensor of. */
  readonly isStranger: boolean;
  /** The words that were understood, for the evidence. */
  readonly phrase: string;
}

/** Of every name of a dump: a number that all of them begin with and none shares is the place in the dump, no layer. */
export function foreignNames(names: readonly string[]): ForeignName[] {
  const words = names.map(wordsOf);
  const first = words.map(([word]) => word ?? '');
  const areNumbered = names.length > 1 && first.every(isNumber) && new Set(first).size === names.length;
  return words.map((list) => foreignName(areNumbered ? list.slice(1) : list));
}

/** Small letters, digits apart from letters, camel case taken apart, endings of file formats left out. */
export function wordsOf(name: string): string[] {
  const bare = name
    .normalize('NFKC')
    .replace(/[._-](npy|npz|bin|raw|txt|safetensors|(b?f|fp)(16|32|64))(?=$|[._-])/gi, '');
  return (
    bare
      .replace(/([a-z])([A-Z])/g, '$1 $2')
      .toLowerCase()
      .match(/\d+|[a-z]+|[^\d\sa-z\p{P}\p{S}]+/gu) ?? []
  );
}

function foreignName(words: readonly string[]): ForeignName {
  const { stems, at, length, phrase } = understood(words);
  const used = new Set(Array.from({ length }, (_, i) => at + i));
  const numbers = words.flatMap((word, i) => (isNumber(word) && !used.has(i) ? [i] : []));
  const marked = numbers.find((i) => layerWords.has(words[i - 1] ?? '') || words[i + 1]?.startsWith('層'));
  const layerAt = marked ?? (numbers.length === 1 ? numbers[0] : undefined);
  const pattern = words.map((word, i) => (i === layerAt ? '#' : word)).join(' ');
  const rest = words.filter((word, i) => i !== layerAt && !fillerWords.has(word) && !layerWords.has(word));
  return {
    pattern: rest.length === 0 && layerAt === undefined ? '' : pattern,
    number: layerAt === undefined ? null : Number(words[layerAt]),
    // `layers.3` alone is what layer 3 gives.
    stems: stems ?? (marked !== undefined && rest.length === 0 ? ['l_out'] : null),
    isStranger: isStranger(words),
    phrase,
  };
}

/** Words of the synonyms' table in a name, from word `at` on. */
interface Phrase {
  readonly stems: readonly string[] | null;
  readonly at: number;
  readonly length: number;
  readonly phrase: string;
}

/** The longest phrase of the table in these words. */
function understood(words: readonly string[]): Phrase {
  let best: Phrase | null = null;
  const said = words.filter((word) => !fillerWords.has(word) && !isNumber(word));
  for (const { stems, phrases } of synonyms) {
    for (const text of phrases) {
      const phrase = text.replace(/^=/, '');
      const wanted = phrase.split(' ');
      if (text.startsWith('=') && !isAlone(words, phrase, said)) continue;
      const at = lastIndexOf(words, wanted);
      if (at < 0) continue;
      const isBetter =
        !best ||
        wanted.length > best.length ||
        (wanted.length === best.length && saysMore(at, /\d/.test(phrase), best));
      if (isBetter) best = { stems, at, length: wanted.length, phrase };
    }
  }
  if (!best) return { stems: null, at: 0, length: 0, phrase: '' };
  const isTurned = words.some((word) => rotationWords.has(word)) && !words.some((word) => beforeWords.has(word));
  return { ...best, stems: isTurned && best.stems ? [...new Set(best.stems.map(turned))] : best.stems };
}

/**
 * Of two phrases of one length: in `ffn.w1` the later. Where they overlap, as in `attn_norm_1`, the one without a number, for
 * that is a layer's.
 */
function saysMore(at: number, hasNumber: boolean, other: Phrase): boolean {
  const isOverlapping = Math.abs(at - other.at) < other.length;
  return isOverlapping && hasNumber !== /\d/.test(other.phrase) ? !hasNumber : at > other.at;
}

/** `norm` of a whole model has no layer and no other word; `output` may be a filler elsewhere. */
function isAlone(words: readonly string[], phrase: string, said: readonly string[]): boolean {
  const others = said.filter((word) => word !== phrase);
  return words.includes(phrase) && others.length === 0 && !words.some(isNumber);
}

function turned(stem: string): string {
  return stem === 'Qcur' || stem === 'Kcur' ? `${stem}_rope` : stem;
}

function isStranger(words: readonly string[]): boolean {
  return strangers.some((phrase) => {
    const wanted = phrase.split(' ');
    const at = lastIndexOf(words, wanted);
    if (at < 0) return false;
    const others = words.filter((word, i) => (i < at || i >= at + wanted.length) && !isNumber(word));
    return others.every(
      (word) =>
        fillerWords.has(word) ||
        layerWords.has(word) ||
        rotationWords.has(word) ||
        /^(attn|self|attention|kv)$/.test(word),
    );
  });
}

/** Where the words stand last; a phrase that is not Latin also within a word, for it has no spaces. */
function lastIndexOf(words: readonly string[], wanted: readonly string[]): number {
  const isLatin = /^[a-z0-9]/.test(wanted[0] ?? '');
  for (let at = words.length - wanted.length; at >= 0; at--) {
    if (wanted.every((word, i) => (isLatin ? words[at + i] === word : words[at + i]?.includes(word)))) return at;
  }
  return -1;
}

function isNumber(word: string): boolean {
  return /^\d+$/.test(word);
}
