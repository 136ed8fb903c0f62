/**
 * Versions of Secrets at a hub that was restored: nodes refuse to go back, and those that it has not heard may know versions that it
 * does not. Numbers are cheap: it goes on far above.
 */
import type { SecretObject, SecretVersionObject } from '../objects.js';
import type { Mutation, Store } from '../store/store.js';

export const VERSIONS_LEFT_OUT = 1_000;

/** Of a Secret that this hub has never known: the version that somebody may have got from the lost one. */
export async function versionsAbove(store: Pick<Store, 'unheard'>): Promise<number> {
  return (await store.unheard()).length > 0 ? VERSIONS_LEFT_OUT : 0;
}

export function versionMutation(namespace: string, name: string, version: number): Mutation {
  const metadata = { namespace, name };
  const object = { kind: 'SecretVersion', metadata, spec: { version }, status: null } as const;
  return { type: 'put', object, expect: 'any' };
}

/** Leaps over the versions of every Secret that is known, or was. */
export async function versionLeaps(store: Pick<Store, 'list'>): Promise<Mutation[]> {
  const versions = (await store.list('SecretVersion')).items as readonly SecretVersionObject[];
  return versions.map(({ metadata: { namespace, name }, spec: { version } }) =>
    versionMutation(namespace, name, version + VERSIONS_LEFT_OUT),
  );
}

/** The highest that this hub knows; 0 when it never knew the Secret. */
export async function knownVersion(
  store: Pick<Store, 'get'>,
  namespace: string,
  name: string,
): Promise<number> {
  const found = [
    await store.get('Secret', namespace, name),
    await store.get('SecretVersion', namespace, name),
  ] as (SecretObject | SecretVersionObject | null)[];
  return Math.max(0, ...found.map(one => one?.spec.version ?? 0));
}
