/** A journal whose history was written anew as a whole, chain included: the node starts on it, the hub notices. Real hub and agent. */
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { NOTHING, rowHash, type ChainedRow } from '../../agent/journal/chain.js';
import { freePort } from '../support/ports.js';
import { Playground } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const NODE = 'edge-1';

interface NodeView {
  readonly status: {
    readonly conditions: readonly { type: string; status: string; message: string }[];
    readonly flotilla: {
      readonly journal: string;
      readonly history?: { readonly row: number };
      readonly said?: { readonly history: { readonly row: number; readonly head: string } };
    };
  };
}

describe('a history that was written anew', () => {
  const play = new Playground();
  const view = () => play.json<NodeView>('get', 'node', NODE);
  const intact = async () =>
    (await view()).status.conditions.find(({ type }) => type === 'JournalIntact');
  const heard = () =>
    eventually('the hub heard of history', async () => {
      const { said } = (await view()).status.flotilla;
      return said !== undefined && said.history.row >= 2 ? said.history : undefined;
    });

  /** Row 2 happened a second earlier; all that follows is chained anew. */
  const rewrite = () => {
    const db = new Database(play.path(NODE, 'journal.db'));
    db.exec('UPDATE history SET at = at - 1000 WHERE n = 2');
    let prev = NOTHING;
    for (const row of db.prepare('SELECT * FROM history ORDER BY n').all() as ChainedRow[]) {
      const hash = rowHash({ ...row, prev });
      db.prepare('UPDATE history SET prev = ?, hash = ? WHERE n = ?').run(prev, hash, row.n);
      prev = hash;
    }
    db.close();
  };

  before(async () => {
    const [api, mqtt] = [await freePort(), await freePort()];
    const listen = ['--listen', `127.0.0.1:${api}`, '--mqtt-listen', `127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    play.startHub();
    await play.hubAnswers();
    await play.join(NODE);
    await heard();
  });
  after(() => play.close());

  test('that goes on over a restart of the agent is intact, and its head is found at the device', async () => {
    const { journal } = (await view()).status.flotilla;
    const earlier = await heard();
    await play.kill(NODE, 'SIGKILL');
    play.startAgent(NODE);
    const pod = play.write('app.json', neverPulled());
    await play.ok('apply', '-f', pod, '--all-nodes');
    await eventually('a later row', async () => (await heard()).row > earlier.row);
    assert.equal(await intact(), undefined);
    assert.equal((await view()).status.flotilla.journal, journal);
    const [, head = ''] =
      /head ([0-9a-f]{64})$/m.exec(await play.ok('describe', 'node', NODE)) ?? [];
    const where = ['--data-dir', play.path(NODE)];
    const verified = await play.agent('journal', 'verify', '--head', head, ...where);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  });

  test('is noticed by the hub after the next start, with an event, and named at the device by the old head', async () => {
    const { head } = await heard();
    await play.kill(NODE, 'SIGKILL');
    rewrite();
    play.startAgent(NODE);
    const said = await eventually('the hub says it', intact, { withinMs: 60_000 });
    assert.equal(said.status, 'False');
    assert.match(said.message, /^row \d+ is another one than before$/);
    const events = await play.ok('get', 'events');
    assert.match(events, /HistoryRewritten .*The journal of this node was rewritten: row/);
    const where = ['--data-dir', play.path(NODE)];
    assert.equal((await play.agent('journal', 'verify', ...where)).code, 0);
    const verified = await play.agent('journal', 'verify', '--head', head, ...where);
    assert.equal(verified.code, 1);
    assert.match(verified.stdout, /^history: no row has the hash/);
  });

  test('is noticed too when its end was cut off and it went on from there', async () => {
    await play.kill(NODE, 'SIGKILL');
    // A journal that was begun anew is heard of first.
    for (const file of ['journal.db', 'journal.db-wal', 'journal.db-shm', 'journal.floors.json']) {
      rmSync(play.path(NODE, file), { force: true });
    }
    const former = (await view()).status.flotilla.journal;
    play.startAgent(NODE);
    // Of the rows after this one the node was told nothing yet: without those it would be as it was before.
    const told = await eventually('the hub hears of the new journal', async () => {
      const { journal, history } = (await view()).status.flotilla;
      return journal !== former && history !== undefined && history.row >= 3 && history.row;
    });
    assert.equal(await intact(), undefined);
    await play.kill(NODE, 'SIGKILL');
    const db = new Database(play.path(NODE, 'journal.db'));
    const last = db.prepare('SELECT max(n) FROM history').pluck().get() as number;
    db.prepare('DELETE FROM history WHERE n >= ?').run(told);
    const { entry, hash } = db
      .prepare('SELECT entry, hash FROM history ORDER BY n DESC LIMIT 1')
      .get() as ChainedRow;
    // Rows of its own, one more than there were: its number is above what was heard of.
    let prev = hash;
    for (let n = told; n <= last + 1; n++) {
      const next = rowHash({ at: n, entry, prev });
      const sql = 'INSERT INTO history (n, at, entry, prev, hash) VALUES (?, ?, ?, ?, ?)';
      db.prepare(sql).run(n, n, entry, prev, next);
      prev = next;
    }
    db.close();
    play.startAgent(NODE);
    const said = await eventually('the hub says it', intact, { withinMs: 60_000 });
    assert.match(said.message, /^row \d+ is another one than before$/);
  });
});

/** Its assignment is accepted; it is not started. */
function neverPulled(): string {
  const containers = [{ name: 'app', image: 'localhost:1/none:1', imagePullPolicy: 'Never' }];
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'app' },
    spec: { containers },
  });
}
