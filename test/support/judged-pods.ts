/** Pods as the pod runner reports them, and the bundle whose they are: what the judgement of a bundle is made of. */
import type { BundleRecord, OwnedFile } from '../../agent/journal/journal.js';
import type { PodReport } from '../../agent/ports.js';
import type { ContainerStatus, PodCondition, PodStatus } from '../../protocol/pod.js';
import { DEFAULT_STRATEGY } from '../../protocol/strategy.js';
import { NOW } from './fleet.js';

export const SHOP = { namespace: 'default', name: 'shop' };

export const RECORD: BundleRecord = {
  ...SHOP,
  revision: 2,
  digest: 'two',
  attempt: 0,
  state: 'activating',
  reason: 'FilesWritten',
  message: '',
  since: NOW - 1000,
  active: 'two',
  activeAttempt: 0,
  healthy: 'one',
  previous: null,
  gate: null,
  givenUp: false,
  activeGivenUp: false,
};

/** A new bundle's. */
export const SETTLED_MS = DEFAULT_STRATEGY.minReadySeconds * 1000;

export function file(pod: string, manifest = `m-${pod}`): OwnedFile {
  return { ...SHOP, file: `f-${pod}`, pod, manifest, content: `bytes-${pod}` };
}

export const running = (agoMs: number) => ({
  running: { startedAt: new Date(NOW - agoMs).toISOString() },
});
export const completed = (agoMs: number, exitCode = 0) => ({
  terminated: { exitCode, finishedAt: new Date(NOW - agoMs).toISOString() },
});

export function pod(
  name: string,
  states: object[],
  change: { phase?: string; manifest?: string; reason?: string } = {},
): PodReport {
  return {
    key: `default/${name}-edge-1`,
    source: 'bundle',
    bundle: SHOP,
    manifestDigest: change.manifest ?? `m-${name}`,
    pod: {
      metadata: { name: `${name}-edge-1`, namespace: 'default' },
      spec: { containers: states.map((_, i) => ({ name: `c${i}`, image: 'i' })) },
      status: {
        phase: change.phase ?? 'Running',
        ...(change.reason && { reason: change.reason }),
        containerStatuses: states.map((state, i) => ({
          name: `c${i}`,
          image: 'i',
          imageID: '',
          ready: true,
          restartCount: 0,
          state: state as never,
        })),
      },
    },
  };
}

export function withStatus(report: PodReport, change: Partial<PodStatus>): PodReport {
  const { pod: shown } = report;
  return { ...report, pod: { ...shown, status: { ...shown.status, ...change } } };
}

export const withCondition = (report: PodReport, condition: PodCondition) =>
  withStatus(report, { conditions: [condition] });

export function changed(report: PodReport, change: Partial<ContainerStatus>): PodReport {
  const containerStatuses = (report.pod.status?.containerStatuses ?? []).map(status => ({
    ...status,
    ...change,
  }));
  return withStatus(report, { containerStatuses });
}

export const unready = (report: PodReport) => changed(report, { ready: false });
export const crashing = (report: PodReport) => changed(report, { lastState: completed(1, 3) });

/** An edit of the pod that runs may not begin: what this digest names. */
export function rejecting(report: PodReport, rejected: string | null): PodReport {
  const told = { type: 'UpdateRejected', status: 'True', reason: 'NodePorts', message: 'taken' };
  return { ...withCondition(report, told), rejected };
}

export function withInit(report: PodReport, state: object, isSidecar: boolean): PodReport {
  const { pod: shown } = report;
  const restartPolicy = isSidecar ? { restartPolicy: 'Always' } : {};
  const initContainers = [{ name: 'init', image: 'i', ...restartPolicy }];
  const spec = { containers: [], ...shown.spec, initContainers };
  const status = { name: 'init', image: 'i', imageID: '', ready: false, restartCount: 0, state };
  return withStatus({ ...report, pod: { ...shown, spec } }, { initContainerStatuses: [status] });
}

/** A container with a grace of half a minute that is being stopped for as long. */
export const stop = (container: string, forMs: number) => ({
  container,
  since: NOW - forMs,
  graceSeconds: 30,
});

export function leaving(report: PodReport): PodReport {
  const metadata = { ...report.pod.metadata, deletionTimestamp: new Date(NOW).toISOString() };
  return { ...report, pod: { ...report.pod, metadata } };
}

export function withPolicy(report: PodReport, restartPolicy: string): PodReport {
  const spec = { containers: [], ...report.pod.spec, restartPolicy };
  return { ...report, pod: { ...report.pod, spec } };
}
