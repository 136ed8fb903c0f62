/** A node that comes back after a year with more events than it keeps: real hub and agent, the agent killed again on the way. */
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { after, before, describe, test } from 'node:test';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const NODE = 'edge-1';
const GATHERED = 12_000;
/** Nine tenths of what an outbox holds, but for those that the start itself adds. */
const KEPT = 8_900;
const YEAR_MS = 365 * 86_400_000;
const REASONS = ['Started', 'Pulled', 'BackOff'];

interface EventItem {
  readonly reason: string;
  readonly message: string;
  readonly flotilla: { readonly n: number; readonly node: string };
}

interface NodeView {
  readonly status: {
    readonly flotilla: { readonly said?: { readonly boot: number } };
  };
}

describe('after a year away', () => {
  const play = new Playground();
  const boot = async () =>
    (await play.json<NodeView>('get', 'node', NODE)).status.flotilla.said?.boot ?? 0;
  const told = async () => {
    const { items } = await play.json<{ items: EventItem[] }>('get', 'events', '-A');
    return items.filter(({ flotilla }) => flotilla.node === NODE && flotilla.n > 0);
  };
  const waiting = async () => {
    const { stdout } = await play.agent('status', '--data-dir', play.path(NODE), '-o', 'json');
    return (JSON.parse(stdout) as { journal: { unconfirmedEvents: number } }).journal
      .unconfirmedEvents;
  };

  /** What the agent would have recorded, had it been alone for a year. Number of the newest. */
  const gather = (): number => {
    const db = new Database(play.path(NODE, 'journal.db'));
    const insert = db.prepare('INSERT INTO events (at, event) VALUES (?, ?)');
    const involved = { kind: 'Pod', namespace: 'default', name: 'web', uid: '1', fieldPath: '' };
    const began = Date.now() - YEAR_MS;
    const newest = db.transaction(() => {
      let n: number | bigint = 0;
      for (let i = 0; i < GATHERED; i++) {
        const event = {
          ...{
            type: 'Normal',
            reason: REASONS[i % 3],
            message: `the ${i}th of the year`,
            involved,
          },
        };
        const at = began + Math.floor((i / GATHERED) * YEAR_MS);
        n = insert.run(at, JSON.stringify(event)).lastInsertRowid;
      }
      return Number(n);
    })();
    db.close();
    return newest;
  };

  before(async () => {
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    play.startHub();
    await play.hubAnswers();
    await play.joinWith(NODE, ['--runtime', 'none']);
    await eventually('a status', async () => (await boot()) > 0);
    await eventually('an empty outbox', async () => (await waiting()) === 0);
  });
  after(() => play.close());

  test('the newest status comes first, then what was kept: in order, each once, over a kill -9', async () => {
    const before = await boot();
    await play.kill(NODE, 'SIGKILL');
    const newest = gather();
    play.startAgent(NODE, '--runtime', 'none');
    await eventually('the status of this start', async () => (await boot()) === before + 1);
    const atStatus = (await told()).length;
    assert.ok(atStatus < 9_000, `${atStatus} events came before the status was there`);
    await play.kill(NODE, 'SIGKILL');
    play.startAgent(NODE, '--runtime', 'none');
    await eventually('the status of the next start', async () => (await boot()) === before + 2);
    const settled = async () => (await waiting()) === 0;
    await eventually('an empty outbox', settled, { withinMs: 120_000 });

    const numbers = (await told()).map(({ flotilla }) => flotilla.n).sort((a, b) => a - b);
    assert.deepEqual(
      numbers.filter(n => n > newest - KEPT && n <= newest),
      Array.from({ length: KEPT }, (_, i) => newest - KEPT + 1 + i),
      'without a gap or a double',
    );
  });

  test('what there was no room for is counted, with kinds and span, and the hub says so', async () => {
    const events = await told();
    const dropped = events.filter(({ reason }) => reason === 'EventsDropped');
    assert.equal(dropped.length, 1);
    assert.match(dropped[0]?.message ?? '', /^3\d\d\d events from 20\S+Z to 20\S+Z by this node's/);
    for (const reason of REASONS)
      assert.match(dropped[0]?.message ?? '', new RegExp(`\\d+ ${reason}`));
    const lost = await play.ok('get', 'events', '-A');
    assert.match(lost, /EventsLost/);
  });
});
