/**
 * Reads one document of YAML 1.2 that a person wrote for Flotilla: settings, plans, kubeconfigs. The first fault ends the work, and
 * size and depth are known before anything is built: the library alone takes a thousand times the bytes of a text whose every line
 * is wrong. Manifests have a reader of their own, which reads YAML as the kubelet does. Pure.
 */
import { isMap, isScalar, isSeq, LineCounter, type Document } from 'yaml';
import { excerpt } from './excerpt.js';
import { composeYaml } from './yaml-first-error.js';

/** Of settings and plans. */
export const SETTINGS_BYTES_MAX = 64 * 1024;
const DEPTH_MAX = 50;
/** Of the library's words, which quote the text. */
const WORDS_MAX = 200;

/** The message is a sentence without its place. */
export class SettingsYamlError extends Error {
  override readonly name = 'SettingsYamlError';
  /** `12:5`; null when the whole text is meant. */
  readonly place: string | null;

  constructor(place: string | null, message: string) {
    super(message);
    this.place = place;
  }

  /** `hub.yaml:12:5: …` */
  in(file: string): string {
    return `${file}${this.place === null ? '' : `:${this.place}`}: ${this.message}`;
  }
}

export interface SettingsYaml {
  readonly document: Document.Parsed;
  /** Plain values. Throws `SettingsYamlError` for aliases that name nothing or stand for too much. */
  toValue(): unknown;
  /** Counted from one. */
  lineOf(offset: number): number;
}

/** Throws `SettingsYamlError`. */
export function readSettingsYaml(text: string, bytesMax = SETTINGS_BYTES_MAX): SettingsYaml {
  const size = Buffer.byteLength(text);
  if (size > bytesMax) {
    throw new SettingsYamlError(null, `${size} bytes are more than the allowed ${bytesMax}`);
  }
  const lines = new LineCounter();
  const fault = (offset: number, what: string) => {
    const { line, col } = lines.linePos(offset);
    return new SettingsYamlError(`${line}:${col}`, excerpt(what, WORDS_MAX));
  };
  lines.addNewLine(0);
  const documents = composeYaml(text, {
    // Keys are compared below: the library compares each with each other one.
    composer: { uniqueKeys: false, prettyErrors: false, logLevel: 'silent' },
    onNewLine: lines.addNewLine,
    fault,
    check: ({ offset, depth }) => {
      if (depth > DEPTH_MAX) throw fault(offset, `nested more than ${DEPTH_MAX} levels deep`);
    },
  });
  let found: Document.Parsed | null = null;
  for (const document of documents) {
    const [error] = document.errors;
    if (error !== undefined) throw fault(error.pos[0], error.message);
    if (found !== null) throw fault(document.range[0], 'a second document; one is read');
    found = document;
    checkKeys(document.contents, fault);
  }
  if (found === null) throw new SettingsYamlError(null, 'it is empty');
  const document = found;
  return {
    document,
    toValue() {
      try {
        return document.toJS() as unknown;
      } catch (error) {
        // Of the library, for aliases.
        throw new SettingsYamlError(null, excerpt((error as Error).message, WORDS_MAX));
      }
    },
    lineOf: offset => lines.linePos(offset).line,
  };
}

type Fault = (offset: number, what: string) => SettingsYamlError;

function checkKeys(node: unknown, fault: Fault): void {
  if (isSeq(node)) for (const item of node.items) checkKeys(item, fault);
  if (!isMap(node)) return;
  const known = new Set<unknown>();
  for (const { key, value } of node.items) {
    if (isScalar(key)) {
      if (known.has(key.value)) {
        throw fault(key.range?.[0] ?? 0, `${JSON.stringify(key.value)} stands twice`);
      }
      known.add(key.value);
    } else checkKeys(key, fault);
    checkKeys(value, fault);
  }
}
