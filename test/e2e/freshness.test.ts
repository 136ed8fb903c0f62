/**
 * Freshness and order under attack, on a running agent with its hub's key in the attacker's hands and
 * a broker that allows everything to everyone: what is refused is refused wholly, and clocks of 1970
 * and 2099 stop no pod (security.md, S20–S38, S61, S71).
 */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { AgentStatus } from '../../agent/agent-status.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import { canonicalJson, sha256Hex } from '../../protocol/canonical.js';
import { openEnvelope, seal } from '../../protocol/envelope.js';
import { AttackWorld, iso, NODE, podOf } from '../support/attack-world.js';
import { noEngine } from '../support/docker.js';
import { fakedClock, noFakedClock } from '../support/faked-clock.js';
import { assigned, signer } from '../support/fleet.js';
import { containersOf, refusedWholly, stateOf, type Attack } from '../support/refusal.js';
import { eventually } from '../support/wait.js';

const DAY = 86_400_000;
const YEAR_2099 = Date.parse('2099-01-01T00:00:00.000Z');
const JOURNAL = ['journal.db', 'journal.db-wal', 'journal.db-shm', 'journal.floors.json'];

describe('freshness and order on a running agent', { skip: noEngine() }, () => {
  let world: AttackWorld;
  before(async () => {
    world = await AttackWorld.begin({ allowsAll: true });
  });
  after(() => world?.close());

  const topic = () => world.topics.node(NODE, 'assignment');
  const generation = () => world.accepted().generation;
  const restart = async (env: Readonly<Record<string, string>> = {}) => {
    await world.play.kill(NODE, 'SIGKILL');
    const from = world.statuses.length;
    world.play.startAgentIn(env, NODE);
    await world.said('after the restart', ({ bundles }) => bundles.length > 0, from);
    return from;
  };

  test('the hub answers for the time: the clock is synced', async () => {
    await world.said('synced', ({ clock }) => clock === 'synced');
  });

  test('S61: retained garbage is refused, and the hub puts a good assignment in its place', async () => {
    const before = generation();
    await world.publish(topic(), 'garbage');
    await world.said('Malformed', ({ lastRefusal }) => lastRefusal?.code === 'Malformed');
    await eventually('a fresh assignment is accepted', () => generation() > before);
  });

  test('S21: a new assignment below the rollback floor fails alone; undo within it goes through', async () => {
    const { play } = world;
    const apply = async (word: string) => {
      const file = play.write('shop.json', JSON.stringify(podOf('web', word)));
      await play.ok('apply', '-f', file, '--bundle', 'shop');
    };
    const before = generation();
    await apply('two');
    await world.said('revision 2', ({ bundles: [shop] }) => shop?.revision === 2);
    // Undo is a new, higher revision with old content.
    await apply('one');
    await world.said('revision 3 is healthy', ({ bundles: [shop] }) => {
      return shop?.revision === 3 && shop.state === 'healthy';
    });
    assert.ok(generation() >= before + 2);
    await world.takeHub();
    const files = stateOf(world).directory;
    const containers = containersOf(world.dataDir);
    // Signed by the release key: what a hub can choose among.
    const [low, floor] = [bundle(9, 9), bundle(8, 0)];
    for (const made of [low, floor]) await publishBundle(made);
    await world.acceptsNext({ bundles: [assigned(low)] });
    await world.said('revision 9 is healthy', ({ bundles: [shop] }) => {
      return shop?.revision === 9 && shop.state === 'healthy';
    });
    // The same manifest: its file is not written anew, its containers go on.
    assert.deepEqual(stateOf(world).directory, files);
    await world.acceptsNext({ bundles: [assigned(floor)] });
    const status = await world.said(
      'Rollback',
      ({ bundles: [shop] }) => shop?.reason === 'Rollback',
    );
    assert.equal(status.bundles[0]?.active, sha256Hex(canonicalJson(low)));
    assert.deepEqual(containersOf(world.dataDir), containers);
    await world.acceptsNext({ bundles: [assigned(low)] });
  });

  /** The running content as another revision. */
  function bundle(revision: number, rollbackFloor: number, change: Partial<BundleDocument> = {}) {
    const [shop] = world.assignment?.bundles ?? [];
    const stored = storedBundle(shop?.digest ?? '');
    return { ...stored, revision, rollbackFloor, ...change };
  }

  function storedBundle(digest: string): BundleDocument {
    const known = made.get(digest);
    if (known) return known;
    const envelope = world.blob(digest);
    const opened = openEnvelope(envelope, { kind: 'bundle', bytesMax: 1 << 20 });
    assert.ok(opened.ok);
    return JSON.parse(opened.value.payload.toString()) as BundleDocument;
  }

  const made = new Map<string, BundleDocument>();

  async function publishBundle(document: BundleDocument): Promise<void> {
    const { releaseSigner } = world.hub;
    assert.ok(releaseSigner);
    const digest = sha256Hex(canonicalJson(document));
    made.set(digest, document);
    await world.publish(world.topics.blob(digest), seal('bundle', document, [releaseSigner]));
  }

  describe('refused wholly', () => {
    const rows: readonly [string, Attack['code'], () => Promise<void>][] = [
      [
        "S20: yesterday's assignment of this node",
        'Rollback',
        () => world.assign({ generation: generation() - 1 }),
      ],
      [
        'S24: another assignment with the same generation',
        'Equivocation',
        () => world.assign({ generation: generation(), bundles: [] }),
      ],
      [
        'S27: an expired assignment',
        'Expired',
        () => world.assign({ generation: generation() + 1, notAfter: iso(Date.now() - DAY) }),
      ],
      [
        "S34: another node's assignment",
        'WrongNode',
        () => world.assign({ generation: generation() + 1, node: 'edge-2' }),
      ],
      [
        'S35: of the former device of the same name',
        'WrongNode',
        () => world.assign({ generation: generation() + 1, nodeKey: 'a'.repeat(64) }),
      ],
      [
        'S36: of another fleet with the same signers',
        'WrongFleet',
        () => world.assign({ generation: generation() + 1, fleet: '0'.repeat(32) }),
      ],
      [
        "S38: another node's empty assignment",
        'WrongNode',
        () => world.assign({ generation: generation() + 1, node: 'edge-2', bundles: [] }),
      ],
      ['S61: retained garbage', 'Malformed', () => world.publish(topic(), '{"garbage":2}')],
      [
        'S02: signed by a stranger',
        'BadSignature',
        () => world.assign({ generation: generation() + 1 }, [signer('stranger')]),
      ],
      [
        'S30: an answer for the time to no open request',
        'NotFresh',
        () => world.tellTime('f'.repeat(32), 5 * DAY),
      ],
      [
        'S30: an answer for the time of another node',
        'WrongNode',
        () => world.tellTime('f'.repeat(32), 5 * DAY, { node: 'edge-2' }),
      ],
      [
        'S61: a retained time that no hub signed',
        ['Malformed', 'BadSignature'],
        () => world.publish(world.topics.node(NODE, 'time'), '{"time":1}'),
      ],
    ];
    for (const [row, code, does] of rows) {
      test(row, () => refusedWholly(world, { code, does }));
    }
  });

  test('S24: both digests of an equivocation are in the log and the status', async () => {
    const twin = world.forge({ generation: generation(), bundles: [] });
    await world.publish(topic(), twin);
    const digest = sha256Hex(twin);
    const said = await world.said(
      'Equivocation',
      ({ lastRefusal }) => lastRefusal?.digest === digest,
    );
    assert.equal(said.lastRefusal?.code, 'Equivocation');
    const line =
      world
        .log()
        .split('\n')
        .findLast(text => text.includes('Equivocation')) ?? '';
    assert.equal((line.match(/[0-9a-f]{64}/g) ?? []).length >= 2, true, line);
    await world.acceptsNext();
  });

  test('S24: another bundle under a known number fails, both digests reported', async () => {
    const shop = world.assignment?.bundles[0];
    const other = bundle(shop?.revision ?? 0, 0, { issued: iso(Date.now()) });
    await publishBundle(other);
    const containers = containersOf(world.dataDir);
    const bundles = world.assignment?.bundles ?? [];
    await world.acceptsNext({ bundles: [assigned(other)] });
    const said = await world.said(
      'Equivocation',
      ({ bundles: [one] }) => one?.reason === 'Equivocation',
    );
    assert.ok(said.bundles[0]?.message.includes(shop?.digest ?? '-'), said.bundles[0]?.message);
    assert.ok(said.bundles[0]?.message.includes(sha256Hex(canonicalJson(other))));
    assert.deepEqual(containersOf(world.dataDir), containers);
    await world.acceptsNext({ bundles });
  });

  test('S37: a bundle for other hardware fails alone: Unsupported', async () => {
    const bundles = world.assignment?.bundles ?? [];
    const requires = { arch: ['s390x'], hardware: [], minAgent: null };
    const other = bundle(20, 0, { requires });
    await publishBundle(other);
    const containers = containersOf(world.dataDir);
    await world.acceptsNext({ bundles: [assigned(other)] });
    await world.said('Unsupported', ({ bundles: [one] }) => one?.reason === 'Unsupported');
    assert.deepEqual(containersOf(world.dataDir), containers);
    await world.acceptsNext({ bundles });
  });

  test('S25: a bundle whose blob does not come waits alone, the other runs', async () => {
    const bundles = world.assignment?.bundles ?? [];
    const missing = bundle(1, 0, { name: 'late' });
    await world.acceptsNext({ bundles: [...bundles, assigned(missing)] });
    const containers = containersOf(world.dataDir);
    await world.said('late waits', ({ bundles: all }) =>
      ['staged', 'waiting'].includes(all.find(({ name }) => name === 'late')?.state ?? ''),
    );
    assert.deepEqual(containersOf(world.dataDir), containers);
    await world.acceptsNext({ bundles });
  });

  test('S71: duplicates and reorders, 11, 12, 12, 11: one apply of 12', async () => {
    const first = generation() + 1;
    const now = { issued: iso(Date.now()), notAfter: iso(Date.now() + DAY) };
    const [one, two] = [
      world.forge({ ...now, generation: first }),
      world.forge({ ...now, generation: first + 1 }),
    ];
    const containers = containersOf(world.dataDir);
    for (const payload of [one, two, two, one]) await world.publish(topic(), payload);
    await eventually('the later is accepted', () => generation() === first + 1);
    assert.deepEqual(containersOf(world.dataDir), containers);
    assert.equal(world.log().split(`generation=${first + 1} `).length, 2);
    await world.acceptsNext();
  });

  describe('S33: an older journal', () => {
    const save = (name: string) => world.play.path(`kept-${name}`);
    const fresh = async (from: number, reason: string) => {
      await world.said(
        'JournalReset',
        ({ conditions }) => {
          return conditions.some(c => c.type === 'JournalReset' && c.reason === reason);
        },
        from,
      );
      const containers = containersOf(world.dataDir);
      const request = await eventually('it asks for a fresh one', () =>
        world.requests.findLast(({ want, journal }) => {
          return (
            want === 'assignment' && journal === world.statuses[world.statuses.length - 1]?.journal
          );
        }),
      );
      const next = (world.assignment?.generation ?? 0) + 10;
      await world.assign({
        generation: next,
        issued: iso(Date.now()),
        notAfter: iso(Date.now() + DAY),
      });
      await world.said('NotFresh', ({ lastRefusal }) => lastRefusal?.code === 'NotFresh', from);
      await world.acceptsNonce(next + 1, request.nonce);
      await world.said(
        'no reset',
        ({ conditions }) => {
          return conditions.every(({ type }) => type !== 'JournalReset');
        },
        from + 1,
      );
      assert.deepEqual(containersOf(world.dataDir), containers);
    };

    test('put back: only what answers its nonce is accepted; pods run', async () => {
      await world.play.kill(NODE, 'SIGKILL');
      const files = JOURNAL.filter(name => existsSync(join(world.dataDir, name)));
      for (const name of files) copyFileSync(join(world.dataDir, name), save(name));
      await restart();
      await world.acceptsNext();
      await world.play.kill(NODE, 'SIGKILL');
      for (const name of JOURNAL.slice(0, 3)) {
        rmSync(join(world.dataDir, name), { force: true });
        if (existsSync(save(name))) copyFileSync(save(name), join(world.dataDir, name));
      }
      await fresh(await restart(), 'PutBack');
    });

    test('deleted: the same', async () => {
      await world.play.kill(NODE, 'SIGKILL');
      for (const name of JOURNAL.slice(0, 3)) rmSync(join(world.dataDir, name), { force: true });
      const from = world.statuses.length;
      world.play.startAgentIn({}, NODE);
      await fresh(from, 'Lost');
    });
  });

  describe('a wrong clock', { skip: noFakedClock() }, () => {
    test('S28: 1970: pods run, what is past by the floor is Expired, what is not is accepted', async () => {
      world.answersTime(null);
      const containers = containersOf(world.dataDir);
      const clock = fakedClock(world.play.path('clock'), 600_000);
      const from = await restart(clock.env);
      const status = await world.said('floor', one => one.clock === 'floor', from);
      assert.ok(Date.parse(status.at) > Date.parse(world.assignment?.issued ?? ''), status.at);
      assert.ok(status.conditions.some(({ reason }) => reason === 'BelowFloor'));
      await refusedWholly(world, {
        code: 'Expired',
        does: () => {
          const notAfter = iso(Date.parse(world.assignment?.issued ?? '') - DAY);
          return world.assign({ generation: generation() + 1, notAfter });
        },
      });
      assert.deepEqual(containersOf(world.dataDir), containers);
    });

    test('S28: once the hub tells the time, times are corrected', async () => {
      world.answersTime(() => Date.now());
      const from = world.statuses.length;
      const request = await eventually('it asks', () =>
        world.requests.findLast(r => r.want === 'time'),
      );
      await world.tellTime(request.nonce, Date.now());
      const status = await world.said('synced', one => one.clock === 'synced', from);
      assert.ok(Math.abs(Date.parse(status.at) - Date.now()) < DAY);
      assert.ok((status.clockOffset ?? 0) > 50 * 365 * DAY);
      assert.ok(status.conditions.some(({ reason }) => reason === 'DiffersFromHub'));
      const { hub } = await world.status<AgentStatus>();
      assert.equal(hub?.clock, 'synced');
    });

    test('S29: 2099: pods run; Expired until the hub tells the time, then accepted; nothing sticks', async () => {
      world.answersTime(null);
      const containers = containersOf(world.dataDir);
      const clock = fakedClock(world.play.path('clock'), YEAR_2099);
      const from = await restart(clock.env);
      await world.said('suspect', one => one.clock === 'suspect', from);
      const next = generation() + 1;
      const good = { generation: next, issued: iso(Date.now()), notAfter: iso(Date.now() + DAY) };
      await world.assign(good);
      await world.said('Expired', ({ lastRefusal }) => lastRefusal?.code === 'Expired', from);
      assert.deepEqual(containersOf(world.dataDir), containers);
      const request = await eventually('it asks', () =>
        world.requests.findLast(r => r.want === 'time'),
      );
      await world.tellTime(request.nonce, Date.now());
      await eventually('the same is accepted now', () => generation() === next);
      clock.set(null);
      await world.acceptsNext();
      const back = await restart();
      const right = await world.said('the right time', one => one.clock === 'floor', back);
      assert.ok(Math.abs(Date.parse(right.at) - Date.now()) < DAY, right.at);
      assert.deepEqual(containersOf(world.dataDir), containers);
      await world.acceptsNext();
    });

    test('S31: a stolen hub key says 2099: pods run; the next honest answer mends it', async () => {
      const containers = containersOf(world.dataDir);
      const ask = () =>
        eventually('it asks', () => world.requests.findLast(r => r.want === 'time'));
      await world.tellTime((await ask()).nonce, YEAR_2099);
      await world.said('2099', ({ at }) => Date.parse(at) >= YEAR_2099);
      await world.assign({
        generation: generation() + 1,
        issued: iso(Date.now()),
        notAfter: iso(Date.now() + DAY),
      });
      await world.said('Expired', ({ lastRefusal }) => lastRefusal?.code === 'Expired');
      world.answersTime(() => Date.now());
      const from = await restart();
      await world.said('the right time', one => one.clock === 'synced', from);
      await world.acceptsNext();
      assert.deepEqual(containersOf(world.dataDir), containers);
      assert.equal(
        readFileSync(join(world.dataDir, 'journal.floors.json'), 'utf8').includes('2099'),
        false,
      );
    });
  });
});
