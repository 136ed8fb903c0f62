/**
 * The annotation `flotilla.dev/update-lock: VOLUME/PATH`: as long as something lies there in an emptyDir of the pod, or in a directory of
 * the node that it has as hostPath, the pod is not disturbed by another revision of its bundle, by its removal or by the way back, but for `flotilla.dev/update-lock-timeout` at most (an
 * hour unless said otherwise). What balena's `/tmp/balena/updates.lock` is. Pure.
 */
import { parseDurationMs } from './duration.js';
import { invalid, type FieldError } from './field-error.js';
import { allContainers, type Pod, type Volume } from './pod.js';

export const UPDATE_LOCK = 'flotilla.dev/update-lock';
export const UPDATE_LOCK_TIMEOUT = 'flotilla.dev/update-lock-timeout';

const PATH = `metadata.annotations[${UPDATE_LOCK}]`;
const TIMEOUT_PATH = `metadata.annotations[${UPDATE_LOCK_TIMEOUT}]`;
const TIMEOUT_MS = 3_600_000;
const TIMEOUT_MAX_MS = 7 * 24 * 3_600_000;

export interface UpdateLock {
  /** Name of an emptyDir or hostPath volume of the pod: of those that a container can write to. */
  readonly volume: string;
  /** Of a hostPath: the directory of the node; left out: it is an emptyDir. */
  readonly hostPath?: string;
  /** Below it; one step at least, none of them `.` or `..`. */
  readonly path: string;
  readonly timeoutMs: number;
}

function read(text: string): Pick<UpdateLock, 'volume' | 'path'> | null {
  const [volume = '', ...steps] = text.split('/');
  const isPath = steps.length > 0 && steps.every(step => !['', '.', '..'].includes(step));
  return volume !== '' && isPath ? { volume, path: steps.join('/') } : null;
}

function timeoutOf(text: string | undefined): number | null {
  if (text === undefined) return TIMEOUT_MS;
  const ms = parseDurationMs(text);
  return ms !== null && ms > 0 && ms <= TIMEOUT_MAX_MS ? ms : null;
}

/** Null: it has none. What is not well-formed is none either: `checkUpdateLock` reports it. */
export function updateLockOf(pod: Pick<Pod, 'metadata' | 'spec'>): UpdateLock | null {
  const { [UPDATE_LOCK]: text, [UPDATE_LOCK_TIMEOUT]: timeout } = pod.metadata?.annotations ?? {};
  const found = text === undefined ? null : read(text);
  const volume = (pod.spec?.volumes ?? []).find(one => one.name === found?.volume);
  if (found === null || volume === undefined || !isDirectory(volume)) return null;
  const { hostPath } = volume;
  const of = hostPath === undefined ? {} : { hostPath: hostPath.path };
  return { ...found, ...of, timeoutMs: timeoutOf(timeout) ?? TIMEOUT_MS };
}

/** Without a type it may be a file; then nothing ever lies below it. */
const DIRECTORIES: ReadonlySet<string> = new Set(['', 'Directory', 'DirectoryOrCreate']);

function isDirectory({ emptyDir, hostPath }: Volume): boolean {
  return emptyDir !== undefined || (hostPath !== undefined && DIRECTORIES.has(hostPath.type ?? ''));
}

export function checkUpdateLock(pod: Pod): FieldError[] {
  const { [UPDATE_LOCK]: text, [UPDATE_LOCK_TIMEOUT]: timeout } = pod.metadata?.annotations ?? {};
  const errors: FieldError[] = [];
  if (timeout !== undefined && timeoutOf(timeout) === null) {
    errors.push(
      invalid(TIMEOUT_PATH, timeout, 'must be a duration such as 30m or 4h, at most 168h'),
    );
  }
  if (timeout !== undefined && text === undefined) {
    errors.push(invalid(TIMEOUT_PATH, timeout, `must stand beside ${UPDATE_LOCK}`));
  }
  if (text === undefined) return errors;
  const found = read(text);
  const refuse = (detail: string) => [...errors, invalid(PATH, text, detail)];
  if (found === null)
    return refuse('must be VOLUME/PATH, such as run/update.lock, without . and ..');
  const volume = (pod.spec?.volumes ?? []).find(one => one.name === found.volume);
  if (volume === undefined || !isDirectory(volume)) {
    return refuse(`"${found.volume}" must be an emptyDir, or a directory as hostPath, of this pod`);
  }
  const isMounted = allContainers(pod).some(({ volumeMounts = [] }) =>
    volumeMounts.some(mount => mount.name === found.volume && mount.readOnly !== true),
  );
  return isMounted ? errors : refuse(`no container mounts "${found.volume}" for writing`);
}
