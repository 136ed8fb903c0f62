/** The Table of nodes: the columns of Kubernetes' own server; wide, also how old the node's word is, and its clock. */
import type { NodeSpec, NodeStatus } from 'kubernetes-types/core/v1.js';
import { KEY_ANNOTATION } from '../../enrolment/node-object.js';
import { nodeWords } from '../../enrolment/node-words.js';
import type { NodeExtra } from '../../objects.js';
import type { ApiObject } from '../api-object.js';
import { age } from '../../../protocol/human-duration.js';
import { column, nameColumn, orNone, wideColumn, type TableShape } from './table.js';

const ROLE_PREFIX = 'node-role.kubernetes.io/';

function roles(labels: Readonly<Record<string, string>>): string {
  const found = Object.entries(labels).flatMap(([key, value]) => {
    if (key.startsWith(ROLE_PREFIX)) return [key.slice(ROLE_PREFIX.length)];
    return key === 'kubernetes.io/role' ? [value] : [];
  });
  return [...new Set(found.filter(role => role !== ''))].sort().join(',');
}

function statusText(object: ApiObject, status: NodeStatus): string {
  const { unschedulable } = (object['spec'] as NodeSpec | undefined) ?? {};
  const { state, remarks } = nodeWords(status.conditions, { unschedulable });
  return [state, ...remarks].join(',');
}

function address(status: NodeStatus, type: string): string | undefined {
  return (status.addresses ?? []).find(a => a.type === type)?.address;
}

/** What it never said it may have all the same. */
function rootText(status: NodeStatus & { readonly flotilla?: Partial<NodeExtra> }): string {
  const version = status.flotilla?.rootVersion ?? 0;
  return version === 0 ? '<unknown>' : String(version);
}

/** `True`, or why not. */
function provenText(status: NodeStatus, type: string): string {
  const found = status.conditions?.find(condition => condition.type === type);
  if (found === undefined) return '<unknown>';
  return found.status === 'True' ? 'True' : `${found.status} (${found.reason ?? ''})`;
}

export const NODE_TABLE: TableShape = {
  columns: [
    nameColumn(),
    column('Status', 'Whether the node is connected and its agent works'),
    column('Roles', 'From the labels node-role.kubernetes.io/…'),
    column('Age', 'Time since the node joined'),
    column('Version', 'Version of the agent'),
    wideColumn('Internal-IP', 'Address in its own network'),
    wideColumn('External-IP', 'Address for others'),
    wideColumn('OS-Image', 'Operating system'),
    wideColumn('Kernel-Version', 'Kernel'),
    wideColumn('Container-Runtime', 'Container engine and its version'),
    wideColumn('Root', 'Version of the root that it said last'),
    wideColumn(
      'Reported',
      "Time since the node's newest signed status was recorded: so old are its own fields",
    ),
    wideColumn('Clock', 'What the node knows of the time: synced, floor or suspect'),
    wideColumn(
      'Alone-Ready',
      'Whether it could start what it runs without network, clock and hub; else the reason',
    ),
    wideColumn('Undo-Ready', 'Whether it could take its bundles back alone; else the reason'),
    wideColumn('Key', 'Fingerprint of its identity key'),
  ],
  cells(object, nowMs) {
    const { metadata } = object;
    const status = (object['status'] ?? {}) as NodeStatus & { flotilla?: NodeExtra };
    const info = status.nodeInfo;
    return [
      metadata.name,
      statusText(object, status),
      orNone(roles(metadata.labels ?? {})),
      age(metadata.creationTimestamp, nowMs),
      info?.kubeletVersion ?? '',
      orNone(address(status, 'InternalIP')),
      orNone(address(status, 'ExternalIP')),
      info?.osImage || '<unknown>',
      info?.kernelVersion || '<unknown>',
      info?.containerRuntimeVersion || '<unknown>',
      rootText(status),
      status.flotilla?.reportedAt ? age(status.flotilla.reportedAt, nowMs) : '<never>',
      status.flotilla?.clock ?? '<unknown>',
      provenText(status, 'AloneReady'),
      provenText(status, 'UndoReady'),
      metadata.annotations?.[KEY_ANNOTATION] ?? '<unknown>',
    ];
  },
};
