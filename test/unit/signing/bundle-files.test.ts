/** Files of bundles: one form, and nothing else is read. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  describeBundleFile,
  describeChanges,
  harmless,
  signersText,
} from '../../../hub/cli/bundle-text.js';
import { shellWord } from '../../../hub/cli/shell-word.js';
import { acceptBundleFile } from '../../../hub/signing/accept-bundle.js';
import { ARCHIVE_BYTES_MAX, packArchive, readArchive } from '../../../hub/signing/archive.js';
import {
  envelopeOfFile,
  packBundleFile,
  readBundleFile,
  type BundleFile,
} from '../../../hub/signing/bundle-file.js';
import { countBundleSignatures } from '../../../hub/signing/signature-count.js';
import { isPod } from '../../../protocol/bundle-manifest.js';
import { DEFAULT_GRANT } from '../../../protocol/release-scope.js';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import type { RefusalCode } from '../../../protocol/refusal.js';
import { blobName, bundleFile, fileOf, tarOf, type TarEntry } from '../../support/bundle-files.js';
import {
  configMapManifest,
  HUB,
  idOf,
  podManifest,
  RELEASE,
  releaseRole,
  ROOT,
  rootDocument,
  signer,
  trustedRoot,
} from '../../support/fleet.js';

const [ANNA, BEN, CARL] = [signer('anna'), signer('ben'), signer('carl')];
const MARK: TarEntry = { name: 'flotilla-archive', content: '1\n' };
const GOOD = bundleFile([RELEASE]);
const envelope: TarEntry = { name: `bundle/${GOOD.digest}.json`, content: envelopeOfFile(GOOD) };
const blob: TarEntry = {
  name: blobName(GOOD.blobs[0] ?? ''),
  content: GOOD.blobs[0] ?? Buffer.alloc(0),
};

async function refusedWith(bytes: Buffer, code: RefusalCode, detail = /./): Promise<void> {
  const read = await readBundleFile(bytes);
  assert.ok(!read.ok, 'it was read');
  assert.equal(read.refusal.code, code, read.refusal.detail);
  assert.match(read.refusal.detail, detail);
}

describe('bundle files', () => {
  test('are read as they were written, signed or not, and equal content gives equal bytes', async () => {
    const big = { ...configMapManifest('big'), data: { key: 'x'.repeat(10) } };
    for (const file of [
      GOOD,
      bundleFile([]),
      bundleFile([BEN, ANNA, CARL], { pods: [podManifest('a'), big] }),
    ]) {
      const bytes = await packBundleFile(file);
      const read = await readBundleFile(bytes);
      assert.ok(read.ok, JSON.stringify(read));
      assert.deepEqual(read.value.payload, file.payload);
      assert.deepEqual(new Set(read.value.signatures), new Set(file.signatures));
      assert.deepEqual(read.value.manifests, file.manifests);
      assert.deepEqual(await packBundleFile(read.value), bytes);
    }
    assert.deepEqual(
      await packBundleFile(bundleFile([ANNA, BEN])),
      await packBundleFile(bundleFile([BEN, ANNA])),
    );
  });

  test('hold manifests that travel in parts', async () => {
    let text = '';
    for (let i = 0; text.length < 400_000; i++) text += `${(i * 2654435761) % 4294967296} `;
    const file = bundleFile([RELEASE], {
      pods: [podManifest('web'), { ...configMapManifest('big'), data: { text } }],
    });
    assert.ok(file.blobs.length > 2);
    const read = await readBundleFile(await packBundleFile(file));
    assert.ok(read.ok);
    assert.deepEqual(read.value.manifests, file.manifests);
  });

  const rows: readonly [string, readonly TarEntry[], RefusalCode, RegExp?][] = [
    ['a name with ..', [MARK, blob, envelope, { name: 'blob/../../x', content: 'x' }], 'BadName'],
    ['an absolute name', [MARK, blob, envelope, { name: '/etc/passwd', content: 'x' }], 'BadName'],
    [
      'a link',
      [MARK, blob, envelope, { name: 'link', type: 'symlink', linkname: '/etc' }],
      'BadName',
    ],
    [
      'a hard link',
      [MARK, blob, { name: 'link', type: 'link', linkname: blob.name }, envelope],
      'BadName',
    ],
    ['a folder', [MARK, { name: 'blob', type: 'directory' }, blob, envelope], 'BadName'],
    ['a pipe', [MARK, blob, envelope, { name: 'pipe', type: 'fifo' }], 'BadName'],
    [
      'a name that needs a longer header',
      [MARK, blob, envelope, { name: `x/${'y'.repeat(120)}`, content: '' }],
      'BadName',
    ],
    ['one name twice', [MARK, blob, blob, envelope], 'Conflict'],
    ['no mark', [blob, envelope], 'Malformed', /not one of Flotilla/],
    ['a newer format', [{ ...MARK, content: '2\n' }, blob, envelope], 'Unsupported'],
    [
      'two bundles',
      [MARK, blob, { name: `bundle/${'0'.repeat(64)}.json`, content: '' }, envelope],
      'Malformed',
      /one bundle/,
    ],
    ['no bundle', [MARK, blob], 'Malformed', /one bundle/],
    [
      'the envelope under another name',
      [MARK, blob, { ...envelope, name: `bundle/${'0'.repeat(64)}.json` }],
      'MixMatch',
    ],
    ['a blob too few', [MARK, envelope], 'MixMatch', /pod web: blob [0-9a-f]{64} is missing/],
    [
      'a blob too many',
      [MARK, { name: blobName('x'), content: 'x' }, blob, envelope].sort(byName),
      'Malformed',
      /does not name/,
    ],
    [
      'other bytes in a blob',
      [
        MARK,
        { ...blob, content: Buffer.from(String(blob.content).replace('web:1', 'bad:1')) },
        envelope,
      ],
      'MixMatch',
      /other content/,
    ],
    ['another order', [MARK, envelope, blob], 'Malformed', /not packed by Flotilla/],
    [
      'times in it',
      [MARK, { ...blob, mtime: new Date(86_400_000) }, envelope],
      'Malformed',
      /not packed/,
    ],
    ['programs in it', [MARK, { ...blob, mode: 0o755 }, envelope], 'Malformed', /not packed/],
  ];
  for (const [sentence, entries, code, detail] of rows) {
    test(`refused: ${sentence}`, async () => refusedWith(await tarOf(entries), code, detail));
  }
  function byName(a: TarEntry, b: TarEntry): number {
    if (a === MARK || b === MARK) return a === MARK ? -1 : 1;
    return a.name < b.name ? -1 : 1;
  }

  test('refused: cut off anywhere, bytes after the end, flipped bits, too large', async () => {
    const bytes = await packBundleFile(GOOD);
    for (let size = 0; size < bytes.length; size += 131) {
      await refusedWith(bytes.subarray(0, size), 'Malformed');
    }
    await refusedWith(Buffer.concat([bytes, Buffer.alloc(512)]), 'Malformed');
    await refusedWith(Buffer.concat([bytes, Buffer.from('x')]), 'Malformed');
    for (let at = 0; at < bytes.length; at += 37) {
      const spoilt = Buffer.from(bytes);
      spoilt[at] = (spoilt[at] ?? 0) ^ 1;
      const read = await readBundleFile(spoilt);
      // A signature is only bytes until it is checked.
      const taken = read.ok && acceptBundleFile(read.value, trustedRoot()).ok;
      assert.equal(taken, false, `bit 0 of byte ${at}`);
    }
    await refusedWith(Buffer.alloc(ARCHIVE_BYTES_MAX + 1), 'TooLarge');
  });

  test('refused: more entries than any bundle has', async () => {
    const many = new Map(Array.from({ length: 2100 }, (_, i) => [`blob/${i}`, Buffer.alloc(0)]));
    const read = await readArchive(await packArchive(many));
    assert.equal(read.ok ? '' : read.refusal.code, 'TooLarge');
  });

  const documents: readonly [string, BundleFile, RefusalCode, RegExp][] = [
    [
      'a manifest of another namespace',
      renamed({ namespace: 'prod' }),
      'Malformed',
      /metadata\.namespace/,
    ],
    [
      'a manifest under another name',
      relisted({ name: 'other' }),
      'MixMatch',
      /the manifest is Pod web/,
    ],
    [
      'a manifest of another kind',
      relisted({ kind: 'ConfigMap' }),
      'MixMatch',
      /the manifest is Pod web/,
    ],
    ['another size', relisted({ size: 7 }), 'MixMatch', /other content/],
  ];
  for (const [sentence, file, code, detail] of documents) {
    test(`refused: ${sentence}`, async () => refusedWith(await packBundleFile(file), code, detail));
  }
  function renamed(change: { namespace: string }): BundleFile {
    return redrawn({ ...GOOD.document, ...change });
  }
  function relisted(change: object): BundleFile {
    const manifests = GOOD.document.manifests.map(entry => ({ ...entry, ...change }));
    return redrawn({ ...GOOD.document, manifests });
  }

  test('refused: two signatures by one key, a signature too many for the envelope', async () => {
    const [one] = GOOD.signatures;
    assert.ok(one);
    await refusedWith(await packBundleFile({ ...GOOD, signatures: [one, one] }), 'Malformed');
    const many = Array.from({ length: 17 }, (_, i) => signer(`signer ${i}`));
    await refusedWith(await packBundleFile(bundleFile(many)), 'Malformed');
  });
});

function redrawn(document: BundleFile['document']): BundleFile {
  const payload = Buffer.from(canonicalJson(document));
  return fileOf({ document, payload, digest: sha256Hex(payload), blobs: GOOD.blobs }, [RELEASE]);
}

describe('a bundle file and the root of a fleet', () => {
  const people = [ANNA, BEN, CARL];
  const narrow = { podSecurity: 'restricted' as const, minHostPort: null, hostPaths: [] };
  const root = trustedRoot(
    rootDocument({
      keys: Object.fromEntries([ROOT, HUB, ...people].map(s => [idOf(s), s.publicKey])),
      roles: {
        ...rootDocument().roles,
        release: [releaseRole(people, { bundles: ['default/*'], threshold: 2 })],
      },
      floors: { 'default/floored': 5 },
      denied: [bundleFile([], { name: 'denied' }).digest],
    }),
  );
  const spoilt = (file: BundleFile): BundleFile => ({
    ...file,
    signatures: file.signatures.map((s, i) =>
      i === 0 ? { ...s, sig: Buffer.alloc(64).toString('base64') } : s,
    ),
  });
  const privileged = {
    ...podManifest('spy'),
    spec: { hostPID: true, containers: [{ name: 'main', image: 'web:1' }] },
  };
  const rows: readonly [string, BundleFile, RefusalCode | 'ok', RegExp?][] = [
    ['two of three', bundleFile([ANNA, CARL]), 'ok'],
    ['three of three', bundleFile(people), 'ok'],
    ['two and a foreign one', bundleFile([signer('x'), ANNA, BEN]), 'ok'],
    ['two and a broken one', spoilt(bundleFile(people)), 'ok'],
    [
      'for one architecture, and a newer agent',
      bundleFile([ANNA, BEN], { requires: { arch: ['arm64'], hardware: [], minAgent: '99.0.0' } }),
      'ok',
    ],
    ['nobody', bundleFile([]), 'BadSignature', /nobody signed/],
    ['one of two', bundleFile([ANNA]), 'BadSignature', /1 of 2 signatures that root 1 wants$/],
    [
      'one and a foreign one',
      bundleFile([ANNA, signer('x')]),
      'BadSignature',
      /1 of 2.*is not a release key for it/,
    ],
    [
      'one and a broken one',
      spoilt(bundleFile([ANNA, BEN])),
      'BadSignature',
      /1 of 2.*does not fit/,
    ],
    ['the hub’s key', bundleFile([HUB, ANNA]), 'BadSignature', /not a release key/],
    [
      'no role for it',
      bundleFile(people, {
        namespace: 'prod',
        pods: [{ ...podManifest('a'), metadata: { name: 'a' } }],
      }),
      'BadSignature',
      /no release role/,
    ],
    ['another fleet', bundleFile(people, { fleet: '0'.repeat(32) }), 'WrongFleet'],
    ['denied', bundleFile(people, { name: 'denied' }), 'Denied'],
    ['below the floor', bundleFile(people, { name: 'floored', revision: 4 }), 'Rollback'],
    ['at the floor', bundleFile(people, { name: 'floored', revision: 5 }), 'ok'],
    ['a floor above the revision', bundleFile(people, { rollbackFloor: 2 }), 'Malformed'],
    [
      'a pod beyond every scope',
      bundleFile(people, { pods: [privileged] }),
      'OutOfScope',
      /pod "spy".*hostPID/,
    ],
  ];
  for (const [sentence, file, expected, detail] of rows) {
    test(`signed by ${sentence}: ${expected}`, () => {
      const verdict = acceptBundleFile(file, root);
      assert.equal(verdict.ok ? 'ok' : verdict.refusal.code, expected, JSON.stringify(verdict));
      if (!verdict.ok) assert.match(verdict.refusal.detail, detail ?? /./);
    });
  }

  test('says who signed, how many it takes, and which scopes that reaches', () => {
    const keys = people.map(idOf);
    const wide = { ...narrow, podSecurity: 'privileged' as const };
    const scopes = [
      { ...releaseRole(people).scopes[0], ...narrow, threshold: 1, keys },
      { ...releaseRole(people).scopes[0], ...wide, threshold: 3, keys },
    ] as ReturnType<typeof releaseRole>['scopes'];
    const scoped = rootDocument({
      keys: root.document.keys,
      roles: { ...root.document.roles, release: [releaseRole(people, { threshold: 1, scopes })] },
    });
    const count = (...signers: typeof people) =>
      countBundleSignatures(scoped, { ...bundleFile(signers), namespace: 'default', name: 'shop' });
    const levels = (...signers: typeof people) =>
      count(...signers).reached.map(scope => scope.podSecurity);
    assert.deepEqual(levels(ANNA, BEN), ['restricted']);
    assert.deepEqual(levels(...people), ['restricted', 'privileged']);
    assert.deepEqual(levels(signer('x')), []);
    const { have, need, verdicts } = count(ANNA, signer('x'));
    assert.deepEqual([have, need], [1, 1]);
    assert.deepEqual(verdicts.map(v => v.verdict).sort(), ['foreign', 'good']);
  });
});

describe('what a signer reads', () => {
  const rich = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'rich', namespace: 'default' },
    spec: {
      hostNetwork: true,
      containers: [
        {
          name: 'main',
          image: `web@sha256:${'a'.repeat(64)}`,
          securityContext: { privileged: true },
          volumeMounts: [
            { name: 'dev', mountPath: '/d' },
            { name: 'etc', mountPath: '/e', readOnly: true },
          ],
        },
        { name: 'side', image: 'side:1', ports: [{ containerPort: 81, hostPort: 81 }] },
      ],
      volumes: [
        { name: 'dev', hostPath: { path: '/dev\u001b[2K' } },
        { name: 'etc', hostPath: { path: '/etc' } },
      ],
    },
  };

  test('images and their pins, host paths, host ports, privileges', () => {
    const text = describeBundleFile(
      bundleFile([], { pods: [rich, configMapManifest('conf')] }),
    ).join('\n');
    assert.match(text, /image +web@sha256:a+ {2}\(pinned\)/);
    assert.match(text, /image +side:1 {2}NOT PINNED/);
    assert.match(text, /host path +\/dev\\u\{1b\}\[2K {2}\(WRITABLE\)/);
    assert.match(text, /host path +\/etc {2}\(read only\)/);
    assert.match(text, /host port +81\/TCP/);
    assert.match(text, /PRIVILEGES .*host namespaces .*privileged .*"main"/);
    assert.match(text, /ConfigMap conf\n +keys +key/);
  });

  test('what changed, line by line', () => {
    const before = bundleFile([], { pods: [podManifest('web'), podManifest('old')] });
    const after = bundleFile([], {
      revision: 2,
      pods: [podManifest('web', 'web:2'), podManifest('new')],
    });
    const text = describeChanges(before, after).join('\n');
    assert.match(text, /Added: +pod\/new\nChanged: +pod\/web\nRemoved: +pod\/old\n/);
    assert.match(text, /^- +- name: main$|^-.*web:1$/m);
    assert.match(text, /^\+.*web:2$/m);
  });

  test('who has to sign: as many as the role wants, or the scope that covers the pods', () => {
    const people = [ANNA, BEN, CARL];
    const keys = people.map(idOf);
    const scope = { ...DEFAULT_GRANT, threshold: 1, keys };
    const wide = { ...scope, podSecurity: 'privileged' as const, threshold: 2 };
    const annas = { ...wide, threshold: 1, keys: [idOf(ANNA)] };
    const text = (
      pods: readonly Record<string, unknown>[],
      scopes: (typeof wide | typeof scope)[],
    ) =>
      signersText(
        releaseRole(people, { threshold: 1, scopes: scopes.map(one => ({ ...one })) }),
        bundleFile([], { pods }).manifests.filter(isPod),
      );
    const harmlessPod = podManifest('web');
    assert.equal(text([harmlessPod], [scope, wide]), '1 of the 3 release keys');
    const all = keys.map(id => id.slice(0, 16)).join(', ');
    assert.equal(text([rich], [scope, wide]), `2 of the release keys, 2 of them of ${all},`);
    const one = idOf(ANNA).slice(0, 16);
    assert.equal(text([rich], [scope, wide, annas]), `1 of the release keys, 1 of them of ${one},`);
  });

  test('no character moves the cursor, turns the writing round or ends the line', () => {
    assert.equal(
      harmless('a\u001b[1A\u202eb\r\u2028\tc é漢'),
      'a\\u{1b}[1A\\u{202e}b\\u{d}\\u{2028}\tc é漢',
    );
  });

  test('commands to paste keep their words together', () => {
    assert.equal(shellWord('./web-1/x.yaml'), './web-1/x.yaml');
    assert.equal(shellWord("it's $HOME"), `'it'\\''s $HOME'`);
    assert.equal(shellWord(''), "''");
  });
});
