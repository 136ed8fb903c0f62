/** What the journal promises: how each promise is made, and what must be there afterwards. */
import assert from 'node:assert/strict';
import type { Journal } from '../../agent/journal/journal.js';
import { seal } from '../../protocol/envelope.js';
import { openAssignment } from '../../protocol/verify-assignment.js';
import { openBundle } from '../../protocol/verify-bundle.js';
import {
  assigned,
  assignmentDocument,
  bundleDocument,
  HUB,
  idOf,
  NODE,
  NODE_NAME,
  NOW,
  RELEASE,
  trustedRoot,
} from './fleet.js';

const BUNDLE = bundleDocument(undefined, { rollbackFloor: 1 });
const NAMED = assigned(BUNDLE);
const STEP = {
  namespace: 'default',
  name: 'shop',
  revision: 1,
  digest: NAMED.digest,
  attempt: 0,
  reason: 'Test',
  message: '',
};
const FILE = {
  namespace: 'default',
  name: 'shop',
  file: 'flotilla_shop_00000000000000aa.json',
  pod: 'web',
  manifest: 'm',
  content: 'c',
};

function accept(journal: Journal): void {
  const nonce = journal.freshNonce();
  const opened = openAssignment(
    seal('assignment', assignmentDocument({ nonce, bundles: [NAMED] }), [HUB]),
    {
      root: trustedRoot(),
      node: NODE_NAME,
      nodeKey: idOf(NODE),
      accepted: null,
      nonce,
      freshOnly: true,
      now: NOW,
    },
  );
  if (!opened.ok) throw new Error(opened.refusal.detail);
  journal.acceptAssignment(opened.value);
}

function store(journal: Journal): void {
  const context = { root: trustedRoot(), assigned: NAMED, arch: 'amd64', agentVersion: '0.1.0' };
  const opened = openBundle(seal('bundle', BUNDLE, [RELEASE]), context);
  if (!opened.ok) throw new Error(opened.refusal.detail);
  journal.content.storeBundle(opened.value);
  journal.settle();
}

function record(journal: Journal): void {
  const involved = { kind: 'Node' as const, namespace: '', name: 'n', uid: '', fieldPath: '' };
  journal.record({ type: 'Normal', reason: 'Test', message: 'one', involved });
}

export interface JournalPromise {
  readonly sentence: string;
  readonly make: (journal: Journal) => void;
  readonly holds: (journal: Journal) => void;
}

export const PROMISES: readonly JournalPromise[] = [
  {
    sentence: 'an accepted root is the root',
    make: journal => journal.acceptRoot(trustedRoot()),
    holds: journal => assert.equal(journal.root()?.digest, trustedRoot().digest),
  },
  {
    sentence: 'an accepted assignment is accepted, and freshness is no longer wanted',
    make: accept,
    holds: journal => {
      assert.equal(journal.accepted()?.generation, 7);
      assert.deepEqual(journal.accepted()?.document.bundles, [NAMED]);
      assert.equal(journal.freshNonce(), null);
    },
  },
  {
    sentence: 'a stored bundle reads back and its number is taken',
    make: store,
    holds: journal => {
      assert.deepEqual(journal.content.bundleDocument(NAMED.digest), BUNDLE);
      assert.equal(journal.content.knownDigest(BUNDLE, 1), NAMED.digest);
    },
  },
  {
    sentence: 'a stored blob is here once it is settled',
    make: journal => {
      journal.content.storeBlob('d', Buffer.from('bytes'));
      journal.settle();
    },
    holds: journal => assert.equal(journal.content.blob('d')?.toString(), 'bytes'),
  },
  {
    sentence: 'an activation names its files and its revision together',
    make: journal => {
      store(journal);
      journal.activate({ ...STEP, state: 'activating' }, [FILE]);
    },
    holds: journal => {
      assert.deepEqual([...journal.files().values()], [FILE]);
      const [record] = journal.bundles();
      assert.deepEqual([record?.active, record?.state], [NAMED.digest, 'activating']);
    },
  },
  {
    sentence: 'a removal takes the files and keeps the bundle until its pods are gone',
    make: journal => {
      journal.activate({ ...STEP, state: 'activating' }, [FILE]);
      journal.activate({ ...STEP, state: 'removing' }, []);
    },
    holds: journal => {
      assert.equal(journal.files().size, 0);
      assert.deepEqual(
        [journal.bundles()[0]?.active, journal.bundles()[0]?.state],
        [null, 'removing'],
      );
    },
  },
  {
    sentence: 'a healthy revision is remembered with its floor',
    make: journal => {
      store(journal);
      journal.activate({ ...STEP, state: 'activating' }, []);
      journal.recordTransition({ ...STEP, state: 'healthy' });
    },
    holds: journal => {
      assert.equal(journal.bundles()[0]?.healthy, NAMED.digest);
      assert.equal(journal.content.rollbackFloor(BUNDLE), 1);
    },
  },
  {
    sentence: 'a recorded event is in the outbox',
    make: record,
    holds: journal => assert.equal(journal.events(0, 10)[0]?.message, 'one'),
  },
  {
    sentence: 'what was gathered is there with the next thing that is promised',
    make: journal => {
      journal.content.storeBlob('d', Buffer.from('bytes'));
      journal.recordTransition({ ...STEP, state: 'staged' });
      record(journal);
    },
    holds: journal => {
      assert.equal(journal.content.blob('d')?.toString(), 'bytes');
      assert.equal(journal.bundles()[0]?.state, 'staged');
    },
  },
  {
    sentence: 'what was gathered and not settled is gone as a whole, and is done again',
    make: journal => {
      record(journal);
      journal.content.storeBlob('d', Buffer.from('bytes'));
      journal.recordTransition({ ...STEP, state: 'staged' });
    },
    holds: journal => {
      assert.equal(journal.content.hasBlob('d'), false);
      assert.deepEqual(journal.bundles(), []);
      assert.equal(journal.events(0, 10).length, 1);
    },
  },
  {
    sentence: 'an acknowledged event is gone and its number with it',
    make: journal => {
      record(journal);
      journal.acknowledgeEvents(1);
      journal.settle();
    },
    holds: journal => {
      assert.deepEqual(journal.events(0, 10), []);
      assert.equal(journal.oldestEvent(), 2);
    },
  },
];
