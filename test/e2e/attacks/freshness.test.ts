/**
 * Freshness, order and time under attack: the hub's key is stolen and the broker allows everything to
 * everyone. Clocks of 1970 and 2099 stop no pod (security.md S20–S38, S61, S71).
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { readJournal } from '../../../agent/journal/reader.js';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import type { AssignmentDocument } from '../../../protocol/documents/assignment.js';
import type { BundleDocument } from '../../../protocol/documents/bundle.js';
import type { StatusDocument } from '../../../protocol/documents/node.js';
import { seal } from '../../../protocol/envelope.js';
import { refuses, type Attack } from '../../support/attacks/refusal.js';
import { attacks, type Row } from '../../support/attacks/row.js';
import { NODE, STRANGER } from '../../support/attacks/cast.js';
import { payloadOf } from '../../support/attacks/documents.js';
import type { Victim } from '../../support/attacks/victim.js';
import { docker } from '../../support/docker.js';
import { fakedClock, noFakedClock } from '../../support/faked-clock.js';
import { assigned } from '../../support/fleet.js';
import { eventually } from '../../support/wait.js';

const DAY = 86_400_000;
const YEAR_2099 = Date.parse('2099-01-01T00:00:00.000Z');
const JOURNAL = ['journal.db', 'journal.db-wal', 'journal.db-shm'];

const iso = (at: number) => new Date(at).toISOString();
const topicOf = (victim: Victim) => victim.topics.node(NODE, 'assignment');

/** Each container with the time of its start: one that was restarted is another. */
function running(victim: Victim): string[] {
  const ids = victim.containers().filter(id => id !== '');
  const text = docker('inspect', '--format', '{{.Id}} {{.State.StartedAt}}', ...ids);
  return text.split('\n').sort();
}

function accepted(victim: Victim): number {
  const { history } = readJournal(victim.play.path(NODE));
  const last = history.findLast(({ entry }) => entry.kind === 'assignment')?.entry;
  return last?.kind === 'assignment' ? last.generation : 0;
}

/** The running content as another revision, released by whoever has the release key. */
async function release(victim: Victim, change: Partial<BundleDocument>): Promise<BundleDocument> {
  const [witness] = victim.current.bundles;
  const envelope = victim.recorded.get(victim.topics.blob(witness?.digest ?? ''));
  assert.ok(envelope);
  const document = { ...payloadOf<BundleDocument>('bundle', envelope), ...change };
  const digest = sha256Hex(canonicalJson(document));
  const payload = seal('bundle', document, [victim.keys.release]);
  await victim.publish(victim.topics.blob(digest), payload);
  return document;
}

/** The assignment that would follow is spoilt in one way. */
function spoilt(
  [id, title, code]: [id: string, title: string, code: Attack['code']],
  change: (victim: Victim) => Partial<AssignmentDocument>,
): Row {
  const run = async ({ open }: { open: () => Promise<Victim> }) => {
    const victim = await open();
    const document = victim.next(change(victim));
    await refuses(victim, { code, send: () => victim.publishAssignment(document) });
  };
  return { id, title, isBroker: true, run };
}

function sent(
  [id, title, code]: [id: string, title: string, code: Attack['code']],
  send: (victim: Victim) => Promise<void>,
): Row {
  return {
    id,
    title,
    isBroker: true,
    run: async ({ open }) => {
      const victim = await open();
      await refuses(victim, { code, send: () => send(victim) });
    },
  };
}

/** Answers the node's question for the time, one that it asked since it was started last. */
async function answersTime(victim: Victim, asked: number, at: number): Promise<void> {
  const { nonce } = await eventually('it asks for the time', () =>
    victim.requests.slice(asked).findLast(({ want }) => want === 'time'),
  );
  await victim.tellTime(nonce, at);
}

/** An empty assignment makes the node ask the hub, which costs a certificate: not as often as somebody likes. */
async function clearsAgainAndAgain(victim: Victim): Promise<void> {
  const renewals = () => victim.play.log('hub').split('renewal: a node has').length - 1;
  const before = renewals();
  await victim.publish(topicOf(victim), '');
  await eventually('it asks the hub', () => renewals() === before + 1);
  for (let i = 0; i < 12; i++) {
    await sleep(400);
    await victim.publish(topicOf(victim), '');
  }
  assert.equal(renewals(), before + 1, 'a certificate for each word');
}

const WITH_HUB: Row = {
  id: 'S61',
  title: 'retained garbage while the hub lives: refused, and a good assignment takes its place',
  run: async ({ open }) => {
    const victim = await open();
    victim.play.startHub();
    await victim.play.hubAnswers();
    // What was written while it was away it finds some seconds after it came; before that it would not see who writes now.
    await eventually('the hub watches its topics', () =>
      victim.play.log('hub').includes('somebody else writes on topics'),
    );
    const from = victim.statuses.length;
    await victim.publish(topicOf(victim), 'garbage');
    await victim.said('Malformed', one => one.lastRefusal?.code === 'Malformed', from);
    const before = victim.current.generation;
    await eventually('a fresh one is accepted', () => accepted(victim) > before);
    await victim.said('synced', ({ clock }) => clock === 'synced');
    await eventually('the hub says that it was not it', async () =>
      /ForeignPublication/.test(await victim.play.ok('describe', 'node', NODE)),
    );
    await clearsAgainAndAgain(victim);
    const assignment = await eventually('the hub has put its assignment back', () =>
      victim.recorded.get(topicOf(victim)),
    );
    await victim.play.kill('hub', 'SIGTERM');
    victim.current = payloadOf<AssignmentDocument>('assignment', assignment);
  },
};

const ORDER: readonly Row[] = [
  spoilt(['S20', "yesterday's assignment of this node", 'Rollback'], ({ current }) => ({
    generation: current.generation - 1,
  })),
  spoilt(['S24', 'another assignment with one generation', 'Equivocation'], ({ current }) => ({
    generation: current.generation,
    bundles: [],
  })),
  spoilt(['S27', 'an expired assignment, good clock', 'Expired'], () => ({
    notAfter: iso(Date.now() - DAY),
  })),
  spoilt(['S34', "another node's assignment", 'WrongNode'], () => ({ node: 'edge-2' })),
  spoilt(['S35', 'of the former device of the same name', 'WrongNode'], () => ({
    nodeKey: 'a'.repeat(64),
  })),
  spoilt(['S36', 'of another fleet, same signers', 'WrongFleet'], () => ({
    fleet: '0'.repeat(32),
  })),
  spoilt(['S38', "another node's empty assignment", 'WrongNode'], () => ({
    node: 'edge-2',
    bundles: [],
  })),
  sent(['S61', 'retained garbage', 'Malformed'], victim =>
    victim.publish(topicOf(victim), '{"garbage":2}'),
  ),
  sent(['S30', 'an answer for the time that nobody asked for', 'NotFresh'], victim =>
    victim.tellTime('f'.repeat(32), 5 * DAY),
  ),
  sent(['S30', 'an answer for the time to another node', 'WrongNode'], victim =>
    victim.tellTime('f'.repeat(32), 5 * DAY, { node: 'edge-2' }),
  ),
  sent(['S30', 'a retained time that no hub signed', 'BadSignature'], victim => {
    const time = { fleet: victim.root.fleet, node: NODE, nonce: 'f'.repeat(32), time: iso(0) };
    return victim.publish(victim.topics.node(NODE, 'time'), seal('time', time, [STRANGER]));
  }),
];

const CONTENT: readonly Row[] = [
  {
    id: 'S24',
    title: 'both digests of an equivocation are told, of assignments and of revisions',
    run: async ({ open }) => {
      const victim = await open();
      const { current } = victim;
      const from = victim.statuses.length;
      const twin = { ...current, bundles: [], parameters: { twin: 'yes' } };
      await victim.publishAssignment(twin);
      const said = await victim.said(
        'Equivocation',
        s => s.lastRefusal?.code === 'Equivocation',
        from,
      );
      const digestOf = (document: object) => sha256Hex(canonicalJson(document));
      for (const one of [twin, current])
        assert.ok(said.lastRefusal?.detail.includes(digestOf(one)), said.lastRefusal?.detail);
      const [witness] = current.bundles;
      const other = await release(victim, { issued: iso(Date.now()) });
      const containers = running(victim);
      await victim.assign({ bundles: [assigned(other)] });
      const { bundles } = await victim.said(
        'Equivocation',
        s => s.bundles[0]?.reason === 'Equivocation',
      );
      for (const digest of [witness?.digest ?? '-', digestOf(other)])
        assert.ok(bundles[0]?.message.includes(digest), bundles[0]?.message);
      assert.deepEqual(running(victim), containers);
      await victim.assign({ bundles: current.bundles });
    },
  },
  {
    id: 'S37',
    title: 'a bundle for other hardware: Unsupported, alone',
    run: async ({ open }) => {
      const victim = await open();
      const { bundles } = victim.current;
      const requires = { arch: ['s390x'], hardware: [], minAgent: null };
      const other = await release(victim, { revision: 20, requires });
      const containers = running(victim);
      await victim.assign({ bundles: [assigned(other)] });
      await victim.said('Unsupported', s => s.bundles[0]?.reason === 'Unsupported');
      assert.deepEqual(running(victim), containers);
      await victim.assign({ bundles });
    },
  },
  {
    id: 'S25',
    title: 'a bundle that lacks a blob waits alone',
    run: async ({ open }) => {
      const victim = await open();
      const { bundles } = victim.current;
      const late = await release(victim, { name: 'late' });
      const absent = { ...assigned(late), digest: 'e'.repeat(64) };
      const containers = running(victim);
      await victim.assign({ bundles: [...bundles, absent] });
      await victim.said('late waits', s =>
        s.bundles.some(b => b.name === 'late' && ['staged', 'waiting'].includes(b.state)),
      );
      assert.deepEqual(running(victim), containers);
      await victim.assign({ bundles });
    },
  },
  {
    id: 'S21',
    title: 'a new generation below the rollback floor of a healthy revision fails; above it goes',
    run: async ({ open }) => {
      const victim = await open();
      const { bundles } = victim.current;
      const containers = running(victim);
      const state = (revision: number, reason: string) =>
        victim.said(`revision ${revision} ${reason}`, ({ bundles: [one] }) => {
          return one?.revision === revision && (one.reason === reason || one.state === reason);
        });
      const floor = await release(victim, { revision: 9, rollbackFloor: 8 });
      await victim.assign({ bundles: [assigned(floor)] });
      await state(9, 'healthy');
      const above = await release(victim, { revision: 8 });
      await victim.assign({ bundles: [assigned(above)] });
      await state(8, 'healthy');
      await victim.assign({ bundles });
      const status = await state(bundles[0]?.revision ?? 0, 'Rollback');
      assert.equal(status.bundles[0]?.active, assigned(above).digest);
      assert.deepEqual(running(victim), containers);
      await victim.assign({ bundles: [assigned(floor)] });
    },
  },
  {
    id: 'S71',
    title: 'duplicates and reorders 11, 12, 12, 11: one apply of 12',
    run: async ({ open }) => {
      const victim = await open();
      const first = victim.next();
      const second = { ...first, generation: first.generation + 1 };
      const containers = running(victim);
      for (const document of [first, second, second, first])
        await victim.publishAssignment(document);
      await eventually('12 is accepted', () => accepted(victim) === second.generation);
      victim.current = second;
      await victim.assign();
      assert.deepEqual(running(victim), containers);
      const applied = victim.play.log(NODE).split(`generation=${second.generation} `).length - 1;
      assert.equal(applied, 1);
    },
  },
];

/** Only the answer to the node's own request counts, and its pods run. */
async function wantsFresh(victim: Victim, from: number, reason: string): Promise<void> {
  await victim.said(
    `JournalReset ${reason}`,
    s => s.conditions.some(c => c.type === 'JournalReset' && c.reason === reason),
    from,
  );
  const { journal } = victim.statuses.at(-1) ?? {};
  const request = await eventually('it asks for a fresh one', () =>
    victim.requests.findLast(r => r.want === 'assignment' && r.journal === journal),
  );
  const generation = victim.current.generation + 10;
  await victim.publishAssignment(victim.next({ generation }));
  await victim.said('NotFresh', s => s.lastRefusal?.code === 'NotFresh', from);
  await victim.assign({ generation: generation + 1, nonce: request.nonce });
  await victim.said(
    'no reset any more',
    s => s.generation === generation + 1 && s.conditions.every(c => c.type !== 'JournalReset'),
    from,
  );
}

const JOURNALS: readonly Row[] = [
  {
    id: 'S33',
    title: 'an older journal is put back: only an answer to a nonce is accepted; pods run',
    run: async ({ open }) => {
      const victim = await open();
      const file = (name: string) => victim.play.path(NODE, name);
      const kept = (name: string) => victim.play.path(`kept-${name}`);
      const containers = running(victim);
      await victim.restart({}, () => {
        for (const name of JOURNAL)
          if (existsSync(file(name))) copyFileSync(file(name), kept(name));
      });
      await victim.assign();
      const from = await victim.restart({}, () => {
        for (const name of JOURNAL) {
          rmSync(file(name), { force: true });
          if (existsSync(kept(name))) copyFileSync(kept(name), file(name));
        }
      });
      await wantsFresh(victim, from, 'PutBack');
      assert.deepEqual(running(victim), containers);
    },
  },
  {
    id: 'S33',
    title: 'the journal is deleted: the same',
    run: async ({ open }) => {
      const victim = await open();
      const containers = running(victim);
      const from = await victim.restart({}, () => {
        for (const name of JOURNAL) rmSync(join(victim.play.path(NODE), name), { force: true });
      });
      await wantsFresh(victim, from, 'Lost');
      assert.deepEqual(running(victim), containers);
    },
  },
];

const SILENCE: Row = {
  id: 'S22',
  title:
    'freeze, through an old retained message too (S23): HubSilent after seven days of uptime; pods run',
  run: async ({ open }) => {
    const victim = await open();
    const containers = running(victim);
    const asked = victim.requests.length;
    const from = await victim.restart({}, () => {
      // Seven days of uptime without the hub, but for a few seconds, as the agent saves them.
      const db = new Database(victim.play.path(NODE, 'journal.db'));
      const ms = String(7 * DAY - 3_000);
      db.prepare("INSERT OR REPLACE INTO meta VALUES ('hub-silent-ms', ?)").run(ms);
      db.close();
    });
    const old = victim.recorded.get(topicOf(victim));
    assert.ok(old);
    const isSilent = ({ conditions }: StatusDocument) =>
      conditions.some(({ type }) => type === 'HubSilent');
    await victim.publish(topicOf(victim), old);
    await victim.said('HubSilent', isSilent, from);
    const { stdout } = await victim.play.agent('status', '--data-dir', victim.play.path(NODE));
    assert.match(stdout, /HubSilent +True +NoFreshAnswer +no fresh answer of the hub for 7d/);
    assert.deepEqual(running(victim), containers);
    const silent = victim.statuses.length;
    await answersTime(victim, asked, Date.now());
    await victim.said('heard', status => !isSilent(status), silent);
    const told = () => {
      const { events } = readJournal(victim.play.path(NODE));
      return events.map(({ reason }) => reason).filter(reason => /^Hub/.test(reason));
    };
    await eventually('both are told', () => told().length >= 2);
    assert.deepEqual(told(), ['HubSilent', 'HubHeard']);
  },
};

const CLOCKS: readonly Row[] = [
  {
    id: 'S28',
    title:
      '1970 at boot: Expired by the floor, accepted where not; times are right once the hub told',
    run: async ({ open }) => {
      const victim = await open();
      const containers = running(victim);
      const asked = victim.requests.length;
      const from = await victim.restart(fakedClock(victim.play.path('clock'), 600_000).env);
      const { at, conditions } = await victim.said('floor', s => s.clock === 'floor', from);
      assert.ok(at >= victim.current.issued, at);
      assert.ok(conditions.some(({ reason }) => reason === 'BelowFloor'));
      const notAfter = iso(Date.parse(victim.current.issued) - DAY);
      const expired = victim.next({ notAfter });
      await refuses(victim, { code: 'Expired', send: () => victim.publishAssignment(expired) });
      await answersTime(victim, asked, Date.now());
      const synced = await victim.said('synced', s => s.clock === 'synced', from);
      assert.ok(Math.abs(Date.parse(synced.at) - Date.now()) < DAY, synced.at);
      assert.ok((synced.clockOffset ?? 0) > 40 * 365 * DAY, String(synced.clockOffset));
      assert.ok(synced.conditions.some(({ reason }) => reason === 'DiffersFromHub'));
      assert.deepEqual(running(victim), containers);
    },
  },
  {
    id: 'S29',
    title: '2099 at boot and back: Expired until the hub tells the time; nothing sticks',
    run: async ({ open }) => {
      const victim = await open();
      const containers = running(victim);
      const clock = fakedClock(victim.play.path('clock'), YEAR_2099);
      const asked = victim.requests.length;
      const from = await victim.restart(clock.env);
      await victim.said('suspect', s => s.clock === 'suspect', from);
      const good = victim.next();
      await victim.publishAssignment(good);
      await victim.said('Expired', s => s.lastRefusal?.code === 'Expired', from);
      assert.deepEqual(running(victim), containers);
      await answersTime(victim, asked, Date.now());
      await eventually('the same is accepted now', () => accepted(victim) === good.generation);
      victim.current = good;
      clock.set(null);
      await victim.assign();
      const back = await victim.restart();
      const { at } = await victim.said('unproven', s => s.clock === 'floor', back);
      assert.ok(Math.abs(Date.parse(at) - Date.now()) < DAY, at);
      await victim.assign();
      assert.deepEqual(running(victim), containers);
    },
  },
  {
    id: 'S31',
    title: 'a stolen hub key says 2099: pods run; an honest answer mends it',
    run: async ({ open }) => {
      const victim = await open();
      const containers = running(victim);
      const asked = victim.requests.length;
      await victim.restart();
      await answersTime(victim, asked, YEAR_2099);
      await victim.said('2099', s => Date.parse(s.at) >= YEAR_2099);
      const from = victim.statuses.length;
      await victim.publishAssignment(victim.next());
      await victim.said('Expired', s => s.lastRefusal?.code === 'Expired', from);
      victim.time = () => Date.now();
      const back = await victim.restart();
      await victim.said('the right time', s => s.clock === 'synced', back);
      await victim.assign();
      victim.time = null;
      assert.deepEqual(running(victim), containers);
    },
  },
];

attacks('freshness, order and time', [
  WITH_HUB,
  ...ORDER,
  ...CONTENT,
  ...JOURNALS,
  SILENCE,
  ...(noFakedClock() === false ? CLOCKS : []),
]);
