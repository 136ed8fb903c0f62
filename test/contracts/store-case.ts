/** What the sentences of the store contract share: a stopped clock, actors, drafts. */
import type { Clock } from '../../protocol/ports.js';
import type {
  Actor,
  AssignmentRecord,
  Mutation,
  ObjectDraft,
  ObjectKind,
  Store,
} from '../../hub/store/store.js';

export interface StoreUnderTest {
  readonly store: Store;
  /** Closes the store if it is open and opens the same data again. */
  reopen(): Promise<Store>;
  /** Closes the store and removes all that it kept. */
  remove(): Promise<void>;
}

export type OpenStore = (clock: Clock) => Promise<StoreUnderTest>;

/** Stands still until told otherwise. */
export interface StoppedClock extends Clock {
  set(rfc3339: string): void;
}

export interface StoreCase {
  readonly store: Store;
  readonly clock: StoppedClock;
  readonly reopen: () => Promise<Store>;
}

/** Runs one sentence against a fresh store. */
export type Sentence = (sentence: string, body: (given: StoreCase) => Promise<void>) => void;

export const HUB: Actor = { kind: 'hub', name: 'controller' };
export const ANN: Actor = { kind: 'user', name: 'ann', address: '192.0.2.7' };
export const START = '2026-01-02T03:04:05Z';

export function stoppedClock(): StoppedClock {
  let now = Date.parse(START);
  return {
    now: () => now,
    monotonic: () => now,
    sleep: () => Promise.reject(new Error('a store has no reason to sleep')),
    set: at => {
      now = Date.parse(at);
    },
  };
}

type Meta = Partial<ObjectDraft['metadata']>;

/** A draft with a spec of one field. */
export function draft(
  kind: ObjectKind,
  name: string,
  options: { spec?: unknown; status?: unknown; metadata?: Meta } = {},
): ObjectDraft {
  const namespace = kind === 'Node' || kind === 'Token' ? '' : 'default';
  return {
    kind,
    metadata: { namespace, name, ...options.metadata },
    spec: options.spec ?? { a: 1 },
    status: options.status ?? null,
  };
}

export function put(
  object: ObjectDraft,
  expect: Extract<Mutation, { type: 'put' }>['expect'] = 'any',
): Extract<Mutation, { type: 'put' }> {
  return { type: 'put', object, expect };
}

/** Puts one object as the hub and returns it as written. */
export async function putOne(store: Store, object: ObjectDraft) {
  const [written] = (await store.commit(HUB, [put(object)])).objects;
  if (!written) throw new Error('a put returned no object');
  return written;
}

export function removeBundle(name: string, expect?: { resourceVersion: string }): Mutation {
  return {
    type: 'delete',
    kind: 'Bundle',
    namespace: 'default',
    name,
    ...(expect && { expect }),
  };
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function assignment(epoch: number, generation: number, node = 'n'): AssignmentRecord {
  const digest = `${epoch}.${generation}`;
  return { node, epoch, generation, digest, envelope: bytes(digest) };
}

export async function commit(store: Store, ...mutations: Mutation[]): Promise<void> {
  await store.commit(HUB, mutations);
}
