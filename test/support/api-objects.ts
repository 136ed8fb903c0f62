/** Objects as the hub's other parts would write them into the store. */
import type { Pod, PodSpec, PodStatus } from 'kubernetes-types/core/v1.js';
import type {
  BundleObjectStatus,
  BundleSpec,
  EventSpec,
  NodeExtra,
  PodExtra,
} from '../../hub/objects.js';
import type { Actor, Mutation, ObjectDraft } from '../../hub/store/store.js';

export const HUB: Actor = { kind: 'hub', name: 'test' };

export function put(object: ObjectDraft): Mutation {
  return { type: 'put', object, expect: 'any' };
}

const NODE_EXTRA: NodeExtra = {
  reportedAt: '2026-01-01T00:00:00.123Z',
  journal: null,
  epoch: 1,
  generation: 1,
  rootVersion: 1,
  clock: 'synced',
  development: true,
  lastRefusal: null,
  bundles: [],
  pods: {},
  recorded: {},
};

export function node(
  name: string,
  options: { readonly ready?: boolean; readonly labels?: Record<string, string> } = {},
): ObjectDraft {
  const { ready = true, labels = {} } = options;
  return {
    kind: 'Node',
    metadata: { namespace: '', name, labels },
    spec: {},
    status: {
      conditions: [
        {
          type: 'Ready',
          status: ready ? 'True' : 'Unknown',
          reason: ready ? 'AgentReady' : 'NodeOffline',
          message: ready ? 'the agent works' : 'the node is not connected',
          lastHeartbeatTime: '2026-01-01T00:00:00Z',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
      addresses: [
        { type: 'InternalIP', address: '10.0.0.5' },
        { type: 'Hostname', address: name },
      ],
      capacity: { cpu: '2', memory: '4Gi', pods: '110' },
      allocatable: { cpu: '2', memory: '4Gi', pods: '110' },
      nodeInfo: {
        architecture: 'amd64',
        bootID: 'b',
        containerRuntimeVersion: 'docker://28.2.2',
        kernelVersion: '6.1.0',
        kubeProxyVersion: '',
        kubeletVersion: 'v0.1.0',
        machineID: 'm',
        operatingSystem: 'linux',
        osImage: 'Debian GNU/Linux 12',
        systemUUID: '',
      },
      flotilla: NODE_EXTRA,
    },
  };
}

const POD_EXTRA: PodExtra = { source: 'file', bundle: null, digest: 'd' };

export interface PodOptions {
  readonly namespace?: string;
  readonly node?: string;
  readonly labels?: Record<string, string>;
  readonly hash?: string;
  readonly spec?: Partial<PodSpec>;
  readonly status?: PodStatus;
}

export const RUNNING: PodStatus = {
  phase: 'Running',
  podIP: '172.17.0.2',
  podIPs: [{ ip: '172.17.0.2' }],
  startTime: '2026-01-01T00:00:00Z',
  conditions: [{ type: 'Ready', status: 'True' }],
  containerStatuses: [
    {
      name: 'web',
      image: 'busybox',
      imageID: '',
      ready: true,
      restartCount: 0,
      started: true,
      state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
    },
  ],
};

export function pod(name: string, options: PodOptions = {}): ObjectDraft {
  const hash = options.hash ?? '0123456789abcdef0123456789abcdef';
  return {
    kind: 'Pod',
    metadata: {
      namespace: options.namespace ?? 'default',
      name,
      labels: options.labels ?? {},
      annotations: {
        'kubernetes.io/config.hash': hash,
        'kubernetes.io/config.mirror': hash,
        'kubernetes.io/config.source': 'file',
      },
    },
    spec: {
      nodeName: options.node ?? 'edge-1',
      containers: [{ name: 'web', image: 'busybox' }],
      ...options.spec,
    },
    status: { ...(options.status ?? RUNNING), flotilla: POD_EXTRA },
  };
}

export function event(
  n: number,
  options: {
    readonly involved?: Partial<EventSpec['involvedObject']>;
    readonly reason?: string;
    readonly type?: 'Normal' | 'Warning';
    readonly at?: string;
  } = {},
): ObjectDraft {
  const at = options.at ?? '2026-01-01T00:00:00Z';
  const spec: EventSpec = {
    involvedObject: {
      kind: 'Pod',
      namespace: 'default',
      name: 'web-edge-1',
      uid: '0123456789abcdef0123456789abcdef',
      fieldPath: 'spec.containers{web}',
      ...options.involved,
    },
    reason: options.reason ?? 'Started',
    message: 'Started container web',
    type: options.type ?? 'Normal',
    source: { component: 'flotilla-agent', host: 'edge-1' },
    firstTimestamp: at,
    lastTimestamp: at,
    count: 1,
    flotilla: { node: 'edge-1', journal: 'a'.repeat(32), n },
  };
  const metadata = { namespace: 'default', name: `edge-1.aaaaaaaa.${n}` };
  return { kind: 'Event', metadata, spec, status: null };
}

export const MANIFEST: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web' },
  spec: { containers: [{ name: 'web', image: 'busybox' }] },
};

export function bundle(name: string, spec: BundleSpec, revision: number): ObjectDraft {
  const status: BundleObjectStatus = {
    revision,
    digest: 'f'.repeat(64),
    nodes: { desired: 3, updated: 2, healthy: 1, failed: 0, offline: 1 },
  };
  return { kind: 'Bundle', metadata: { namespace: 'default', name }, spec, status };
}
