/**
 * The last words of a container, as they go to the hub: container output, so sealed to its key (an age file). age binds nothing but
 * the key: canonical JSON inside names the fleet, the node and the revision, so that nobody passes a node's words off as those of
 * another, or of another revision; who opens compares. Pure but for the randomness of sealing.
 */
import type { KeyObject } from 'node:crypto';
import { openAge } from './age.js';
import { SEALED_TEXT_BYTES_MAX, sealAge } from './age-seal.js';
import { canonicalJson, parseCanonical } from './canonical.js';
import type { SealedOutput } from './documents/node.js';
import { keyId, rawPublicKey } from './keys.js';
import { accept, refuse, type Result } from './refusal.js';

/** Characters, of the end: as much as a log's end may be. */
export const LAST_WORDS_MAX = 2048;

/** Whose words, on the word of the event that they came with. */
export interface WordsContext {
  readonly fleet: string;
  readonly node: string;
  readonly namespace: string;
  /** Of the bundle. */
  readonly name: string;
}

export interface LastWords {
  /** Of the bundle's revision that failed. */
  readonly digest: string;
  /** `namespace/name`. */
  readonly pod: string;
  readonly container: string;
  /** As the container printed it. */
  readonly text: string;
}

const CONTEXT = ['fleet', 'node', 'namespace', 'name'] as const;
/** Longest value of each other field. */
const WORDS = { digest: 64, pod: 320, container: 63, text: LAST_WORDS_MAX } as const;
const FIELDS = [...CONTEXT, ...Object.keys(WORDS)].sort().join();

export function encodeLastWords(
  { fleet, node, namespace, name }: WordsContext,
  { digest, pod, container, text }: LastWords,
): Buffer {
  const said = { digest, pod, container, text };
  return Buffer.from(canonicalJson({ fleet, node, namespace, name, ...said }));
}

/** What was opened, whoever sealed it. */
export function readLastWords(plain: Buffer, context: WordsContext): Result<LastWords> {
  const malformed = refuse('Malformed', 'what was sealed is not in the form of last words');
  const parsed = parseCanonical(plain, { what: 'last words', bytesMax: SEALED_TEXT_BYTES_MAX });
  if (!parsed.ok || typeof parsed.value !== 'object' || parsed.value === null) return malformed;
  const value = parsed.value as Record<string, unknown>;
  if (Object.keys(value).sort().join() !== FIELDS) return malformed;
  for (const field of CONTEXT) {
    if (value[field] !== context[field])
      return refuse('MixMatch', `they were sealed for another ${field} than the event says`);
  }
  for (const [field, longest] of Object.entries(WORDS)) {
    const text = value[field];
    if (typeof text !== 'string' || text.length > longest) return malformed;
  }
  const { digest, pod, container, text } = value as Record<keyof LastWords, string>;
  return accept({ digest, pod, container, text });
}

/**
 * Of words that are too long as they are encoded, the end. Null: nothing can be sealed to this key.
 *
 * @param hubKey raw X25519 public key, hex
 */
export function sealLastWords(
  context: WordsContext,
  words: LastWords,
  hubKey: string,
): SealedOutput | null {
  let text = words.text.slice(-LAST_WORDS_MAX).toWellFormed();
  let plain = encodeLastWords(context, { ...words, text });
  while (plain.byteLength > SEALED_TEXT_BYTES_MAX && text !== '') {
    text = text.slice(Math.ceil(text.length / 8)).toWellFormed();
    plain = encodeLastWords(context, { ...words, text });
  }
  const sealed = sealAge(plain, hubKey);
  return sealed && { recipient: keyId(hubKey), sealed: sealed.toString('base64') };
}

/** @param key the hub's private X25519 key */
export function openLastWords(
  { recipient, sealed }: SealedOutput,
  context: WordsContext,
  key: KeyObject,
): Result<LastWords> {
  if (recipient !== keyId(rawPublicKey(key)))
    return refuse('BadKey', 'sealed to a former key of the hub');
  const plain = openAge(Buffer.from(sealed, 'base64'), [key]);
  if (plain === null) return refuse('Malformed', 'what was sealed cannot be opened');
  return readLastWords(plain, context);
}

const CONTROL = /\p{Cc}/gu;

/** For a person: each line that is not empty, marked as a quotation, without control characters. */
export function quotedLines(text: string, indent: string): string[] {
  const lines = text.split('\n').filter(line => line !== '');
  return lines.map(line => `${indent}| ${line.replaceAll(CONTROL, '')}`);
}
