import { describe, expect, it } from 'vitest';
import { TokenizerError } from '../../src/errors.ts';
import { applyChat, chatTemplate, encodeChat } from '../../src/tokenizer/chat.ts';
import { createTokenizer } from '../../src/tokenizer/tokenizer.ts';
import { bpeMetadata, metadataOf, spmMetadata } from './vocabularies.ts';

const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

const messages = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Who has the ball?' },
];

const withTemplate = (template: unknown, content = spmMetadata()) =>
  new Map([...metadataOf(content), ['tokenizer.chat_template', template]]);
const apply = (template: unknown, options = {}) => applyChat(withTemplate(template), 'm.gguf', messages, options);

describe('a chat template', () => {
  it('makes the prompt, and ends where the assistant begins', () => {
    const prompt = '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWho has the ball?<|im_end|>\n';
    expect(apply(CHATML)).toBe(`${prompt}<|im_start|>assistant\n`);
    expect(apply(CHATML, { addGenerationPrompt: false })).toBe(prompt);
  });

  it('knows how the model spells BOS and EOS', () => {
    expect(apply('{{ bos_token }}{{ messages[0].content }}{{ eos_token }}')).toBe('<s>Be brief.</s>');
  });

  it('takes variables of its own', () => {
    expect(apply('{{ mood }}', { variables: { mood: 'calm' } })).toBe('calm');
  });

  it('writes the date it is given, never the clock', () => {
    const dated = "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y, %A') }}{% else %}26 Jul 2024{% endif %}";
    expect(apply(dated, { date: new Date('2025-03-09T12:00:00Z') })).toBe('09 Mar 2025, Sunday');
    expect(apply(dated)).toBe('26 Jul 2024');
    expect(() => apply("{{ strftime_now('%q') }}", { date: new Date(0) })).toThrow('it writes a date with %q');
  });

  it('says why it refuses messages', () => {
    expect(() => apply("{{ raise_exception('Roles must alternate') }}")).toThrow(TokenizerError);
    expect(() => apply("{{ raise_exception('Roles must alternate') }}")).toThrow(
      'Cannot apply the chat template of m.gguf: Roles must alternate; give messages that it accepts, or the prompt as',
    );
    expect(() => apply('{% for %}')).toThrow('Cannot apply the chat template of m.gguf: ');
  });

  it('is missed by name', () => {
    expect(() => chatTemplate(metadataOf(spmMetadata()), 'm.gguf')).toThrow(
      'Cannot make a chat prompt for m.gguf: it has no tokenizer.chat_template; give the prompt as plain text, or use a chat model',
    );
    expect(() => apply(7)).toThrow('its tokenizer.chat_template is not a string');
  });
});

describe('a chat prompt', () => {
  const spm = createTokenizer(metadataOf(spmMetadata()), 'm.gguf');
  const bpe = createTokenizer(metadataOf(bpeMetadata('smollm')), 'm.gguf');

  it('begins with one BOS, whether the template writes it or not', () => {
    const plain = encodeChat(spm, apply(CHATML));
    const written = encodeChat(spm, apply(`{{ bos_token }}${CHATML}`));
    expect(written).toEqual(plain);
    expect(plain.slice(0, 2)).toEqual([spm.bos, spm.encode('<|im_start|>', { bos: false })[0]]);
  });

  it('begins without BOS where the model wants none', () => {
    expect(encodeChat(bpe, apply(CHATML))[0]).toBe(bpe.encode('<|im_start|>', { bos: false })[0]);
  });

  it('holds special tokens as tokens', () => {
    const ids = encodeChat(bpe, apply(CHATML));
    expect(ids.filter((id) => bpe.piece(id) === '<|im_start|>')).toHaveLength(3);
    expect(bpe.decode(ids, { special: true })).toBe(apply(CHATML));
  });
});
