/** Leaving a fleet: the order of its steps, so that a cut leaves a member or none, and what the journal forgets. */
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { leftLines } from '../../../agent/cli/leave.js';
import { openOwnedDirectory } from '../../../agent/intake/owned-files.js';
import { forgetFleet } from '../../../agent/journal/forget.js';
import { openJournal } from '../../../agent/journal/open.js';
import { readProof } from '../../../agent/journal/proof.js';
import { verifyProof } from '../../../agent/journal/verify-proof.js';
import { leaveFleet, type LeaveParts } from '../../../agent/membership/leave.js';
import type { Membership } from '../../../agent/membership/identity.js';
import type { NewEvent } from '../../../agent/ports.js';
import { fastClock } from '../../support/fast-clock.js';
import { NOW, rootDocument, trustedRoot } from '../../support/fleet.js';

let dir = '';
let steps: string[] = [];
const OWNED = 'flotilla_web_0123456789abcdef.json';

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'fl-leave-'));
  steps = [];
  mkdirSync(join(dir, 'identity'));
  writeFileSync(join(dir, 'identity/join.json'), '{}');
  writeFileSync(join(dir, 'identity/identity.key'), 'k');
  mkdirSync(join(dir, 'manifests'));
  for (const name of [OWNED, 'own.json']) writeFileSync(join(dir, 'manifests', name), '{}');
});
afterEach(() => rmSync(dir, { recursive: true }));

const isMember = () => existsSync(join(dir, 'identity/join.json'));
const has = (name: string) => existsSync(join(dir, 'manifests', name));

function parts(change: Partial<LeaveParts> = {}): LeaveParts {
  const step = (what: string) => void steps.push(`${what}${has(OWNED) ? '' : ', files gone'}`);
  const silent = () => undefined;
  let events = 0;
  let ms = 0;
  return {
    dataDir: dir,
    membership: { node: 'edge-1', hubUrl: 'https://hub' } as Membership,
    journal: {
      record: ({ reason }) => {
        events++;
        step(reason);
      },
      newestEvent: () => events,
      oldestEvent: () => events + 1,
      settle: () => step('journal settled'),
    },
    connected: () => true,
    endMembership: async () => step('session ended'),
    directory: openOwnedDirectory(join(dir, 'manifests')),
    podsOfBundles: () => [],
    forget: () => step('journal forgot'),
    clock: {
      now: () => NOW + ms,
      monotonic: () => ms,
      sleep: async more => void (ms += more),
    },
    log: { info: silent, warn: silent, error: silent },
    ...change,
  };
}

describe('a node that leaves', () => {
  test('tells, ends, removes, forgets, in this order; its own manifests stay', async () => {
    const left = await leaveFleet(parts());
    assert.deepEqual(steps, [
      ...['LeftFleet', 'session ended', 'journal settled, files gone'],
      'journal forgot, files gone',
    ]);
    assert.deepEqual([isMember(), has(OWNED), has('own.json')], [false, false, true]);
    assert.deepEqual([left.told, left.untold, left.ending], [true, 0, []]);
  });

  test('does not wait for a hub that it is not connected to, and counts what that never hears', async () => {
    const journal = {
      ...{ record: () => undefined, newestEvent: () => 7, oldestEvent: () => 5 },
      settle: () => undefined,
    };
    const left = await leaveFleet(parts({ journal, connected: () => false }));
    assert.deepEqual([left.told, left.untold], [false, 3]);
    assert.equal(isMember(), false);
  });

  test('whose pods take long to end leaves all the same, and names them', async () => {
    const left = await leaveFleet(parts({ podsOfBundles: () => ['default/web'] }));
    assert.deepEqual(left.ending, ['default/web']);
    assert.equal(isMember(), false);
  });

  test('whose directory is not safe stays what it is: nothing was told or ended', async () => {
    const directory = openOwnedDirectory(join(dir, 'not-there'));
    await assert.rejects(leaveFleet(parts({ directory })));
    assert.deepEqual([steps, isMember(), has(OWNED)], [[], true, true]);
  });

  test('whose journal cannot be written to is a member still', async () => {
    const forget = () => {
      throw new Error('disk full');
    };
    await assert.rejects(leaveFleet(parts({ forget })), /disk full/);
    assert.equal(isMember(), true);
  });

  test('is told what comes next', () => {
    const left = { node: 'edge-1', hubUrl: 'https://hub', told: false, untold: 1, ending: ['a/b'] };
    const lines = leftLines(left, 'box').join('\n');
    assert.match(lines, /not told: it did not answer\. 1 event it never hears of\./);
    assert.match(lines, /still end: a\/b/);
    assert.match(lines, /--node-name edge-1 from now on: under "box"/);
    const usual = leftLines({ ...left, told: true, untold: 0 }, 'edge-1').join('\n');
    assert.doesNotMatch(usual, /--node-name|never hears/);
  });
});

describe('a journal that forgets its fleet', () => {
  const open = () => {
    let ids = 0;
    const randomId = () => String(++ids).padStart(32, steps.length > 0 ? '1' : '0');
    return openJournal({ dataDir: dir, clock: fastClock(NOW), randomId });
  };
  const files = () => {
    return { journal: join(dir, 'journal.db'), twin: join(dir, 'journal.floors.json') };
  };
  const event: NewEvent = {
    ...{ type: 'Normal', reason: 'Started', message: 'told to nobody' },
    involved: { kind: 'Pod', namespace: 'a', name: 'b', uid: '', fieldPath: '' },
  };

  test('holds nothing of it, beside the agent that has it open; the next one takes another fleet', () => {
    const journal = open();
    journal.acceptRoot(trustedRoot());
    journal.record(event);
    journal.time().save({ silentMs: 5 });
    forgetFleet(files(), NOW);
    forgetFleet(files(), NOW);
    assert.equal(existsSync(files().twin), false);
    const bytes = readFileSync(files().journal).toString('latin1');
    assert.ok(!bytes.includes('told to nobody'), 'nor in what was deleted');
    journal.close();
    steps.push('another id');
    const next = open();
    assert.deepEqual(
      [next.root(), next.newestEvent(), next.time().silentMs(), next.boot],
      [null, 0, 0, 1],
    );
    assert.notEqual(next.id, journal.id);
    next.acceptRoot(trustedRoot(rootDocument({ fleet: '00'.repeat(16) })));
    next.close();
    const proof = readProof(dir);
    assert.deepEqual(verifyProof(proof, null).findings, []);
    const told = proof.history.map(({ entry }) => JSON.parse(entry) as { why?: string });
    assert.ok(
      told.some(({ why }) => why === 'Left'),
      'history says so',
    );
  });

  test('lets go first of what it just gathered, such as the word of the hub that it was told', async () => {
    const journal = open();
    const clock = {
      ...{ now: () => NOW, monotonic: () => 0 },
      sleep: async () => journal.acknowledgeEvents(journal.newestEvent()),
    };
    const forget = () => forgetFleet(files(), NOW);
    const left = await leaveFleet(parts({ journal, clock, forget }));
    assert.deepEqual([left.told, isMember()], [true, false]);
    journal.close();
  });

  test('forgets what was held and what was not to wait', () => {
    const journal = open();
    const by = { by: 'ann', reason: '' };
    const web = { namespace: 'a', name: 'web' };
    journal.site().hold({ node: 'edge-1' }, by);
    journal.site().activateNow({ ...web, digest: '00'.repeat(32), attempt: 0 }, by);
    forgetFleet(files(), NOW);
    assert.deepEqual([journal.site().holds(), journal.site().overrides()], [[], []]);
    journal.close();
  });

  test('keeps what its own pods need', () => {
    open().close();
    const db = new Database(files().journal);
    db.exec("INSERT INTO versions VALUES ('uid', '{}')");
    db.close();
    forgetFleet(files(), NOW);
    const after = new Database(files().journal);
    assert.equal(after.prepare('SELECT count(*) AS n FROM versions').get()?.['n' as never], 1);
    after.close();
  });
});
