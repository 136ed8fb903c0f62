/** What a world asks of its engine, be it in memory or real; and what the labels of a container say. */

export type Labels = Readonly<Record<string, string>>;

/** Of containers, as text: what a copy of the node starts from. */
export type EngineState = string;

export interface RunningContainer {
  /** Without the node's suffix. */
  readonly pod: string;
  readonly id: string;
  readonly image: string;
}

export interface WatchedEngine {
  readonly socketPath: string;
  /** Broken promises since `restore`: a container of a pod that ran twice at once. */
  readonly twice: readonly string[];
  /** `pod image` of whatever was started since `restore`, sandboxes aside. */
  readonly started: ReadonlySet<string>;
  /** Application containers that run. */
  running(): RunningContainer[];
  /** Resolves when `twice`, `started` and `running` know of everything that was done before the call. */
  settle(): Promise<void>;
  save(): Promise<EngineState>;
  /** Nothing is left; folders that containers had may go. */
  empty(): Promise<void>;
  /** These containers, and no others. Files that they mount lie there. Calling twice is safe. */
  restore(state: EngineState): Promise<void>;
  close(): Promise<void>;
}

export const isSandbox = (labels: Labels) => labels['io.kubernetes.docker.type'] === 'podsandbox';

/** Without the node's suffix. */
export function podOf(labels: Labels): string {
  return (labels['io.kubernetes.pod.name'] ?? '').replace(/-edge-(1|[0-9a-f]{12})$/, '');
}

/** Namespace, pod and container: what may run once at a time. */
export function roleOf(labels: Labels): string {
  const container = labels['io.kubernetes.container.name'] ?? '';
  return `${labels['io.kubernetes.pod.namespace']}/${podOf(labels)}/${container}`;
}
