/** What is rolled out in simulated histories: pods whose image says what becomes of them. Pure. */
import type { Pod } from 'kubernetes-types/core/v1.js';
import type { BundleStrategy } from '../../protocol/documents/bundle.js';
import { UPDATE_LOCK } from '../../protocol/pod-update-lock.js';
import type { ExecProgram, Program } from './engine.js';
import { SECRET, SECRET_PATH } from './secret-value.js';
import { BUNDLE_WINDOWS, type KnownWindow } from './windows.js';

/** `crash` ends at once, `never` is never ready, `gone` is in no registry. */
export type Fate = 'good' | 'crash' | 'never' | 'gone';

export interface Content {
  readonly bundle: string;
  /** Image by pod. */
  readonly pods: ReadonlyMap<string, string>;
  readonly fate: Fate;
  readonly strategy: BundleStrategy;
  /** Those of the strategy. */
  readonly windows: readonly KnownWindow[];
  readonly nodeSelector: string;
  /** Each pod reads the bundle's Secret. */
  readonly hasSecret: boolean;
  /** Each pod may ask not to be disturbed. */
  readonly hasLock: boolean;
}

export const FATES: readonly Fate[] = ['good', 'crash', 'never', 'gone'];
export const BUNDLES = ['shop', 'till', 'sign'] as const;
export const ZONES = ['a', 'b'] as const;
/** Where programs touch a file that asks for time, in containers and in their pod. */
export const LOCK_PATH = '/run/app';
export const LOCK_VOLUME = 'run';
export const LOCK_FILE = 'busy';
const PODS = 3;
const VERSIONS = 3;
const KEPT_SHARE = 0.7;

/** All images that a registry may have. */
export const IMAGES: readonly string[] = BUNDLES.flatMap(bundle =>
  Array.from({ length: PODS }, (_, pod) => `${bundle}-${pod}`),
).flatMap(pod =>
  (['good', 'crash', 'never'] as const).flatMap(fate =>
    Array.from({ length: VERSIONS }, (_, version) => `${pod}-${fate}:${version}`),
  ),
);

export interface Choice {
  readonly bundle: string;
  readonly fate: Fate;
  readonly nodeSelector: string;
  /** How many of them have a maintenance window, from 0 to 1. */
  readonly windowShare: number;
  readonly random: () => number;
}

/** One pod at least; of one that is bad, one pod is. */
export function contentOf({ bundle, fate, nodeSelector, windowShare, random }: Choice): Content {
  const count = 1 + Math.floor(random() * PODS);
  const first = Math.floor(random() * PODS);
  const names = Array.from({ length: count }, (_, i) => `${bundle}-${(first + i) % PODS}`);
  const bad = Math.floor(random() * count);
  const pods = names.map((name, i): [string, string] => {
    const version = Math.floor(random() * VERSIONS);
    return [name, `${name}-${i === bad ? fate : 'good'}:${version}`];
  });
  const drawn = Math.floor(random() * BUNDLE_WINDOWS.length);
  const windows = random() < windowShare ? BUNDLE_WINDOWS.slice(drawn, drawn + 1) : [];
  const strategy: BundleStrategy = {
    progressDeadlineSeconds: 30 + Math.floor(random() * 60),
    minReadySeconds: Math.floor(random() * 10),
    onFailure: random() < 0.8 ? 'rollback' : 'keep',
    ...(windows.length > 0 ? { maintenanceWindows: windows.map(({ window }) => window) } : {}),
  };
  const hasSecret = random() < 0.4;
  const hasLock = random() < 0.3;
  const chosen = { bundle, fate, strategy, windows, nodeSelector, hasSecret, hasLock };
  return { ...chosen, pods: new Map(pods) };
}

/** What takes the place of something, and changes a part of it: most of the pods that were good stay as they are. */
export function changedFrom(former: Content, next: Content, random: () => number): Content {
  const { hasSecret, hasLock } = former;
  const isGood = (image: string) => image.includes('-good:');
  const kept = [...former.pods].filter(
    ([pod, image]) => isGood(image) && isGood(next.pods.get(pod) ?? image) && random() < KEPT_SHARE,
  );
  return { ...next, pods: new Map([...next.pods, ...kept]), hasSecret, hasLock };
}

/** The same is the same file. */
export function manifestsOf({ pods, hasSecret, hasLock }: ManifestsOf): Pod[] {
  const volumes = [
    ...(hasSecret ? [{ name: SECRET, secret: { secretName: SECRET } }] : []),
    ...(hasLock ? [{ name: LOCK_VOLUME, emptyDir: {} }] : []),
  ];
  const volumeMounts = [
    ...(hasSecret ? [{ name: SECRET, mountPath: SECRET_PATH }] : []),
    ...(hasLock ? [{ name: LOCK_VOLUME, mountPath: LOCK_PATH }] : []),
  ];
  const annotations = { [UPDATE_LOCK]: `${LOCK_VOLUME}/${LOCK_FILE}` };
  return [...pods].map(([name, image]) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', ...(hasLock ? { annotations } : {}) },
    spec: {
      terminationGracePeriodSeconds: 5,
      ...(volumes.length > 0 ? { volumes } : {}),
      containers: [
        {
          ...{ name: 'main', image, imagePullPolicy: 'IfNotPresent' },
          ...(volumes.length > 0 ? { volumeMounts } : {}),
          readinessProbe: { exec: { command: ['ready'] }, periodSeconds: 20 },
        },
      ],
    },
  }));
}

type ManifestsOf = Pick<Content, 'pods' | 'hasSecret' | 'hasLock'>;

/** A container that ends does it in the moment in which it began. */
export const program: Program = ({ image }) =>
  image.includes('-crash:')
    ? { kind: 'exits', code: 1 }
    : { kind: 'runs', ignoresTerm: image.endsWith(':2') };

export const execProgram: ExecProgram = ({ image }) => ({
  exitCode: image.includes('-never:') ? 1 : 0,
});
