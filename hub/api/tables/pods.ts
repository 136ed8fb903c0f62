/** The Table of pods: the columns of Kubernetes' own server. */
import type { PodSpec, PodStatus } from 'kubernetes-types/core/v1.js';
import type { PodExtra } from '../../objects.js';
import { localText } from '../../pod-source.js';
import { age } from '../../../protocol/human-duration.js';
import { podSummary } from '../../../protocol/pod-summary.js';
import { column, nameColumn, orNone, wideColumn, type TableShape } from './table.js';

function readinessGates(spec: Partial<PodSpec>, status: PodStatus): string {
  const gates = spec.readinessGates ?? [];
  if (gates.length === 0) return '';
  const met = gates.filter(gate =>
    (status.conditions ?? []).some(c => c.type === gate.conditionType && c.status === 'True'),
  );
  return `${met.length}/${gates.length}`;
}

/** Of a node that is silent nobody knows what is ready there: Kubernetes' printer says `Unknown` too. */
function shown(
  pod: {
    readonly spec: Partial<PodSpec>;
    readonly status: PodStatus;
    readonly isDeleted: boolean;
  },
  nowMs: number,
) {
  const summary = podSummary(pod, nowMs);
  const { flotilla } = pod.status as PodStatus & { readonly flotilla?: Partial<PodExtra> };
  if (flotilla?.lastKnown === undefined) return summary;
  return { ...summary, status: 'Unknown', ready: summary.ready.replace(/^\d+/, '0') };
}

function sourceOf(status: PodStatus): string {
  const { flotilla } = status as PodStatus & { readonly flotilla?: Partial<PodExtra> };
  if (flotilla?.bundle) return `bundle/${flotilla.bundle.name}`;
  return flotilla?.source === undefined ? '' : localText(flotilla.source);
}

export const POD_TABLE: TableShape = {
  columns: [
    nameColumn(),
    column('Ready', 'Containers that are ready, of all'),
    column('Status', 'The most telling state of the pod and its containers'),
    column('Restarts', 'Restarts of its containers, and when the last was'),
    column('Age', 'Time since the pod was first reported'),
    wideColumn('IP', 'Address of the pod'),
    wideColumn('Node', 'Node that runs it'),
    wideColumn('Nominated Node', 'Not used by Flotilla'),
    wideColumn('Readiness Gates', 'Gates that are met, of all'),
    wideColumn('Source', 'The bundle that it is of; local: what somebody put there on the node'),
  ],
  cells(object, nowMs) {
    const spec = (object['spec'] ?? {}) as Partial<PodSpec>;
    const status = (object['status'] ?? {}) as PodStatus;
    const isDeleted = object.metadata.deletionTimestamp !== undefined;
    const { ready, status: text, restarts } = shown({ spec, status, isDeleted }, nowMs);
    return [
      object.metadata.name,
      ready,
      text,
      restarts,
      age(object.metadata.creationTimestamp, nowMs),
      orNone(status.podIPs?.[0]?.ip ?? status.podIP),
      orNone(spec.nodeName),
      orNone(status.nominatedNodeName),
      orNone(readinessGates(spec, status)),
      orNone(sourceOf(status)),
    ];
  },
};
