/**
 * The next root from the one in force and what is to change: version + 1, and nothing that a node would refuse. Keys are
 * named by their ids; a key that no role names any more leaves the list. Pure.
 */
import type { ReleaseRole, RoleKeys, RootDocument } from '../../protocol/documents/root.js';
import { keyId } from '../../protocol/keys.js';

/** What is wrong with a change, and where. */
export class RootEditError extends Error {
  override readonly name = 'RootEditError';
  readonly field: string;
  constructor(field: string, message: string) {
    super(`${field}: ${message}`);
    this.field = field;
  }
}

/** Roles as a plan gives them: who may sign what. */
export interface PlannedRoles {
  readonly root: RoleKeys;
  readonly release: readonly ReleaseRole[];
  readonly secrets: RoleKeys | null;
  /** Of all keys that the roles name, hex. */
  readonly publicKeys: readonly string[];
}

/** What a hub that has no root yet asks to be named in it. */
export interface HubRequest {
  readonly fleet: string;
  /** Raw Ed25519, hex. */
  readonly hubKey: string;
  /** SHA-256 of the SubjectPublicKeyInfo of its certificate authorities. */
  readonly tls: readonly string[];
}

export interface FirstRoot {
  readonly request: HubRequest;
  readonly roles: PlannedRoles;
  readonly issued: string;
  readonly expires: string;
  readonly limits: RootDocument['limits'];
  readonly minAgent: string | null;
}

/** Version 1 of a fleet whose root and release keys are not at the hub. */
export function firstRootOf(first: FirstRoot): RootDocument {
  const { request, roles } = first;
  return {
    fleet: request.fleet,
    version: 1,
    issued: first.issued,
    expires: first.expires,
    epoch: 1,
    keys: keysOf([...roles.publicKeys, request.hubKey]),
    roles: {
      root: roles.root,
      release: [...roles.release],
      hub: { threshold: 1, keys: [keyId(request.hubKey)] },
      secrets: roles.secrets,
    },
    floors: {},
    denied: [],
    tls: [...request.tls],
    development: false,
    minAgent: first.minAgent,
    limits: first.limits,
  };
}

export interface RootChanges {
  readonly issued: string;
  readonly expires: string;
  readonly roles?: PlannedRoles | undefined;
  /** New keys of a hub that was made anew: they take the place of its former ones. */
  readonly request?: HubRequest | undefined;
  /** Raw public keys, hex. */
  readonly addRootKeys?: readonly string[];
  readonly addHubKeys?: readonly string[];
  /** Key ids: from every role that names them. */
  readonly removeKeys?: readonly string[];
  /** In every role and scope that names the old one. */
  readonly replaceKeys?: readonly { readonly old: string; readonly by: string }[];
  readonly rootThreshold?: number | undefined;
  readonly floors?: Readonly<Record<string, number>>;
  readonly deny?: readonly string[];
  readonly allowAgain?: readonly string[];
  readonly raiseEpoch?: boolean | undefined;
  readonly addTlsPins?: readonly string[];
  readonly removeTlsPins?: readonly string[];
  readonly minAgent?: string | null | undefined;
  readonly podsPerBundle?: number | undefined;
  /** Known where the hub itself makes the new keys; else it is seen from the root keys that stay. */
  readonly development?: boolean;
}

/** Throws `RootEditError`. Whether the result is a sound root is for `draftOf` to say. */
export function nextRootOf(former: RootDocument, changes: RootChanges): RootDocument {
  const publicKeys = new Map(Object.entries(former.keys));
  const add = (publicKey: string) => {
    const id = keyId(publicKey);
    publicKeys.set(id, publicKey);
    return id;
  };
  for (const key of changes.roles?.publicKeys ?? []) add(key);
  let roles = withPlan(former, changes, add);
  roles = {
    ...roles,
    root: withKeys(roles.root, (changes.addRootKeys ?? []).map(add)),
    hub: withKeys(roles.hub, (changes.addHubKeys ?? []).map(add)),
  };
  for (const { old, by } of changes.replaceKeys ?? []) {
    if (!namedKeys(roles).has(old))
      throw new RootEditError('roles', `no role names the key ${old}`);
    const id = add(by);
    roles = mapKeys(roles, keys => [...new Set(keys.map(key => (key === old ? id : key)))]);
  }
  for (const id of changes.removeKeys ?? []) {
    if (!namedKeys(roles).has(id)) throw new RootEditError('roles', `no role names the key ${id}`);
    roles = mapKeys(roles, keys => keys.filter(key => key !== id));
  }
  if (changes.rootThreshold !== undefined) {
    roles = { ...roles, root: { ...roles.root, threshold: changes.rootThreshold } };
  }
  refuseUnmet(roles);
  const next: RootDocument = {
    ...former,
    version: former.version + 1,
    issued: changes.issued,
    expires: changes.expires,
    epoch: former.epoch + (changes.raiseEpoch === true ? 1 : 0),
    keys: Object.fromEntries([...publicKeys].filter(([id]) => namedKeys(roles).has(id))),
    roles,
    floors: raisedFloors(former.floors, changes.floors ?? {}),
    denied: deniedOf(former.denied, changes),
    tls: pinsOf(former.tls, changes),
    minAgent: changes.minAgent === undefined ? former.minAgent : changes.minAgent,
    limits: { ...former.limits, ...podLimit(changes.podsPerBundle) },
  };
  const development = changes.development ?? isHeldStill(former, roles.root);
  return { ...next, development: former.development && development };
}

function keysOf(publicKeys: readonly string[]): Record<string, string> {
  return Object.fromEntries(publicKeys.map(key => [keyId(key), key]));
}

type Roles = RootDocument['roles'];

function withPlan(
  former: RootDocument,
  { roles: planned, request }: RootChanges,
  add: (publicKey: string) => string,
): Roles {
  const roles: Roles = planned
    ? {
        hub: former.roles.hub,
        root: planned.root,
        release: [...planned.release],
        secrets: planned.secrets,
      }
    : former.roles;
  if (!request) return roles;
  if (request.fleet !== former.fleet) {
    throw new RootEditError('fleet', 'the request is of a hub of another fleet');
  }
  return { ...roles, hub: { threshold: 1, keys: [add(request.hubKey)] } };
}

function withKeys(role: RoleKeys, ids: readonly string[]): RoleKeys {
  return { ...role, keys: [...new Set([...role.keys, ...ids])] };
}

function mapKeys(roles: Roles, change: (keys: readonly string[]) => string[]): Roles {
  const of = <R extends RoleKeys>(role: R): R => ({ ...role, keys: change(role.keys) });
  return {
    root: of(roles.root),
    hub: of(roles.hub),
    secrets: roles.secrets && of(roles.secrets),
    release: roles.release.map(role => ({ ...of(role), scopes: role.scopes.map(of) })),
  };
}

function namedKeys(roles: Roles): Set<string> {
  const all = [roles.root, roles.hub, ...roles.release, ...(roles.secrets ? [roles.secrets] : [])];
  return new Set(all.flatMap(role => role.keys));
}

/** Said with the field that a person can find: the schema only says that a list is empty. */
function refuseUnmet(roles: Roles): void {
  const all: [string, RoleKeys][] = [
    ['roles.root', roles.root],
    ['roles.hub', roles.hub],
    ...(roles.secrets ? [['roles.secrets', roles.secrets] as [string, RoleKeys]] : []),
    ...roles.release.flatMap((role, i): [string, RoleKeys][] => [
      [`roles.release[${i}]`, role],
      ...role.scopes.map((scope, j): [string, RoleKeys] => [
        `roles.release[${i}].scopes[${j}]`,
        scope,
      ]),
    ]),
  ];
  for (const [field, { threshold, keys }] of all) {
    if (keys.length < threshold) {
      const why = `${keys.length} keys are left, and ${threshold} must sign: lower the threshold or add keys`;
      throw new RootEditError(field, why);
    }
  }
}

function raisedFloors(
  former: Readonly<Record<string, number>>,
  floors: Readonly<Record<string, number>>,
): Record<string, number> {
  for (const [bundle, floor] of Object.entries(floors)) {
    const now = former[bundle] ?? 0;
    if (floor < now) {
      throw new RootEditError(`floors.${bundle}`, `${floor} is below ${now}; a floor never falls`);
    }
  }
  return { ...former, ...floors };
}

function deniedOf(former: readonly string[], { deny = [], allowAgain = [] }: RootChanges) {
  for (const digest of allowAgain) {
    if (!former.includes(digest)) {
      throw new RootEditError('denied', `${digest} is not denied`);
    }
  }
  return [...new Set([...former.filter(digest => !allowAgain.includes(digest)), ...deny])];
}

function pinsOf(former: readonly string[], changes: RootChanges): string[] {
  const { addTlsPins = [], removeTlsPins = [], request } = changes;
  for (const pin of removeTlsPins) {
    if (!former.includes(pin)) throw new RootEditError('tls', `${pin} is not pinned`);
  }
  const kept = request ? request.tls : former.filter(pin => !removeTlsPins.includes(pin));
  const pins = [...new Set([...kept, ...addTlsPins])];
  if (pins.length === 0) throw new RootEditError('tls', 'one pin must be left');
  return pins;
}

function podLimit(podsPerBundle: number | undefined) {
  return podsPerBundle === undefined ? {} : { podsPerBundle };
}

/** While the hub's own keys are enough to sign the next root, it can do everything, and nodes say so. */
function isHeldStill(former: RootDocument, { threshold, keys }: RoleKeys): boolean {
  return keys.filter(id => former.roles.root.keys.includes(id)).length >= threshold;
}
