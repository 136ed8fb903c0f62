/** What the directory says, misfortune by misfortune (kubelet behaviour rows 4 to 24). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  applyListing,
  emptyDirectory,
  parseFile,
  snapshotOf,
  withLastGood,
  type DirectoryState,
  type Listing,
  type Reading,
} from '../../../agent/sources/files-decide.js';
import { skipReason } from '../../../agent/sources/manifest-names.js';
import { sha256Hex } from '../../../protocol/canonical.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const yaml = (name: string, image = 'busybox:1') =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec: {containers: [{name: app, image: '${image}'}]}\n`;
const file = (name: string, text: string): Reading => ({
  name,
  is: 'bytes',
  bytes: bytes(text),
  mode: 0o644,
});
const listing = (...readings: Reading[]): Listing => ({
  ok: true,
  readings,
  isWriting: false,
  problem: null,
});
const trusting = () => true;

function feed(state: DirectoryState, ...listings: Listing[]) {
  let changes: ReturnType<typeof applyListing>['changes'] = [];
  for (const one of listings) ({ state, changes } = applyListing(state, one, trusting));
  const { pods, conditions, refused, complete } = snapshotOf(state);
  return {
    state,
    changes,
    complete,
    names: pods.map(pod => pod.manifest.metadata.name),
    images: pods.map(pod => pod.manifest.spec.containers[0]?.image),
    refusedEdits: pods.map(pod => pod.refusedEdit?.reason ?? null),
    refusedContents: pods.map(pod => pod.refusedEdit?.content),
    conditions: conditions.filter(({ type }) => type !== 'StaticPodPath'),
    path: conditions.find(({ type }) => type === 'StaticPodPath'),
    refused,
  };
}

const names: readonly [string, boolean][] = [
  ['web.yaml', true],
  ['web.yml', true],
  ['web.json', true],
  ['WEB.YAML', true],
  ['web', false],
  ['README', false],
  ['ünï code.yaml', true],
  ['not-\ufffd-text.yaml', false],
  ['new\nline.yaml', false],
  ['\u001b[2Jweb.yaml', false],
  ['web.yaml.txt', false],
  ['web.conf', false],
  ['web.yaml~', false],
  ['web.yaml.bak', false],
  ['web.yaml.orig', false],
  ['web.swp', false],
  ['#web.yaml#', false],
  ['web.tmp', false],
  ['web.yaml.rej', false],
  ['web.yaml.dpkg-dist', false],
  ['web.yaml.rpmsave', false],
];

describe('skipReason', () => {
  for (const [name, isManifest] of names) {
    test(`${name} is ${isManifest ? 'read' : 'skipped'}`, () => {
      assert.equal(skipReason(name) === null, isManifest);
    });
  }
});

const forms: readonly [string, string, readonly string[] | RegExp][] = [
  ['YAML', yaml('a'), ['a']],
  [
    'JSON whatever the name',
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a' },
      spec: { containers: [{ name: 'c', image: 'x' }] },
    }),
    ['a'],
  ],
  ['several documents', `${yaml('a')}---\n${yaml('b')}`, ['a', 'b']],
  ['one bad document refuses the whole', `${yaml('a')}---\nkind: Pod\n`, /apiVersion/],
  ['an unknown field, with its place', yaml('a').replace('spec:', 'sepc:'), /f:4:1/],
  ['two pods of one name', `${yaml('a')}---\n${yaml('a')}`, /default\/a is in the file twice/],
  ['nothing', '', /no manifest in it/],
  ['a cut text', yaml('a').slice(0, 60), /f/],
  ['another kind', 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n', /Deployment/],
  [
    'a PodList',
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'PodList',
      items: [{ metadata: { name: 'a' }, spec: { containers: [{ name: 'c', image: 'x' }] } }],
    }),
    ['a'],
  ],
];

describe('parseFile', () => {
  for (const [says, text, wanted] of forms) {
    test(says, () => {
      const parsed = parseFile('f', bytes(text));
      if (wanted instanceof RegExp) {
        assert.ok(!parsed.ok);
        assert.match(parsed.message, wanted);
      } else {
        assert.ok(parsed.ok);
        assert.deepEqual(
          parsed.pods.map(pod => pod.manifest.metadata.name),
          wanted,
        );
      }
    });
  }
});

const map = (name: string, value = 'x') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {key: ${value}}\n`;
const secret = (value: string) =>
  `apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: ${value}}\n`;

describe('ConfigMaps and Secrets beside the pods (P12)', () => {
  test('a file may mix Pods, ConfigMaps, Secrets and lists of them', () => {
    const list = `apiVersion: v1\nkind: ConfigMapList\nitems: [{metadata: {name: c}}]\n`;
    const text = [yaml('a'), map('b'), secret('v'), list].join('---\n');
    const parsed = parseFile('f', bytes(text));
    assert.ok(parsed.ok);
    assert.deepEqual(
      parsed.objects.map(one => `${one.kind} ${one.namespace}/${one.name} ${one.origin}`),
      ['ConfigMap default/b f', 'Secret default/s f', 'ConfigMap default/c f'],
    );
    assert.equal(parsed.pods.length, 1);
  });

  test('a Pod and a ConfigMap may have one name, two ConfigMaps may not', () => {
    assert.ok(parseFile('f', bytes(`${yaml('a')}---\n${map('a')}`)).ok);
    const twice = parseFile('f', bytes(`${map('a')}---\n${map('a')}`));
    assert.ok(!twice.ok);
    assert.deepEqual([twice.reason, twice.refused], ['Duplicate', []]);
  });

  const modes: readonly [number, boolean][] = [
    [0o600, true],
    [0o400, true],
    [0o700, true],
    [0o640, false],
    [0o644, false],
    [0o604, false],
    [0o602, false],
  ];
  for (const [mode, isFine] of modes) {
    test(`a Secret in a file of mode ${mode.toString(8)} is ${isFine ? 'read' : 'refused'}`, () => {
      const parsed = parseFile('f', bytes(secret('hunter2')), mode);
      assert.equal(parsed.ok, isFine);
      if (parsed.ok) return;
      assert.equal(parsed.reason, 'SecretReadable');
      assert.match(parsed.message, /chmod 600 f/);
    });
  }

  test('a ConfigMap may be read by everybody', () => {
    assert.ok(parseFile('f', bytes(map('a')), 0o644).ok);
  });

  const leaks: readonly [string, string][] = [
    ['a number too large', secret('123456789012345678901234567890')],
    ['a broken text', `${secret('hunter2')}\thunter2: ]`],
    ['an unclosed quote', secret('"hunter2')],
    ['a tag', secret('!hunter2 x')],
    ['a wrong type', secret('[hunter2]')],
    ['JSON', '{"kind": "Secret", "stringData": {"key": 12345678901234567890 hunter2}}'],
  ];
  for (const [says, text] of leaks) {
    test(`no value of a Secret is in a message: ${says}`, () => {
      const parsed = parseFile('f', bytes(text));
      assert.ok(!parsed.ok);
      assert.doesNotMatch(parsed.message, /hunter2|1234567/);
      assert.match(parsed.message, /^f:\d+:\d+: /);
    });
  }

  test('one that turns bad stays as it was, and says so', () => {
    const first = applyListing(
      emptyDirectory('/m'),
      listing(file('c', map('a', 'one'))),
      trusting,
    ).state;
    const { state } = applyListing(first, listing(file('c', 'bad: [')), trusting);
    const [object] = snapshotOf(state).objects;
    assert.equal(Buffer.from(object?.data.get('key') ?? []).toString(), 'one');
    assert.match(snapshotOf(state).conditions[1]?.message ?? '', /last good content/);
    const gone = applyListing(state, listing(), trusting).state;
    assert.deepEqual(snapshotOf(gone).objects, []);
  });

  test('one of a bundle names its bundle', () => {
    const annotated = map('a').replace(
      '{name: a}',
      '{name: a, annotations: {flotilla.dev/bundle: prod/shop}}',
    );
    const name = 'flotilla_shop_0123456789abcdef.json';
    const { state } = applyListing(emptyDirectory('/m'), listing(file(name, annotated)), trusting);
    assert.deepEqual(snapshotOf(state).objects[0]?.bundle, { namespace: 'prod', name: 'shop' });
  });
});

const good = file('web.yaml', yaml('web'));
const start = feed(emptyDirectory('/m'), listing(good));
const bads: readonly [string, Reading][] = [
  ['empty', file('web.yaml', '')],
  ['cut', file('web.yaml', yaml('web').slice(0, 70))],
  ['no YAML', file('web.yaml', 'a: b: c')],
  ['of another kind', file('web.yaml', 'apiVersion: v1\nkind: Service\n')],
  ['without a name', file('web.yaml', yaml('web').replace('{name: web}', '{}'))],
  ['with an unknown field', file('web.yaml', yaml('web').replace('spec:', 'sepc:'))],
  ['unreadable', { name: 'web.yaml', is: 'unreadable', reason: 'Unreadable', message: 'EACCES' }],
  ['too big', { name: 'web.yaml', is: 'unreadable', reason: 'TooLarge', message: '11 MiB' }],
];

describe('the directory', () => {
  for (const [says, bad] of bads) {
    test(`rows 17 to 20 better, P5: a running pod whose file turns ${says} stays, with one warning and a condition`, () => {
      const first = feed(start.state, listing(bad));
      assert.deepEqual(first.names, ['web']);
      assert.equal(first.conditions[0]?.type, 'ManifestRefused');
      assert.deepEqual(first.refusedEdits, [first.conditions[0].reason], 'the pod says so too');
      const content = bad.is === 'bytes' ? sha256Hex(bad.bytes) : null;
      assert.deepEqual(first.refusedContents, [content], 'and of which bytes');
      assert.match(first.conditions[0].message, /web\.yaml.*the last good pods of this file stay/s);
      assert.equal(first.changes.filter(({ warning }) => warning !== null).length, 1);
      const second = feed(first.state, listing(bad));
      assert.deepEqual(second.names, ['web']);
      assert.equal(second.changes.filter(({ warning }) => warning !== null).length, 0);
      const mended = feed(second.state, listing(file('web.yaml', yaml('web', 'busybox:2'))));
      assert.deepEqual([mended.images, mended.conditions], [['busybox:2'], []]);
      assert.deepEqual(mended.refusedEdits, [null]);
    });
  }

  test('a new bad file starts nothing and disturbs nothing; its pod is shown as refused', () => {
    const bad = yaml('bad').replace('spec:', 'sepc:');
    const { names: pods, refused, conditions } = feed(start.state, listing(good, file('x', bad)));
    assert.deepEqual(pods, ['web']);
    assert.deepEqual(
      refused.map(({ name, namespace }) => [namespace, name]),
      [['default', 'bad']],
    );
    assert.equal(conditions.length, 1);
  });

  test('a file that is gone ends its pods and its last good content', () => {
    const { names: pods, changes } = feed(start.state, listing());
    assert.deepEqual(pods, []);
    assert.deepEqual(changes, [{ name: 'web.yaml', keep: 'drop', warning: null }]);
  });

  test('a directory that cannot be listed ends nothing and is a condition', () => {
    const gone = feed(start.state, { ok: false, reason: 'Missing', message: '/m does not exist' });
    assert.deepEqual(gone.names, ['web']);
    assert.equal(gone.path?.status, 'False');
    assert.equal(gone.complete, true);
  });

  test('until it was listed once it is not complete', () => {
    const state = withLastGood(
      emptyDirectory('/m'),
      new Map([['web.yaml', bytes(yaml('web'))]]),
      trusting,
    );
    const gone = feed(state, { ok: false, reason: 'Missing', message: '' });
    assert.deepEqual([gone.complete, gone.names], [false, ['web']]);
  });

  test('what a file said last survives a restart of the agent while it is bad', () => {
    const lastGood = new Map([['web.yaml', bytes(yaml('web'))]]);
    const state = withLastGood(emptyDirectory('/m'), lastGood, trusting);
    assert.deepEqual(feed(state, listing(file('web.yaml', 'bad'))).names, ['web']);
  });

  test('last good content is written once for each content', () => {
    assert.deepEqual(start.changes[0]?.keep, bytes(yaml('web')));
    assert.equal(feed(start.state, listing(good)).changes[0]?.keep, null);
    const lastGood = new Map([['web.yaml', bytes(yaml('web'))]]);
    const restarted = withLastGood(emptyDirectory('/m'), lastGood, trusting);
    assert.equal(feed(restarted, listing(good)).changes[0]?.keep, null);
  });

  test('what is skipped is listed with its reason', () => {
    const { conditions } = feed(
      start.state,
      listing({ name: 'sub', is: 'skipped', message: 'a directory' }),
    );
    assert.deepEqual(conditions[0], {
      type: 'FileSkipped',
      status: 'True',
      reason: 'NotAManifest',
      message: 'sub: a directory',
    });
  });

  test('row 5 better: what a name may do to a terminal is not said', () => {
    const name = '\u001b[2J.yaml';
    const { conditions } = feed(
      start.state,
      listing(good, { name, is: 'skipped', message: skipReason(name) ?? '' }),
    );
    assert.equal(conditions[0]?.message, '?[2J.yaml: its name has control characters');
  });
});

describe('a file with the reserved prefix', () => {
  const name = 'flotilla_shop_0123456789abcdef.json';
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'web',
      annotations: { 'flotilla.dev/bundle': 'prod/shop', 'flotilla.dev/manifest': 'ab'.repeat(32) },
    },
    spec: { containers: [{ name: 'c', image: 'x' }] },
  };
  const owned = file(name, JSON.stringify(pod));

  test('is run for the bundle that explains it', () => {
    const { state } = applyListing(emptyDirectory('/m'), listing(owned), trusting);
    const [one] = snapshotOf(state).pods;
    assert.deepEqual(one?.bundle, { namespace: 'prod', name: 'shop' });
    assert.equal(one.manifestDigest, 'ab'.repeat(32));
  });

  test('is not run when nothing explains it', () => {
    const { state } = applyListing(emptyDirectory('/m'), listing(owned), () => false);
    assert.deepEqual(snapshotOf(state).pods, []);
    assert.equal(snapshotOf(state).conditions[1]?.reason, 'NotExplained');
  });

  test('is not run, and ends nothing that runs, while the journal cannot know what it was promised for', () => {
    const look = applyListing(emptyDirectory('/m'), listing(owned), () => 'forgotten');
    const { complete, pods, conditions } = snapshotOf(look.state);
    assert.deepEqual([complete, pods, conditions[1]?.reason], [false, [], 'Forgotten']);
    const known = applyListing(look.state, listing(owned), trusting);
    assert.equal(snapshotOf(known.state).complete, true);
    assert.equal(snapshotOf(known.state).pods.length, 1);
  });

  test('keeps its last explained pods when somebody tampers with it', () => {
    const { state } = applyListing(emptyDirectory('/m'), listing(owned), trusting);
    const tampered = file(
      name,
      JSON.stringify({ ...pod, spec: { containers: [{ name: 'c', image: 'evil' }] } }),
    );
    const next = applyListing(state, listing(tampered), () => false).state;
    const [kept] = snapshotOf(next).pods;
    assert.equal(kept?.manifest.spec.containers[0]?.image, 'x');
    assert.equal(kept.refusedEdit, undefined, 'nobody has to hear of it as of an edit');
    const edited = applyListing(state, listing(tampered), () => 'altered');
    assert.equal(snapshotOf(edited.state).pods[0]?.manifest.spec.containers[0]?.image, 'x');
    assert.equal(snapshotOf(edited.state).conditions[1]?.reason, 'Altered');
    assert.deepEqual(
      edited.changes.map(({ warning }) => warning),
      [null],
      'who puts it back tells of it',
    );
  });

  for (const [what, content, reason] of [
    ['breaks a field', JSON.stringify({ ...pod, spec: { containers: 5 } }), 'WrongType'],
    ['is cut off', JSON.stringify(pod).slice(0, 40), 'Foreign'],
  ] as const) {
    test(`drift: report: an edit that ${what} is said of file and pod, and the last good pods stay, over a restart`, () => {
      const { state } = applyListing(emptyDirectory('/m'), listing(owned), trusting);
      const explains = (_: string, bytes: Uint8Array) =>
        bytes.byteLength === 40 ? ('foreign' as const) : true;
      const next = applyListing(state, listing(file(name, content)), explains);
      const seen = snapshotOf(next.state);
      assert.equal(seen.pods[0]?.manifest.spec.containers[0]?.image, 'x');
      assert.equal(seen.pods[0]?.refusedEdit?.reason, reason);
      assert.match(seen.conditions[1]?.message ?? '', /the last good pods of this file stay$/);
      assert.equal(next.changes[0]?.warning?.reason, reason);
      assert.equal(next.changes[0]?.keep, null, 'the good copy is not overwritten');
    });
  }

  test('the same annotations in a person’s file make no bundle', () => {
    const { state } = applyListing(
      emptyDirectory('/m'),
      listing(file('mine.json', JSON.stringify(pod))),
      trusting,
    );
    assert.equal(snapshotOf(state).pods[0]?.bundle, null);
  });
});
