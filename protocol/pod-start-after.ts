/**
 * The annotations that order pods at their first start: `flotilla.dev/start-after: "db, other/queue"` waits until
 * those pods are ready, `flotilla.dev/start-after-timeout: 5m` starts after that time in any case.
 *
 * Names are those of manifests, without the node's name; a name alone is one of the pod's own namespace. Users of
 * static pods ask for it (catalogue of pains, P20). Pure.
 */
import { parseDurationMs } from './duration.js';
import { invalid, type FieldError } from './field-error.js';
import { LABEL_PATTERN, SUBDOMAIN_PATTERN } from './names.js';
import { podNamespace, type Pod } from './pod.js';

export const START_AFTER = 'flotilla.dev/start-after';
export const START_AFTER_TIMEOUT = 'flotilla.dev/start-after-timeout';

export const START_AFTER_PATH = `metadata.annotations[${START_AFTER}]`;
const TIMEOUT_PATH = `metadata.annotations[${START_AFTER_TIMEOUT}]`;

export interface PodReference {
  readonly namespace: string;
  /** Without the node's name. */
  readonly name: string;
}

export interface StartAfter {
  /** Each once, in the order written. */
  readonly pods: readonly PodReference[];
  /** Null: without end. */
  readonly timeoutMs: number | null;
}

function reference(text: string, namespace: string): PodReference | null {
  const steps = text.split('/');
  const [first = '', second] = steps;
  const found =
    second === undefined ? { namespace, name: first } : { namespace: first, name: second };
  const isName = LABEL_PATTERN.test(found.namespace) && SUBDOMAIN_PATTERN.test(found.name);
  return isName && steps.length <= 2 ? found : null;
}

function itemsOf(pod: Pod): string[] {
  const text = pod.metadata?.annotations?.[START_AFTER] ?? '';
  return text.trim() === '' ? [] : text.split(',').map(item => item.trim());
}

/** What the annotations say; what is no name is left out: `checkStartAfter` reports it. */
export function startAfterOf(pod: Pod): StartAfter {
  const namespace = podNamespace(pod);
  const found = itemsOf(pod).flatMap(item => reference(item, namespace) ?? []);
  const unique = new Map(found.map(one => [`${one.namespace}/${one.name}`, one]));
  const timeout = pod.metadata?.annotations?.[START_AFTER_TIMEOUT];
  return {
    pods: [...unique.values()],
    timeoutMs: timeout === undefined ? null : parseDurationMs(timeout),
  };
}

export function checkStartAfter(pod: Pod): FieldError[] {
  const errors = itemsOf(pod)
    .filter(item => reference(item, podNamespace(pod)) === null)
    .map(item =>
      invalid(
        START_AFTER_PATH,
        item,
        'must be names of pods, "name" or "namespace/name", with commas',
      ),
    );
  const timeout = pod.metadata?.annotations?.[START_AFTER_TIMEOUT];
  if (timeout !== undefined && parseDurationMs(timeout) === null) {
    errors.push(invalid(TIMEOUT_PATH, timeout, 'must be a duration such as 90s, 5m or 1h'));
  }
  return errors;
}
