/**
 * Permanent links: the address after `#` says what is looked at, so that whoever opens it sees the same. Written to be read:
 * `#inspect=1&model=fixtures/lily.gguf&text=Lily+gave&view=attention&layer=2&head=3&fault=rope-pairing`. A link may come from
 * anybody: nothing in it is believed before it was looked at.
 */
import { UsageError } from '../../../errors.ts';
import type { Params } from '../../../ops/op.ts';
import type { ChangeSpec, Experiment, FaultSpec } from '../../inspector/experiment.ts';
import { type Choice, type Inspector, NOTHING } from './state.ts';

const VERSION = '1';

/** Longer ones are no links of ours: a text fills a context of thousands of tokens before it is half as long. */
const MOST_CHARACTERS = 100_000;

/** What a link holds. */
export interface Linked {
  readonly experiment: Experiment;
  readonly choice: Choice;
  readonly view: string;
  readonly settings: Readonly<Record<string, string>>;
  /** How many tokens were drawn after the prompt's, the likeliest each. */
  readonly drawn: number;
  /** The step that the run was left at, in the pass of the last drawn token; null: at its end. */
  readonly at: string | null;
}

const PLACES = ['pass', 'token', 'key', 'layer', 'head'] as const;
const HOWS = ['zero', 'scale', 'noise', 'set'] as const;

/** Before the name of a setting, which stands among the link's own words. */
const SETTING = 'with.';

/** The hash, with its `#`. */
export function hashOf({ experiment, choice, view, settings, drawn, at }: Linked): string {
  const { file, backend, text, tokens, bos, chat, faults, changes, hunt } = experiment;
  const pairs: [string, string | number | boolean | null | undefined][] = [
    ['inspect', VERSION],
    ['model', file],
    ['backend', backend === 'webgpu' ? null : backend],
    ['text', text],
    ['tokens', tokens?.join()],
    ['bos', bos],
    ['chat', chat],
    ...faults.map(({ fault, params }) => ['fault', spelt(fault, params)] as [string, string]),
    ...changes.map(({ tensor, ...how }) => ['change', spelt(tensor, how)] as [string, string]),
    ['hunt', hunt && `${hunt.level}:${hunt.seed}`],
    ['drawn', drawn > 0 ? drawn : null],
    ['at', at],
    ['view', view],
    ['step', choice.step],
    ...PLACES.map((place) => [place, choice[place]] as [string, number | null]),
    ...Object.entries(settings).map(([key, value]) => [`${SETTING}${key}`, value] as [string, string]),
  ];
  const said = pairs.flatMap(([key, value]) =>
    value === null || value === undefined ? [] : [`${escaped(key)}=${escaped(`${value}`)}`],
  );
  return `#${said.join('&')}`;
}

/** Between a name and its parameters; a glob may have braces of its own. */
const BEFORE_PARAMS = ':';

/** `rope-base` or `rope-base:{"base":1000}`. */
const spelt = (name: string, params: object): string =>
  Object.keys(params).length === 0 ? name : `${name}${BEFORE_PARAMS}${JSON.stringify(params)}`;

/** As an address wants it, with what may stand there left as it is, and spaces as `+`. */
const escaped = (text: string): string =>
  encodeURIComponent(text)
    .replace(/%(2F|3A|2C|40|5B|5D)/g, decodeURIComponent)
    .replaceAll('%20', '+');

/** The state of the inspector as a hash; null where no model is open. */
export function linkedOf({ experiment, opened, locked, view, settings, run }: Inspector): Linked | null {
  if (!experiment.value) return null;
  return {
    ...{ experiment: experiment.value, choice: locked.value, view: view.value, settings: settings.value },
    // What a trace has of them lies in its file.
    drawn: opened.value?.kind === 'model' ? (run.value?.drawn ?? 0) : 0,
    at: run.value?.next ? run.value.at : null,
  };
}

/** What a hash says; null where it is none of ours. Throws UsageError, naming what is wrong, where it cannot be understood. */
export function readHash(hash: string): Linked | null {
  const said = new URLSearchParams(hash.slice(0, MOST_CHARACTERS + 1).replace(/^#/, ''));
  const version = said.get('inspect');
  if (version === null) return null;
  if (hash.length > MOST_CHARACTERS) {
    throw refused(`it has ${hash.length} characters; at most ${MOST_CHARACTERS} are read`);
  }
  if (version !== VERSION) {
    throw refused(`it is of version ${shortened(version)}; this page reads version ${VERSION}`);
  }
  const file = said.get('model');
  if (!file) throw refused('it names no model');
  const tokens = said.get('tokens');
  const experiment: Experiment = {
    file,
    backend: oneOf(said.get('backend') ?? 'webgpu', ['webgpu', 'reference'], 'backend'),
    text: said.get('text') ?? '',
    ...(tokens === null ? {} : { tokens: tokens.split(',').map((id) => wholeNumber(id, 'tokens')) }),
    ...optionalFlag(said, 'bos'),
    ...optionalFlag(said, 'chat'),
    faults: said.getAll('fault').map(faultOf),
    changes: said.getAll('change').map(changeOf),
    ...huntOf(said.get('hunt')),
  };
  const places = PLACES.map((place) => {
    const value = said.get(place);
    return [place, value === null ? null : wholeNumber(value, place)];
  });
  const settings = [...said].filter(([key]) => key.startsWith(SETTING));
  return {
    experiment,
    choice: { ...NOTHING, ...Object.fromEntries(places), step: said.get('step') },
    view: said.get('view') ?? 'step',
    settings: Object.fromEntries(settings.map(([key, value]) => [key.slice(SETTING.length), value])),
    drawn: wholeNumber(said.get('drawn') ?? '0', 'drawn'),
    at: said.get('at'),
  };
}

/** `hard:7` */
function huntOf(text: string | null): Pick<Experiment, 'hunt'> {
  if (text === null) return {};
  const [level = '', seed = ''] = text.split(':');
  return { hunt: { level: oneOf(level, ['easy', 'hard'], 'hunt'), seed: wholeNumber(seed, 'hunt') } };
}

function faultOf(text: string): FaultSpec {
  const { name, params } = nameAndParams(text, 'fault');
  return { fault: name, params: Object.fromEntries(Object.entries(params).map(([key, value]) => [key, param(value)])) };
}

function param(value: unknown): Params[string] {
  if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') return value;
  if (Array.isArray(value) && value.every((each) => typeof each === 'number')) return value;
  throw refused(`a fault in it has the parameter ${shortened(value)}, which is none`);
}

function changeOf(text: string): ChangeSpec {
  const { name, params } = nameAndParams(text, 'change');
  const { how, by, token, head, seed, ...others } = params;
  const strange = Object.keys(others)[0];
  if (strange !== undefined)
    throw refused(`the change of ${shortened(name)} has ${shortened(strange)}, which is unknown`);
  const numbers = Object.entries({ by, token, head, seed }).filter(([, value]) => value !== undefined);
  const wrong = numbers.find(([, value]) => typeof value !== 'number');
  if (wrong) throw refused(`the change of ${shortened(name)} has ${wrong[0]} ${shortened(wrong[1])}; wanted a number`);
  return { tensor: name, how: oneOf(`${how}`, HOWS, 'how'), ...Object.fromEntries(numbers) };
}

function nameAndParams(text: string, word: string): { name: string; params: Readonly<Record<string, unknown>> } {
  const at = text.indexOf(`${BEFORE_PARAMS}{`);
  if (at < 0) return { name: text, params: {} };
  const name = text.slice(0, at);
  try {
    return { name, params: JSON.parse(text.slice(at + BEFORE_PARAMS.length)) };
  } catch {
    throw refused(`what stands behind ${word} ${shortened(name)} is cut off or changed`);
  }
}

function optionalFlag(said: URLSearchParams, key: 'bos' | 'chat'): { readonly [flag in typeof key]?: boolean } {
  const value = said.get(key);
  return value === null ? {} : { [key]: oneOf(value, ['true', 'false'], key) === 'true' };
}

function oneOf<Value extends string>(found: string, wanted: readonly Value[], word: string): Value {
  const value = wanted.find((each) => each === found);
  if (value !== undefined) return value;
  throw refused(`${word} is ${shortened(found)}; wanted ${wanted.join(' or ')}`);
}

function wholeNumber(text: string, word: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw refused(`${word} is ${shortened(text)}; wanted a whole number`);
}

/** What a link holds, in a message: enough of it to be recognised. */
function shortened(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 42 ? `${text.slice(0, 42)}…` : text;
}

const refused = (why: string): UsageError =>
  new UsageError(`Cannot open this link: ${why}. Ask for it again, or open the model by hand`);
