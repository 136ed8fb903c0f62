/** What a change of manifests does to running pods, said beforehand. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BundleManifest } from '../../../protocol/bundle-manifest.js';
import { podChanges, type PodSet } from '../../../protocol/pod-change.js';
import type { Pod } from '../../../protocol/pod.js';

type Editable = Pod & Required<Pick<Pod, 'metadata' | 'spec'>>;

const web: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', labels: { app: 'web' } },
  spec: {
    terminationGracePeriodSeconds: 5,
    initContainers: [{ name: 'fill', image: 'fill:1' }],
    containers: [
      { name: 'app', image: 'app:1', ports: [{ containerPort: 80, hostPort: 8080 }] },
      { name: 'log', image: 'log:1', volumeMounts: [{ name: 'conf', mountPath: '/etc/log' }] },
    ],
    volumes: [{ name: 'conf', hostPath: { path: '/etc/log' } }],
  },
};
const db: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'db' },
  spec: { containers: [{ name: 'db', image: 'db:1' }] },
};
const settings = (value: string): BundleManifest => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { key: value } },
});

function edited(edit: (copy: Editable) => void): Pod {
  const copy = structuredClone(web) as Editable;
  edit(copy);
  return copy;
}

const setOf = (...pods: readonly (Pod | BundleManifest)[]): PodSet => ({
  manifests: pods,
});

/** `web restarts (app, log)`. */
function told(before: PodSet | null, after: PodSet | null): string {
  return podChanges(before, after)
    .map(({ pod, is, containers }) => `${pod} ${is}${containers ? ` (${containers.join()})` : ''}`)
    .join('; ');
}

const container = (copy: Editable, at: number) => {
  const found = copy.spec.containers[at];
  assert.ok(found);
  return found;
};

describe('a change of a bundle says beforehand what becomes of its pods', () => {
  const table: readonly [string, PodSet | null, PodSet | null, string][] = [
    [
      'the same manifests leave everything alone',
      setOf(web, db),
      setOf(web, db),
      'db stays; web stays',
    ],
    ['what is new starts', setOf(web), setOf(web, db), 'db starts; web stays'],
    ['what is missing stops', setOf(web, db), setOf(web), 'db stops; web stays'],
    ['where nothing was, everything starts', null, setOf(web), 'web starts'],
    ['where nothing is to be, everything stops', setOf(web), null, 'web stops'],
    [
      'an image of one app container restarts that container alone',
      setOf(web),
      setOf(edited(copy => (container(copy, 0).image = 'app:2'))),
      'web restarts (app)',
    ],
    [
      'a label restarts nothing',
      setOf(web),
      setOf(edited(copy => (copy.metadata.labels = { app: 'shop' }))),
      'web stays',
    ],
    [
      'a ConfigMap restarts nothing',
      setOf(web, settings('a')),
      setOf(web, settings('b')),
      'web stays',
    ],
    [
      'a host port makes another pod of it',
      setOf(web),
      setOf(edited(copy => (container(copy, 0).ports = [{ containerPort: 80, hostPort: 8081 }]))),
      'web restarts',
    ],
    [
      'so does an init container',
      setOf(web),
      setOf(edited(copy => (copy.spec.initContainers = [{ name: 'fill', image: 'fill:2' }]))),
      'web restarts',
    ],
    [
      'so does the annotation that a restart writes',
      setOf(web),
      setOf(
        edited(
          copy => (copy.metadata.annotations = { 'kubectl.kubernetes.io/restartedAt': 'now' }),
        ),
      ),
      'web restarts',
    ],
    [
      'a container that is left out ends, the others go on',
      setOf(web),
      setOf(edited(copy => void copy.spec.containers.pop())),
      'web restarts (log)',
    ],
    [
      'an image that is bound to another digest restarts its container',
      { ...setOf(web), bindings: new Map([['app:1', ['sha256:a']]]) },
      { ...setOf(web), bindings: new Map([['app:1', ['sha256:b']]]) },
      'web restarts (app)',
    ],
    [
      'files that are watched from now on restart the container that mounts them',
      setOf(web),
      setOf(
        edited(copy => (copy.metadata.annotations = { 'flotilla.dev/restart-on-change': 'conf' })),
      ),
      'web restarts (log)',
    ],
  ];
  for (const [sentence, before, after, expected] of table) {
    test(sentence, () => assert.equal(told(before, after), expected));
  }
});
