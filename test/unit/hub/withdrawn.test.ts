/** What the hub says of a revision that the root in force withdraws, and what an apply makes of it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { outcomeLine } from '../../../hub/cli/apply-outcome.js';
import type { BundleApiObject } from '../../../hub/cli/bundle-write.js';
import { verdictOf, type RolloutProgress } from '../../../hub/cli/rollout-progress.js';
import type { BundleObject } from '../../../hub/objects.js';
import { bundleWriter } from '../../../hub/rollout/apply.js';
import { standingOf, withdrawalOf, withdrawnText } from '../../../hub/rollout/withdrawn.js';
import { openSqliteStore } from '../../../hub/store/sqlite.js';
import type { Store } from '../../../hub/store/store.js';
import type { Signer } from '../../../protocol/keys.js';
import { bundleFile } from '../../support/bundle-files.js';
import { REAL_CLOCK } from '../../support/clock.js';
import { envelopeOfFile } from '../../../hub/signing/bundle-file.js';
import {
  HUB,
  idOf,
  NOW,
  podManifest,
  RELEASE,
  releaseRole,
  ROOT,
  rootDocument,
  signer,
  trustedRoot,
} from '../../support/fleet.js';

const ANNA = signer('anna');
const FILE = bundleFile([RELEASE], { revision: 3 });
const RECORD = {
  ...{ namespace: 'default', bundle: 'shop', revision: 3, digest: FILE.digest },
  envelope: envelopeOfFile(FILE),
};
const byOthers = (...signers: readonly Signer[]) => ({
  keys: Object.fromEntries([ROOT, HUB, ...signers].map(s => [idOf(s), s.publicKey])),
  roles: { ...rootDocument().roles, release: [releaseRole(signers)] },
});

const ROWS: readonly [string, Parameters<typeof rootDocument>[0], string | null, RegExp][] = [
  ['nothing of one that the root has nothing against', {}, null, /./],
  ['Denied, where its digest is denied', { denied: [FILE.digest] }, 'Denied', /root 1 denies/],
  ['nothing where another is', { denied: ['0'.repeat(64)] }, null, /./],
  [
    'BelowFloor, where the floor of its bundle is higher',
    { floors: { 'default/shop': 4 } },
    'BelowFloor',
    /below 4, the floor of root 1/,
  ],
  ['nothing at the floor', { floors: { 'default/shop': 3 } }, null, /./],
  ['nothing of the floor of another bundle', { floors: { 'default/web': 9 } }, null, /./],
  [
    'NotSigned, where its release key was dropped',
    byOthers(ANNA),
    'NotSigned',
    /0 of the 1 signatures .* root 1 wants/,
  ],
  [
    'Denied before NotSigned: signing again would not help',
    { ...byOthers(ANNA), denied: [FILE.digest] },
    'Denied',
    /denies/,
  ],
];

describe('the hub says of a revision', () => {
  for (const [sentence, change, reason, message] of ROWS) {
    test(sentence, () => {
      const found = withdrawalOf(rootDocument(change), RECORD);
      assert.equal(found?.reason ?? null, reason);
      assert.match(found?.message ?? 'none', message);
    });
  }

  test('since when, which stays while the reason does; who signed it; what to do', () => {
    const root = rootDocument({ denied: [FILE.digest] });
    const first = standingOf(root, RECORD, { former: null, now: NOW });
    assert.deepEqual(first.signedBy, [idOf(RELEASE)]);
    assert.match(first.conditions[0]?.message ?? '', /; apply another revision: flotilla apply/);
    const former = { ...first, revision: 3, digest: FILE.digest, nodes: NODES };
    const second = standingOf(root, RECORD, { former, now: NOW + 60_000 });
    assert.deepEqual(second, first);
    const other = rootDocument(byOthers(ANNA));
    const third = standingOf(other, RECORD, { former, now: NOW + 60_000 });
    assert.deepEqual(third.signedBy, []);
    assert.notEqual(
      third.conditions[0]?.lastTransitionTime,
      former.conditions[0]?.lastTransitionTime,
    );
    assert.match(
      third.conditions[0]?.message ?? '',
      /bundle build -f MANIFESTS --bundle shop -n default -o shop\.bundle; flotilla bundle sign shop\.bundle --key KEY; flotilla apply -f shop\.bundle;/,
    );
  });

  test('where it still runs, the first nodes by name', () => {
    const nodes = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'];
    const revision = { namespace: 'default', name: 'shop', revision: 3, digest: FILE.digest };
    const withdrawal = { reason: 'Denied', message: 'root 2 denies its digest' } as const;
    const told = { ...revision, reason: 'Denied', newest: true, nodes, revoked: [] } as const;
    assert.match(
      withdrawnText(told, withdrawal),
      /revision 3 is withdrawn .*still runs on n1, n2, n3, n4, n5 and 1 more, no node begins with it/,
    );
    const former = { ...told, newest: false, nodes: ['n1'] };
    assert.match(withdrawnText(former, withdrawal), /runs on n1, a newer one takes its place/);
  });

  test('that a node was revoked where it ran: nothing that is published ends it there', () => {
    const revision = { namespace: 'default', name: 'shop', revision: 3, digest: FILE.digest };
    const withdrawal = { reason: 'Denied', message: 'root 2 denies its digest' } as const;
    const told = { ...revision, reason: 'Denied', nodes: [], revoked: ['n2'] } as const;
    const gone =
      'it ran on n2, revoked since: .* there: flotilla-agent leave; .*: flotilla delete node n2$';
    const former = withdrawnText({ ...told, newest: false }, withdrawal);
    assert.match(former, new RegExp(`denies its digest\\): ${gone}`));
    const newest = withdrawnText({ ...told, newest: true, nodes: ['n1'] }, withdrawal);
    assert.match(newest, new RegExp(`still runs on n1, no node begins with it; .*; ${gone}`));
  });
});

const NODES = { desired: 2, updated: 2, healthy: 2, failed: 0, offline: 0 };

describe('a rollout of a withdrawn revision', () => {
  type Progress = Pick<RolloutProgress, 'desired' | 'healthy'>;
  const all: Progress = { desired: 2, healthy: 2 };
  const VERDICTS: readonly [string, Progress, string | null, string][] = [
    ['waits for nothing: it failed', { desired: 2, healthy: 0 }, 'Denied', 'failed'],
    ['failed even where every node has it: it is to go', all, 'Denied', 'failed'],
    [
      'that lacks signatures failed while a node has yet to begin',
      { desired: 2, healthy: 1 },
      'NotSigned',
      'failed',
    ],
    ['that lacks signatures is healthy where every node has it', all, 'NotSigned', 'healthy'],
    ['is like any other when it is not withdrawn', all, null, 'healthy'],
  ];
  for (const [sentence, progress, reason, verdict] of VERDICTS) {
    test(sentence, () => {
      const withdrawn = reason === null ? null : { reason, message: '' };
      const open = progress.healthy < progress.desired ? [{ node: 'n', text: 'staged' }] : [];
      const rest = { revision: 3, selector: '', updated: 0, failed: 0, offline: 0, failures: [] };
      const none = { undone: 0, unknown: 0, cordoned: 0 };
      assert.equal(verdictOf({ ...rest, ...none, ...progress, withdrawn, open }), verdict);
    });
  }
});

describe('an apply', () => {
  let directory: string;
  let store: Store;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'flotilla-withdrawn-'));
    store = await openSqliteStore({ path: join(directory, 'hub.db'), clock: REAL_CLOCK });
  });
  after(async () => {
    await store.close();
    rmSync(directory, { recursive: true });
  });
  const ask = async (change: Parameters<typeof rootDocument>[0], releaseSigner: Signer | null) => {
    const root = trustedRoot(rootDocument(change), [ROOT]);
    const writer = bundleWriter({ store, clock: REAL_CLOCK, root: () => root, releaseSigner });
    const { object } = await writer.apply(
      { kind: 'user', name: 'admin' },
      {
        ...{ namespace: 'default', name: 'shop', labels: {}, annotations: {} },
        spec: { nodeSelector: '', manifests: [podManifest('web')] },
        ...{ expect: 'any', dryRun: false },
      },
    );
    return object;
  };
  const told = ({ status }: BundleObject) => [
    status.revision,
    (status.conditions ?? []).map(({ reason }) => reason),
  ];

  test('of what is withdrawn makes a revision that nodes may begin with, if this hub can sign', async () => {
    const first = await ask({}, RELEASE);
    assert.deepEqual(told(first), [1, []]);
    const { digest } = first.status;
    const where = { denied: [digest] };
    assert.deepEqual(told(await ask(where, null)), [1, ['Denied']]);
    assert.deepEqual(told(await ask(where, RELEASE)), [2, []]);
    assert.deepEqual(told(await ask(where, RELEASE)), [2, []]);
    assert.deepEqual(told(await ask({ floors: { 'default/shop': 9 } }, RELEASE)), [9, []]);
  });

  const applied = (generation: number, digest: string, signedBy?: string[]) =>
    ({
      metadata: { name: 'shop', generation },
      status: { revision: 3, digest, ...(signedBy ? { signedBy } : {}) },
    }) as unknown as BundleApiObject;
  const OUTCOMES: readonly [string, BundleApiObject | null, BundleApiObject, string][] = [
    ['created', null, applied(1, 'a'), 'bundle/shop created (revision 3)'],
    [
      'unchanged',
      applied(1, 'a', ['k']),
      applied(1, 'a', ['k']),
      'bundle/shop unchanged (revision 3)',
    ],
    ['another selector', applied(1, 'a'), applied(2, 'a'), 'bundle/shop configured (revision 3)'],
    ['the same made anew', applied(1, 'a'), applied(1, 'b'), 'bundle/shop configured (revision 3)'],
    [
      'another signature',
      applied(1, 'a', ['k']),
      applied(1, 'a', ['k', 'l'.repeat(64)]),
      `bundle/shop signed anew (revision 3, content unchanged, new signatures: ${'l'.repeat(16)})`,
    ],
  ];
  for (const [sentence, former, now, line] of OUTCOMES) {
    test(`says what it came to: ${sentence}`, () =>
      assert.equal(outcomeLine(former, now, false), line));
  }
});
