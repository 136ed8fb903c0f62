/**
 * Bundles on their way into the directory: each waits or fails alone, and what was in the directory
 * is mended.
 */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { bundleRefusal, DEFAULT_POLICY } from '../../../agent/admission/policy.js';
import type { Whereabouts } from '../../../agent/intake/lacking.js';
import { Stage, type StageOptions } from '../../../agent/intake/stage.js';
import { openJournal, type Journal } from '../../../agent/journal/journal.js';
import { openOwnedDirectory } from '../../../agent/intake/owned-files.js';
import { canonicalJson } from '../../../protocol/canonical.js';
import type { BundleDocument } from '../../../protocol/documents/bundle.js';
import type { ReleaseScope, RootDocument } from '../../../protocol/documents/root.js';
import { seal } from '../../../protocol/envelope.js';
import { ownedFileName } from '../../../protocol/names.js';
import { DEFAULT_GRANT } from '../../../protocol/release-scope.js';
import { openAssignment } from '../../../protocol/verify-assignment.js';
import { openBundle } from '../../../protocol/verify-bundle.js';
import { fastClock } from '../../support/fast-clock.js';
import {
  assigned,
  assignmentDocument,
  bundleDocument,
  configMapManifest,
  HUB,
  idOf,
  NODE,
  NODE_NAME,
  NOW,
  podManifest,
  RELEASE,
  releaseRole,
  rootDocument,
  signer,
  trustedRoot,
} from '../../support/fleet.js';

type Pods = Record<string, unknown>[];

let dataDir = '';
let manifests = '';
let journal: Journal;
let stage: Stage;
let whereabouts: Whereabouts = { is: 'coming' };
let generation = 0;

beforeEach(() => {
  dataDir = fs.mkdtempSync(join(tmpdir(), 'flotilla-stage-'));
  manifests = join(dataDir, 'manifests');
  fs.mkdirSync(manifests, { mode: 0o755 });
  let ids = 0;
  const randomId = () => String(++ids).padStart(32, '0');
  journal = openJournal({ dataDir, clock: fastClock(NOW), randomId });
  whereabouts = { is: 'coming' };
  stage = makeStage();
});
afterEach(() => {
  journal.close();
  fs.rmSync(dataDir, { recursive: true });
});

function makeStage(change: Partial<StageOptions> = {}): Stage {
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const directory = openOwnedDirectory(manifests);
  const refuses = bundleRefusal(DEFAULT_POLICY);
  return new Stage({
    journal,
    directory,
    clock: fastClock(NOW),
    log: quiet,
    whereabouts: () => whereabouts,
    refuses,
    ...change,
  });
}

function store(document: BundleDocument, pods: Pods, signers = [RELEASE]): void {
  const context = {
    root: trustedRoot(),
    assigned: assigned(document),
    arch: 'amd64',
    agentVersion: '0.1.0',
  };
  const opened = openBundle(seal('bundle', document, signers), context);
  if (!opened.ok) throw new Error(opened.refusal.detail);
  journal.storeBundle(opened.value);
  document.manifests.forEach((entry, i) =>
    journal.storeBlob(entry.digest, Buffer.from(canonicalJson(pods[i]))),
  );
}

/** Accepts an assignment of these bundles and makes a pass. */
function assign(documents: readonly BundleDocument[], root?: RootDocument) {
  const nonce = journal.freshNonce();
  const bundles = documents.map(document => assigned(document));
  const document = assignmentDocument({ generation: ++generation, nonce, bundles });
  const opened = openAssignment(seal('assignment', document, [HUB]), {
    root: trustedRoot(),
    node: NODE_NAME,
    nodeKey: idOf(NODE),
    accepted: journal.accepted(),
    nonce,
    freshOnly: nonce !== null,
    now: NOW,
  });
  if (!opened.ok) throw new Error(opened.refusal.detail);
  journal.acceptAssignment(opened.value);
  return pass(root);
}

function pass(root: RootDocument = rootDocument()) {
  return stage.pass(journal.accepted()?.document ?? null, root);
}

const states = () =>
  journal.bundles().map(({ name, state, reason }) => `${name} ${state} ${reason}`);
const files = () => fs.readdirSync(manifests).sort();

function made(name: string, pod: string, change: Partial<BundleDocument> = {}) {
  const pods = [podManifest(pod, `${name}:1`)];
  return { document: bundleDocument(pods, { name, ...change }), pods };
}

function activate(name: string, pod: string) {
  const bundle = made(name, pod);
  store(bundle.document, bundle.pods);
  assign([bundle.document]);
  return bundle;
}

describe('a bundle', () => {
  const rows: [string, Whereabouts, string][] = [
    ['whose content is coming is staged', { is: 'coming' }, 'shop staged Fetching'],
    ['whose content was asked for waits', { is: 'missing' }, 'shop waiting BlobMissing'],
    ['whose content the hub has not fails', { is: 'absent' }, 'shop failed BlobAbsent'],
    [
      'whose envelope has a wrong signature waits',
      { is: 'refused', final: false, refusal: { code: 'BadSignature', detail: '' } },
      'shop waiting BadSignature',
    ],
    [
      'whose own content is unfit fails',
      { is: 'refused', final: true, refusal: { code: 'Unsupported', detail: '' } },
      'shop failed Unsupported',
    ],
  ];
  for (const [sentence, where, expected] of rows) {
    test(sentence, () => {
      whereabouts = where;
      const { document } = made('shop', 'web');
      const lacking = assign([document]);
      assert.deepEqual(
        lacking.map(({ digest }) => digest),
        [assigned(document).digest],
      );
      assert.deepEqual(states(), [expected]);
    });
  }

  test('lacks its manifests once its envelope is here, each once', () => {
    const pods = [podManifest('a'), podManifest('b')];
    const document = bundleDocument(pods);
    store(document, pods);
    const [first = '', second = ''] = document.manifests.map(({ digest }) => digest);
    journal.dropBlob(first);
    journal.dropBlob(second);
    assert.deepEqual(
      assign([document]).map(({ digest }) => digest),
      [first, second],
    );
  });

  const spying = () => {
    const spy = podManifest('spy');
    const pods = [{ ...spy, spec: { ...(spy['spec'] as object), hostPID: true } }];
    const document = bundleDocument(pods);
    store(document, pods);
    return document;
  };
  const rootWith = (podSecurity: ReleaseScope['podSecurity'], version: number) => {
    const scopes = [{ threshold: 1, keys: [idOf(RELEASE)], ...DEFAULT_GRANT, podSecurity }];
    const { roles } = rootDocument();
    return rootDocument({
      version,
      roles: { ...roles, release: [releaseRole([RELEASE], { scopes })] },
    });
  };

  test('row 163: that the node’s policy refuses fails with rule and field; its former revision stays', () => {
    activate('shop', 'web');
    const before = files();
    const pods = [
      podManifest('ok'),
      {
        ...podManifest('bad'),
        spec: {
          containers: [{ name: 'app', image: 'x:1', ports: [{ containerPort: 80, hostPort: 80 }] }],
        },
      },
    ];
    const document = bundleDocument(pods, { revision: 2 });
    store(document, pods);
    assign([document], rootWith('privileged', 2));
    assert.deepEqual(states(), ['shop failed Policy']);
    assert.equal(
      journal.bundles()[0]?.message,
      'pod bad: PodSecurity: violates PodSecurity "baseline:latest": hostPort (container "app" ' +
        'uses hostPort 80) [rule hostPorts, field spec.containers[0].ports[0].hostPort]',
    );
    assert.deepEqual(files(), before);
    assert.equal(journal.events(0, 10)[0]?.reason, 'BundleFailed');
  });

  test('row 163: beyond the scope of its key fails, whatever the node’s owner allows, until a root widens it', () => {
    stage = makeStage({ refuses: () => null });
    assign([spying()]);
    assert.deepEqual(states(), ['shop failed OutOfScope']);
    assert.match(
      journal.bundles()[0]?.message ?? '',
      /^pod spy: beyond the scope of the release keys in the root: violates PodSecurity "baseline:latest": .*spec\.hostPID\]$/,
    );
    assert.deepEqual(files(), []);
    pass(rootWith('privileged', 2));
    assert.deepEqual(states(), ['shop activating FilesWritten']);
  });

  test('a release key that holds on labelled nodes holds where the enrolment says so, and nowhere else', () => {
    const { roles } = rootDocument();
    const scopes = [
      { threshold: 1, keys: [idOf(RELEASE)], ...DEFAULT_GRANT, nodeLabels: { site: 'harbour' } },
    ];
    const root = rootDocument({
      roles: { ...roles, release: [releaseRole([RELEASE], { scopes })] },
    });
    const pods = [podManifest('web')];
    const document = bundleDocument(pods);
    store(document, pods);
    stage = makeStage({ enrolledLabels: { site: 'lake' } });
    assign([document], root);
    assert.deepEqual(states(), ['shop failed OutOfScope']);
    assert.equal(
      journal.bundles()[0]?.message,
      'the release keys that signed it hold on nodes enrolled with site=harbour; ' +
        'this node enrolled with site=lake',
    );
    stage = makeStage({ enrolledLabels: { site: 'harbour', stage: 'test' } });
    pass(root);
    assert.deepEqual(states(), ['shop activating FilesWritten']);
  });

  test('a bundle beyond the scope of its key begins when a second key has signed the same document', () => {
    const { roles } = rootDocument();
    const second = signer('second release');
    const people = [idOf(RELEASE), idOf(second)];
    const scopes = [
      { threshold: 1, keys: people, ...DEFAULT_GRANT, nodeLabels: { site: 'harbour' } },
      { threshold: 2, keys: people, ...DEFAULT_GRANT },
    ];
    const { keys } = rootDocument();
    const root = rootDocument({
      keys: { ...keys, [idOf(second)]: second.publicKey },
      roles: { ...roles, release: [releaseRole([RELEASE, second], { scopes })] },
    });
    const pods = [podManifest('web')];
    const document = bundleDocument(pods);
    store(document, pods);
    const lacking = assign([document], root);
    assert.deepEqual(states(), ['shop failed OutOfScope']);
    assert.deepEqual(
      lacking.map(({ digest, envelopeOf }) => [digest, envelopeOf?.name]),
      [[assigned(document).digest, 'shop']],
    );
    store(document, pods, [RELEASE, second]);
    assert.deepEqual(pass(root), []);
    assert.deepEqual(states(), ['shop activating FilesWritten']);
  });

  const BOUND = `sha256:${'b'.repeat(64)}`;
  const digests: readonly [string, string, string[], string][] = [
    ['a tag that it binds to a digest begins', 'x:1', [BOUND], 'activating FilesWritten'],
    [
      'another digest than the manifest’s fails',
      `x@sha256:${'a'.repeat(64)}`,
      [BOUND],
      'failed MixMatch',
    ],
    [
      'the manifest’s own digest begins',
      `x:1@${BOUND}`,
      ['sha256:id', BOUND],
      'activating FilesWritten',
    ],
    ['a tag that it leaves open begins', 'x:1', [], 'activating FilesWritten'],
  ];
  for (const [sentence, image, bound, expected] of digests) {
    test(`with ${sentence}`, () => {
      const pods = [{ ...podManifest('web'), spec: { containers: [{ name: 'app', image }] } }];
      const listed = bound.map(one => (one === 'sha256:id' ? `sha256:${'c'.repeat(64)}` : one));
      const document = bundleDocument(pods, { images: [{ image, digests: listed }] });
      store(document, pods);
      assign([document]);
      assert.deepEqual(states(), [`shop ${expected}`]);
    });
  }

  test('S95: the file of a pod says what its images are bound to, whatever its author wrote there', () => {
    const pods = ['x:1', 'free:1'].map((image, at) => ({
      ...podManifest(`web${at}`),
      metadata: {
        namespace: 'default',
        name: `web${at}`,
        annotations: { 'flotilla.dev/image-digests': '{"x:1":["sha256:mine"]}' },
      },
      spec: { containers: [{ name: 'app', image }] },
    }));
    const images = [
      { image: 'free:1', digests: [] },
      { image: 'x:1', digests: [BOUND] },
    ];
    const document = bundleDocument(pods, { images });
    store(document, pods);
    assign([document]);
    const said = [...journal.files().keys()].sort().map(file => {
      const { metadata } = JSON.parse(fs.readFileSync(join(manifests, file), 'utf8')) as {
        metadata: { annotations?: Record<string, string> };
      };
      return metadata.annotations?.['flotilla.dev/image-digests'];
    });
    assert.deepEqual(said.toSorted(), [JSON.stringify({ 'x:1': [BOUND] }), undefined]);
  });

  test('S95: with runtime: none a tag that it binds fails: a kubelet would run what the tag means', () => {
    stage = makeStage({ runtimeNone: true });
    const pods = [{ ...podManifest('web'), spec: { containers: [{ name: 'app', image: 'x:1' }] } }];
    const document = bundleDocument(pods, { images: [{ image: 'x:1', digests: [BOUND] }] });
    store(document, pods);
    assign([document]);
    assert.deepEqual(states(), ['shop failed Unsupported']);
  });

  test('row 163: within the scope of its key is still held to what the node’s owner allows', () => {
    const document = spying();
    assign([document], rootWith('privileged', 2));
    assert.deepEqual(states(), ['shop failed Policy']);
  });

  test('that runs is not judged again by a root that narrows the scope', () => {
    stage = makeStage({ refuses: () => null });
    const document = spying();
    assign([document], rootWith('privileged', 2));
    const before = files();
    stage = makeStage({ refuses: () => null });
    pass(rootWith('restricted', 3));
    assert.deepEqual(states(), ['shop activating FilesWritten']);
    assert.deepEqual(files(), before);
  });

  test('that a key signed which the root names no more does not begin before it is signed anew', () => {
    const other = signer('release 2');
    const { keys, roles } = rootDocument();
    const root = rootDocument({
      version: 2,
      keys: { ...keys, [idOf(other)]: other.publicKey },
      roles: { ...roles, release: [releaseRole([other])] },
    });
    const bundle = made('shop', 'web');
    store(bundle.document, bundle.pods);
    const lacking = assign([bundle.document], root);
    const { digest } = assigned(bundle.document);
    assert.deepEqual(
      lacking.map(one => [one.digest, one.envelopeOf?.name]),
      [[digest, 'shop']],
    );
    assert.deepEqual([states(), files()], [['shop staged Fetching'], []]);

    const context = {
      root: { ...trustedRoot(), document: root },
      assigned: assigned(bundle.document),
    };
    const envelope = seal('bundle', bundle.document, [RELEASE, other]);
    const opened = openBundle(envelope, { ...context, arch: 'amd64', agentVersion: '0.1.0' });
    assert.ok(opened.ok);
    journal.storeBundle(opened.value);
    assert.deepEqual(pass(root), []);
    assert.equal(files().length, 1);
  });

  test('with an unfit manifest fails as a whole and leaves its former revision in place', () => {
    activate('shop', 'web');
    const before = files();
    const pods = [podManifest('ok'), { ...podManifest('bad'), colour: 'red' }];
    const document = bundleDocument(pods, { revision: 2 });
    store(document, pods);
    assign([document]);
    assert.deepEqual(states(), ['shop failed Malformed']);
    assert.deepEqual(files(), before);
    assert.equal(journal.events(0, 10)[0]?.reason, 'BundleFailed');
  });

  test('that the root denies later runs on, visibly, and is not applied anew (S19)', () => {
    const { document } = activate('shop', 'web');
    const { digest } = assigned(document);
    const root = rootDocument({ denied: [digest] });
    assert.deepEqual(
      stage.conditions(root).map(({ type }) => type),
      ['RevokedRunning'],
    );
    assign([], root);
    assert.deepEqual(files(), []);
    pass(root);
    assert.equal(stage.conditions(root).length, 0);
  });

  test("waits for another's pod name and takes it when it is given up", () => {
    const one = activate('one', 'web');
    const two = made('two', 'web');
    store(two.document, two.pods);
    assign([one.document, two.document]);
    assert.deepEqual(states(), ['one activating FilesWritten', 'two waiting Conflict']);
    assert.deepEqual(files(), [ownedFileName({ namespace: 'default', name: 'one' }, 'web')]);

    const other = made('one', 'other', { revision: 2 });
    store(other.document, other.pods);
    assign([two.document, other.document]);
    assert.deepEqual(states(), ['one activating FilesWritten', 'two activating FilesWritten']);
    assert.equal(files().length, 2);
  });

  test('is not touched again when nothing changed', () => {
    activate('shop', 'web');
    const [file = ''] = files();
    const before = fs.statSync(join(manifests, file));
    const head = journal.history().head;
    stage = makeStage();
    pass();
    const after = fs.statSync(join(manifests, file));
    assert.deepEqual(
      [after.ino, after.mtimeMs, journal.history().head],
      [before.ino, before.mtimeMs, head],
    );
  });
});

describe('a bundle with ConfigMaps', () => {
  const shop = { namespace: 'default', name: 'shop' };
  const podFile = ownedFileName(shop, 'web');
  const mapFile = ownedFileName(shop, 'ConfigMap/conf');
  const revisionOf = (value: string, revision: number) => {
    const manifests = [podManifest('web'), configMapManifest('conf', value)];
    const document = bundleDocument(manifests, { revision });
    store(document, manifests);
    return document;
  };
  const dataOf = () =>
    (JSON.parse(fs.readFileSync(join(manifests, mapFile), 'utf8')) as { data: object }).data;
  /** The order in which names appear in and leave the directory. */
  const orderOf = (work: () => void): string[] => {
    const order: string[] = [];
    const real = openOwnedDirectory(manifests);
    const directory = {
      ...real,
      apply: (change: Parameters<typeof real.apply>[0]) => {
        order.push(...change.write.map(({ file }) => `+${file}`));
        order.push(...change.remove.map(file => `-${file}`));
        real.apply(change);
      },
    };
    stage = makeStage({ directory });
    work();
    return order;
  };

  test('puts them in place before the pods, and takes them away after them', () => {
    const wrote = orderOf(() => assign([revisionOf('one', 1)]));
    assert.deepEqual(wrote, [`+${mapFile}`, `+${podFile}`]);
    assert.deepEqual(states(), ['shop activating FilesWritten']);
    const { annotations } = (
      JSON.parse(fs.readFileSync(join(manifests, mapFile), 'utf8')) as {
        metadata: { annotations: Record<string, string> };
      }
    ).metadata;
    assert.equal(annotations['flotilla.dev/bundle'], 'default/shop');
    assert.deepEqual(
      orderOf(() => assign([])),
      [`-${podFile}`, `-${mapFile}`],
    );
  });

  test('changes the file of a changed one alone', () => {
    assign([revisionOf('one', 1)]);
    const before = fs.statSync(join(manifests, podFile));
    assign([revisionOf('two', 2)]);
    assert.deepEqual(dataOf(), { key: 'two' });
    const after = fs.statSync(join(manifests, podFile));
    assert.deepEqual([after.ino, after.mtimeMs], [before.ino, before.mtimeMs]);
  });

  test('mends one that somebody edited or removed', () => {
    assign([revisionOf('one', 1)]);
    fs.writeFileSync(join(manifests, mapFile), '{}');
    stage.distrustDirectory();
    pass();
    assert.deepEqual(dataOf(), { key: 'one' });
  });

  test('is no conflict with another bundle that has one of the same name', () => {
    const other = [podManifest('other'), configMapManifest('conf', 'theirs')];
    const document = bundleDocument(other, { name: 'two' });
    store(document, other);
    assign([revisionOf('one', 1), document]);
    assert.deepEqual(states(), ['shop activating FilesWritten', 'two activating FilesWritten']);
    assert.equal(files().length, 4);
  });

  test('fails as a whole where a kubelet runs the pods, with the reason', () => {
    stage = makeStage({ runtimeNone: true });
    assign([revisionOf('one', 1)]);
    assert.deepEqual([states(), files()], [['shop failed Unsupported'], []]);
    assert.match(journal.bundles()[0]?.message ?? '', /ConfigMap conf: with runtime: none/);
  });

  test('fails as a whole when one is unfit', () => {
    const unfit = [podManifest('web'), { ...configMapManifest('conf'), colour: 'red' }];
    const document = bundleDocument(unfit);
    store(document, unfit);
    assign([document]);
    assert.deepEqual(states(), ['shop failed Malformed']);
  });
});

describe('the directory', () => {
  const own = ownedFileName({ namespace: 'default', name: 'shop' }, 'web');

  const damages: [string, () => void][] = [
    ['an edited file', () => fs.appendFileSync(join(manifests, own), ' ')],
    ['a removed file', () => fs.rmSync(join(manifests, own))],
    [
      'a file that became a link',
      () => {
        fs.rmSync(join(manifests, own));
        fs.symlinkSync('/etc/passwd', join(manifests, own));
      },
    ],
  ];
  for (const [what, damage] of damages) {
    test(`${what} is restored at the next start and on demand`, () => {
      activate('shop', 'web');
      const good = fs.readFileSync(join(manifests, own));
      for (const look of [() => (stage = makeStage()), () => stage.distrustDirectory()]) {
        damage();
        look();
        pass();
        assert.deepEqual(fs.readFileSync(join(manifests, own)), good);
        assert.equal(stage.explains(own, good), true);
      }
    });
  }

  const hands: [string, () => void, RegExp][] = [
    ['deleted', () => fs.rmSync(join(manifests, own)), /was deleted on this node, and is put back/],
    ['edited', () => fs.appendFileSync(join(manifests, own), ' '), /was edited on this node/],
    [
      'replaced',
      () => (fs.rmSync(join(manifests, own)), fs.mkdirSync(join(manifests, own))),
      /folder/,
    ],
  ];
  for (const [what, damage, message] of hands) {
    test(`a file that somebody ${what} is put back, and an event says which, what, and how to change it`, () => {
      activate('shop', 'web');
      const said = journal.recentEvents().length;
      damage();
      stage.distrustDirectory();
      pass();
      const [event, ...more] = journal.recentEvents().slice(said);
      assert.equal(event?.reason, 'FileRestored');
      assert.equal(event.involved.name, 'shop');
      assert.ok(event.message.startsWith(own));
      assert.match(event.message, message);
      assert.match(event.message, /flotilla apply -f it --bundle shop -n default/);
      assert.deepEqual(more, []);
    });
  }

  test('what the agent itself was about to write when it was cut off is nobody’s edit', () => {
    activate('shop', 'web');
    fs.renameSync(join(manifests, own), join(manifests, `.${own}`));
    const said = journal.recentEvents().length;
    stage = makeStage();
    pass();
    assert.deepEqual(files(), [own]);
    assert.deepEqual(journal.recentEvents().slice(said), []);
  });

  test('a repair is logged when it is done, a fault once for as long as it lasts', () => {
    activate('shop', 'web');
    fs.appendFileSync(join(manifests, own), ' ');
    fs.chmodSync(manifests, 0o777);
    const lines: string[] = [];
    const log = {
      info: (text: string) => void lines.push(text),
      warn: (text: string) => void lines.push(text),
      error: () => undefined,
    };
    stage = makeStage({ log });
    for (let i = 0; i < 3; i++) pass();
    const fault = 'the static pod directory cannot be brought to what it should be';
    assert.deepEqual(lines, [fault]);
    fs.chmodSync(manifests, 0o755);
    for (let i = 0; i < 3; i++) pass();
    assert.deepEqual(lines, [fault, 'static pod directory repaired']);
  });

  test('a directory that becomes unsafe is said although nothing is to be written', () => {
    activate('shop', 'web');
    fs.chmodSync(manifests, 0o777);
    stage.distrustDirectory();
    pass();
    const [condition] = stage.conditions(rootDocument());
    assert.equal(condition?.reason, 'UnsafeDirectory');
    assert.match(condition.message, new RegExp(`chmod go-w ${manifests}`));
  });

  test('a file whose blob rotted is fetched again and restored', () => {
    const { document, pods } = activate('shop', 'web');
    fs.rmSync(join(manifests, own));
    journal.dropBlob(document.manifests[0]?.digest ?? '');
    stage = makeStage();
    assert.deepEqual(
      pass().map(({ digest }) => digest),
      [document.manifests[0]?.digest],
    );
    journal.storeBlob(document.manifests[0]?.digest ?? '', Buffer.from(canonicalJson(pods[0])));
    pass();
    assert.deepEqual(files(), [own]);
  });

  test('a stranger under the prefix stays, is told, and is never explained (S57)', () => {
    activate('shop', 'web');
    const strange = 'flotilla_evil_00000000000000aa.json';
    fs.writeFileSync(join(manifests, strange), '{}');
    stage.distrustDirectory();
    pass();
    assert.deepEqual(files(), [strange, own].sort());
    assert.equal(stage.explains(strange, Buffer.from('{}')), false);
    assert.equal(stage.conditions(rootDocument())[0]?.type, 'UnexplainedFiles');
  });

  const loseJournal = (prefix: string) => {
    journal.close();
    for (const file of fs.readdirSync(dataDir)) {
      if (file.startsWith(prefix)) fs.rmSync(join(dataDir, file));
    }
    let ids = 100;
    const randomId = () => String(++ids).padStart(32, '0');
    journal = openJournal({ dataDir, clock: fastClock(NOW), randomId });
    stage = makeStage();
    pass();
  };

  test("S33: a lost journal's twin explains what runs, until a fresh assignment drops it", () => {
    activate('shop', 'web');
    const text = fs.readFileSync(join(manifests, own));
    loseJournal('journal.db');
    assert.deepEqual(fs.readFileSync(join(manifests, own)), text);
    assert.equal(stage.explains(own, text), true);
    assert.equal(stage.explains(own, Buffer.concat([text, Buffer.from(' ')])), 'altered');
    assert.deepEqual(stage.conditions(rootDocument()), []);
    assign([]);
    assert.deepEqual(files(), []);
  });

  test("S33: with the twin lost too, a former life's files are neither run nor removed, then go", () => {
    activate('shop', 'web');
    const text = fs.readFileSync(join(manifests, own));
    loseJournal('journal.');
    assert.deepEqual(fs.readFileSync(join(manifests, own)), text);
    assert.equal(stage.explains(own, text), false);
    assert.equal(stage.conditions(rootDocument())[0]?.type, 'UnexplainedFiles');
    stage.distrustDirectory();
    assign([]);
    assert.deepEqual(files(), []);
  });

  test('that others may write to gets nothing; the bundle waits until it is mended (S55)', () => {
    fs.chmodSync(manifests, 0o777);
    const { document, pods } = made('shop', 'web');
    store(document, pods);
    assign([document]);
    assert.deepEqual([states(), files()], [['shop waiting UnsafeDirectory'], []]);
    assert.equal(stage.needsRetry(), true);
    assert.equal(stage.conditions(rootDocument())[0]?.reason, 'UnsafeDirectory');
    fs.chmodSync(manifests, 0o755);
    pass();
    assert.deepEqual([states(), files()], [['shop activating FilesWritten'], [own]]);
    assert.equal(stage.needsRetry(), false);
  });
});
