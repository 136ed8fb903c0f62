/**
 * Whether the node is connected to its hub, as pods are told: `fieldRef` with `metadata.annotations['flotilla.dev/connected']` ("true",
 * "false") and `metadata.annotations['flotilla.dev/connected-since']` (RFC 3339) in a downwardAPI or projected volume. The agent's word:
 * it is no annotation of the pod, and changes without one. Pure.
 */
import { forbidden, invalid, type FieldError } from './field-error.js';
import { childPath } from './manifest-positions.js';
import type { Volume } from './pod.js';

export const CONNECTED = 'flotilla.dev/connected';
export const CONNECTED_SINCE = 'flotilla.dev/connected-since';

export interface ConnectedWord {
  readonly connected: boolean;
  /** RFC 3339, whole seconds. */
  readonly since: string;
}

/** As a node says it that has never heard of a hub. */
export const NEVER_CONNECTED: ConnectedWord = { connected: false, since: '1970-01-01T00:00:00Z' };

const fieldOf = (key: string) => `metadata.annotations['${key}']`;
const WORDS: ReadonlyMap<string | undefined, (word: ConnectedWord) => string> = new Map([
  [fieldOf(CONNECTED), ({ connected }) => String(connected)],
  [fieldOf(CONNECTED_SINCE), ({ since }) => since],
]);

/** What stands in the file of that field; null for any other field. */
export function connectedValue(fieldPath: string, word: ConnectedWord): string | null {
  return WORDS.get(fieldPath)?.(word) ?? null;
}

/** True for a volume that has a file of it. */
export function tellsConnected({ downwardAPI, projected }: Volume): boolean {
  const sources = [downwardAPI, ...(projected?.sources ?? []).map(one => one.downwardAPI)];
  return sources.some(source => source?.items?.some(one => WORDS.has(one.fieldRef?.fieldPath)));
}

/** `at` is the path of the `fieldRef` of a variable, which stays as it was when its container began. */
export function checkConnectedVariable(fieldPath: string, at: string): FieldError[] {
  if (!WORDS.has(fieldPath)) return [];
  const detail = `${fieldPath} changes while a container runs and a variable does not: take a downwardAPI volume`;
  return [forbidden(`${at}.fieldPath`, detail)];
}

/** "false" is what a kubelet tells that runs the pod in the agent's place; more nobody may say for the agent. */
export function checkConnectedAnnotations(annotations: Readonly<Record<string, string>>) {
  return [CONNECTED, CONNECTED_SINCE].flatMap((key): FieldError[] => {
    const value = annotations[key];
    if (value === undefined || (key === CONNECTED && value === 'false')) return [];
    const other = key === CONNECTED ? ', or write "false", which a kubelet then tells' : '';
    const detail = `is the agent's to say: leave it out${other}`;
    return [invalid(childPath('metadata.annotations', key), value, detail)];
  });
}
