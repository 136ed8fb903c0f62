/** An object as its row: what tables keep and the history tells. */
import type { Change, ObjectKind, StoredObject } from './store.js';

/** JSON as text. */
export interface ObjectRow {
  readonly kind: ObjectKind;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly resource_version: number;
  readonly created_at: string;
  readonly labels: string;
  readonly annotations: string;
  readonly spec: string;
  readonly status: string;
}

export function toObject(row: ObjectRow): StoredObject {
  return {
    kind: row.kind,
    metadata: {
      namespace: row.namespace,
      name: row.name,
      uid: row.uid,
      generation: row.generation,
      resourceVersion: String(row.resource_version),
      creationTimestamp: row.created_at,
      labels: JSON.parse(row.labels) as Record<string, string>,
      annotations: JSON.parse(row.annotations) as Record<string, string>,
    },
    spec: JSON.parse(row.spec) as unknown,
    status: JSON.parse(row.status) as unknown,
  };
}

/**
 * A change as the history keeps it: parsed for each watch that reads it. Parsed objects would take some five times the memory, and most of
 * the time of a commit would go to the garbage collector.
 */
export interface KeptChange {
  readonly type: Change['type'];
  readonly row: ObjectRow;
  readonly previous: ObjectRow | null;
}
