/**
 * What a node goes through while it is killed, chapter by chapter, each beginning where the one before it ended:
 * three revisions of one bundle (one of several pods changed, one added, one removed), one that is undone, one
 * that is refused, one that is carried there, one that other keys sign than those before, one with a Secret, another value
 * of that Secret, and the bundle's end. A chapter says what is to be true when it is over.
 */
import type { AssignedBundle } from '../../protocol/documents/assignment.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import { assigned, bundleDocument, HUB, podManifest } from '../support/fleet.js';
import type { KillHub } from './hub.js';

/** Goes on until it is told to end; is never seen ready; is never to be started. */
const web = (version: number) => `flotilla.dev/kill-web:${version}`;
const crash = (version: number) => `flotilla.dev/kill-crash:${version}`;
const evil = (version: number) => `flotilla.dev/kill-evil:${version}`;

type Manifest = Record<string, unknown>;

export interface RevisionOf {
  readonly document: BundleDocument;
  readonly manifests: readonly Manifest[];
}

export interface Chapter {
  readonly name: string;
  /** The hub says it; for one that is carried, nobody hears it until it is over. */
  readonly begin: (hub: KillHub) => void | Promise<void>;
  readonly isCarried?: boolean;
  /** Before the hub says it, and when the node is at rest: somebody takes the static pod directory away, and makes it anew. */
  readonly isReplaced?: boolean;
  /** Name of the chapter whose end it begins with; absent: the one before it. */
  readonly after?: string;
  /** What the hub hears of the bundle; null: nothing, it is gone. */
  readonly state: { readonly state: string; readonly revision: number } | null;
  /** Image by pod. */
  readonly runs: Readonly<Record<string, string>>;
  /** `pod image` that may be started in this chapter. */
  readonly mayStart: readonly string[];
  /** What its pods are given as the password; absent: none of them is given any. */
  readonly password?: string;
  /** What was told of bundles since the first chapter: each once, in order. */
  readonly events: readonly string[];
}

function pod(name: string, image: string, more: Manifest = {}): Manifest {
  const manifest = podManifest(name, image);
  const spec = { ...(manifest['spec'] as Manifest), terminationGracePeriodSeconds: 1, ...more };
  return { ...manifest, spec };
}

function settings(value: string): Manifest {
  const metadata = { name: 'settings', namespace: 'default' };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'app.conf': value } };
}

const WITH_SETTINGS = {
  containers: [
    {
      ...{ name: 'main', image: web(1) },
      volumeMounts: [{ name: 'settings', mountPath: '/etc/app' }],
    },
  ],
  volumes: [{ name: 'settings', configMap: { name: 'settings' } }],
};

const STRATEGY = { minReadySeconds: 0, onFailure: 'rollback' } as const;
/** For what gets ready at once, also on a machine that is busy; for what never does. */
const PATIENT_S = 60;
const HASTY_S = 1;

function revision(
  number: number,
  manifests: readonly Manifest[],
  progressDeadlineSeconds: number = PATIENT_S,
): RevisionOf {
  const strategy = { ...STRATEGY, progressDeadlineSeconds };
  return { document: bundleDocument(manifests, { revision: number, strategy }), manifests };
}

const FIRST = revision(1, [
  settings('one'),
  pod('stays', web(1)),
  pod('changes', web(1)),
  pod('goes', web(1), WITH_SETTINGS),
]);
const SECOND = revision(2, [pod('stays', web(1)), pod('changes', web(2)), pod('comes', web(1))]);
const CRASHING = revision(
  3,
  [pod('stays', web(1)), pod('changes', crash(3)), pod('comes', web(1))],
  HASTY_S,
);
const FORGED = revision(4, [pod('stays', evil(1)), pod('comes', evil(1))]);
const CARRIED = revision(5, [pod('stays', web(1)), pod('changes', web(5)), settings('five')]);

const REKEYED = revision(6, [pod('stays', web(1)), pod('changes', web(1)), settings('five')]);
const WITH_SECRET = {
  containers: [
    { ...{ name: 'main', image: web(1) }, volumeMounts: [{ name: 'db', mountPath: '/etc/db' }] },
  ],
  volumes: [{ name: 'db', secret: { secretName: 'db' } }],
};
const SECRET = revision(7, [
  pod('stays', web(1)),
  pod('changes', web(1)),
  pod('keeps', web(1), WITH_SECRET),
]);
const FIRST_PASSWORD = 'correct-horse-battery-staple';
const NEXT_PASSWORD = 'troubador-and-three-of-four';
/** No copy of them may lie where it outlives the power. */
export const PASSWORDS = [FIRST_PASSWORD, NEXT_PASSWORD];

/** All that the engine has. */
export const IMAGES = [web(1), web(2), web(5), crash(3), evil(1)];

const one = ({ document }: RevisionOf): AssignedBundle[] => [assigned(document)];
const AFTER_SECOND = { stays: web(1), changes: web(2), comes: web(1) };
const ROLLED_BACK = ['BundleHealthy 1', 'BundleHealthy 2', 'BundleFailed 3', 'BundleRolledBack 3'];

const REKEYED_EVENTS = [...ROLLED_BACK, 'BundleHealthy 5', 'BundleHealthy 6'];
const SECRET_EVENTS = [...REKEYED_EVENTS, 'BundleHealthy 7'];
const WITH_PASSWORD = { stays: web(1), changes: web(1), keeps: web(1) };

/** The same bundle, with this version of its Secret. */
function sealed(version: number, password: string) {
  return async (hub: KillHub) => {
    hub.publishRevision(SECRET);
    const secret = await hub.sealSecret(version, { password });
    hub.assign({ bundles: one(SECRET), secrets: [secret] });
  };
}

function ordered(made: RevisionOf) {
  return (hub: KillHub) => {
    hub.publishRevision(made);
    hub.assign({ bundles: one(made) });
  };
}

export const CHAPTERS: readonly Chapter[] = [
  {
    name: 'install',
    begin: ordered(FIRST),
    state: { state: 'healthy', revision: 1 },
    runs: { stays: web(1), changes: web(1), goes: web(1) },
    mayStart: [`stays ${web(1)}`, `changes ${web(1)}`, `goes ${web(1)}`],
    events: ['BundleHealthy 1'],
  },
  {
    name: 'update',
    begin: ordered(SECOND),
    state: { state: 'healthy', revision: 2 },
    runs: AFTER_SECOND,
    mayStart: [`changes ${web(2)}`, `comes ${web(1)}`],
    events: ['BundleHealthy 1', 'BundleHealthy 2'],
  },
  {
    name: 'rollback',
    begin: ordered(CRASHING),
    state: { state: 'rolledBack', revision: 3 },
    runs: AFTER_SECOND,
    mayStart: [`changes ${crash(3)}`, `changes ${web(2)}`],
    events: ROLLED_BACK,
  },
  {
    name: 'refused',
    begin: hub => {
      hub.publishRevision(FORGED, [HUB]);
      hub.assignForged(one(CARRIED));
      hub.assign({ bundles: one(FORGED) });
    },
    state: { state: 'waiting', revision: 4 },
    runs: AFTER_SECOND,
    mayStart: [],
    events: ROLLED_BACK,
  },
  {
    name: 'carried',
    begin: ordered(CARRIED),
    isCarried: true,
    state: { state: 'healthy', revision: 5 },
    runs: { stays: web(1), changes: web(5) },
    mayStart: [`changes ${web(5)}`],
    events: [...ROLLED_BACK, 'BundleHealthy 5'],
  },
  {
    name: 'rotation',
    begin: hub => {
      hub.rotate();
      ordered(REKEYED)(hub);
    },
    state: { state: 'healthy', revision: 6 },
    runs: { stays: web(1), changes: web(1) },
    mayStart: [`changes ${web(1)}`],
    events: REKEYED_EVENTS,
  },
  {
    name: 'secret',
    begin: sealed(1, FIRST_PASSWORD),
    state: { state: 'healthy', revision: 7 },
    runs: WITH_PASSWORD,
    mayStart: [`keeps ${web(1)}`],
    password: FIRST_PASSWORD,
    events: SECRET_EVENTS,
  },
  {
    name: 'password',
    begin: sealed(2, NEXT_PASSWORD),
    state: { state: 'healthy', revision: 7 },
    runs: WITH_PASSWORD,
    mayStart: [],
    password: NEXT_PASSWORD,
    events: SECRET_EVENTS,
  },
  {
    name: 'removal',
    begin: hub => void hub.assign({ bundles: [] }),
    state: null,
    runs: {},
    mayStart: [],
    events: SECRET_EVENTS,
  },
  {
    name: 'replaced',
    after: 'password',
    isReplaced: true,
    begin: hub => void hub.assign({ bundles: [] }),
    state: null,
    runs: {},
    mayStart: [],
    events: SECRET_EVENTS,
  },
];

/** Null: it begins with a node that has joined, and knows of nothing. */
export function chapterBefore({ name, after }: Chapter): Chapter | null {
  const own = CHAPTERS.findIndex(one => one.name === name);
  const found = CHAPTERS.findIndex(one => one.name === after);
  return CHAPTERS[after === undefined ? own - 1 : found] ?? null;
}

/** These, and what has to be lived through before them; in order. */
export function withPast(wanted: readonly Chapter[]): Chapter[] {
  const needed = new Set<Chapter>();
  for (const one of wanted) {
    for (let at: Chapter | null = one; at; at = chapterBefore(at)) needed.add(at);
  }
  return CHAPTERS.filter(chapter => needed.has(chapter));
}
