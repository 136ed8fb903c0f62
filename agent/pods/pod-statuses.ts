/**
 * Shows the pods as they are: gathers what their statuses are made from (files of last words, what is remembered on
 * the disk) and keeps what has to be known the next time. Order of calls only; `pod-reports.ts` decides.
 */
import type { DesiredPod } from './desired.js';
import { podReports, type EndingPod, type ReportsInput } from './pod-reports.js';
import { StatusMemory } from './status-memory.js';
import {
  openTerminationMessages,
  type EndedContainer,
  type TerminationMessages,
} from './termination-messages.js';
import type { PodReport } from '../ports.js';
import type { ContainerRuntime, ObservedPods } from '../runtime/runtime.js';
import { allContainers, type Container } from '../../protocol/pod.js';
import type { Clock, Log } from '../../protocol/ports.js';

export interface PodStatusesOptions {
  readonly dataDir: string;
  readonly runtime: Pick<ContainerRuntime, 'logs'>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Look {
  /** What is wanted, and after it what stands in for it. */
  readonly pods: readonly DesiredPod[];
  readonly ending: ReadonlyMap<string, EndingPod>;
  readonly observed: ObservedPods;
}

function containersOf({ pods: shown, ending }: Look): ReadonlyMap<string, Container> {
  const pods = [...shown, ...[...ending.values()].flatMap(one => one.desired ?? [])];
  return new Map(
    pods.flatMap(({ uid, pod }) =>
      allContainers(pod).map((one): [string, Container] => [`${uid}/${one.name}`, one]),
    ),
  );
}

/** Row 200: the log speaks for a program that ran, failed and left no message. */
function endedContainers(look: Look): readonly EndedContainer[] {
  const containers = containersOf(look);
  const ofBundles = new Set(look.pods.flatMap(({ uid, bundle }) => (bundle === null ? [] : uid)));
  return look.observed.containers.flatMap(({ id, pod, name, attempt, state, ...one }) => {
    const container = containers.get(`${pod.uid}/${name}`);
    if (state !== 'exited' || container === undefined) return [];
    const hasFailed = one.exitCode !== 0 && one.reason !== 'ContainerCannotRun';
    const fallsBackToLogs =
      container.terminationMessagePolicy === 'FallbackToLogsOnError' && hasFailed;
    const isTold = hasFailed && ofBundles.has(pod.uid);
    return [{ id, uid: pod.uid, name, attempt, fallsBackToLogs, isTold }];
  });
}

export class PodStatuses {
  readonly terminationMessages: TerminationMessages;
  readonly #memory: StatusMemory;

  constructor(options: PodStatusesOptions) {
    this.terminationMessages = openTerminationMessages(options);
    this.#memory = new StatusMemory(options);
  }

  /** Reads from the disk what the statuses of these pods need; before `show`, with each observation. */
  async look(look: Look): Promise<void> {
    const uids = [...look.pods.map(pod => pod.uid), ...look.ending.keys()];
    this.#memory.keepOnly(new Set(uids));
    await Promise.all([
      this.#memory.load(uids),
      this.terminationMessages.read(endedContainers(look)),
    ]);
  }

  show(input: Omit<ReportsInput, 'messages' | 'tails' | 'remembered'>): readonly PodReport[] {
    const { messages, tails } = this.terminationMessages;
    const shown = podReports({ ...input, messages, tails, remembered: this.#memory.all });
    const pods = [...input.desired.pods, ...(input.standIns?.values() ?? [])];
    const wanted = new Set(pods.map(pod => pod.uid));
    for (const [uid, remembered] of shown.remembered) {
      this.#memory.put(uid, remembered, { isKept: wanted.has(uid) });
    }
    return shown.reports;
  }

  /** Saves what is not on the disk yet. */
  close(): Promise<void> {
    return this.#memory.close();
  }
}
