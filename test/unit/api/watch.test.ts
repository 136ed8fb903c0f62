import assert from 'node:assert/strict';
import { request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import type { Clock } from '../../../protocol/ports.js';
import { at, listAt, startFixture, type Fixture } from '../../support/api-server.js';
import { HUB, node, pod, put } from '../../support/api-objects.js';

const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };
const ALL = '/api/v1/pods';

/** A clock that stands still until it is moved. */
class ManualClock implements Clock {
  #now = Date.parse('2026-01-02T00:00:00Z');
  readonly #sleepers = new Set<{ readonly until: number; readonly wake: () => void }>();

  now(): number {
    return this.#now;
  }
  monotonic(): number {
    return this.#now;
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const sleeper = {
        until: this.#now + ms,
        wake: () => {
          this.#sleepers.delete(sleeper);
          signal?.removeEventListener('abort', sleeper.wake);
          resolve();
        },
      };
      if (signal?.aborted) {
        resolve();
        return;
      }
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', sleeper.wake);
    });
  }
  /** How many sleep for exactly this long from now. */
  sleeping(ms: number): number {
    return [...this.#sleepers].filter(sleeper => sleeper.until === this.#now + ms).length;
  }
  move(ms: number): void {
    this.#now += ms;
    for (const sleeper of [...this.#sleepers]) if (sleeper.until <= this.#now) sleeper.wake();
  }
}

const clock = new ManualClock();
let fixture: Fixture;

before(async () => {
  fixture = await startFixture(clock);
});
after(() => fixture.close());

async function version(): Promise<string> {
  const { body } = await fixture.call('/api/v1/nodes');
  return String(at(body, 'metadata.resourceVersion'));
}

async function take(lines: AsyncGenerator<unknown>, count: number): Promise<readonly unknown[]> {
  const taken: unknown[] = [];
  while (taken.length < count) {
    const next = await lines.next();
    if (next.done) throw new Error(`the watch ended after ${taken.length} of ${count} lines`);
    taken.push(next.value);
  }
  return taken;
}

function brief(line: unknown): string {
  return `${String(at(line, 'type'))} ${String(at(line, 'object.metadata.name'))}`;
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never came true: ${String(condition)}`);
    await setImmediate();
  }
}

/** An open watch whose body nobody reads yet. */
function open(path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { api, authority, admin } = fixture;
    const settings = { host: '127.0.0.1', port: api.port, path, agent: false };
    const outgoing = request({ ...settings, ca: authority.cert, ...admin });
    outgoing.on('response', resolve).on('error', reject);
    outgoing.end();
  });
}

describe('a watch', { timeout: 60_000 }, () => {
  test('without a version begins with what is there, then goes on', async () => {
    await fixture.store.commit(HUB, [put(pod('a', { namespace: 'begin' }))]);
    const lines = fixture.watch('/api/v1/namespaces/begin/pods?watch=1');
    assert.deepEqual((await take(lines, 1)).map(brief), ['ADDED a']);
    await fixture.store.commit(HUB, [put(pod('b', { namespace: 'begin' }))]);
    assert.deepEqual((await take(lines, 1)).map(brief), ['ADDED b']);
    await lines.return(undefined);
  });

  test('with a version tells only what came after it, in its namespace', async () => {
    await fixture.store.commit(HUB, [put(pod('old', { namespace: 'after' }))]);
    const from = await version();
    await fixture.store.commit(HUB, [
      put(pod('elsewhere', { namespace: 'other' })),
      put(pod('old', { namespace: 'after', labels: { new: 'label' } })),
      put(pod('young', { namespace: 'after' })),
      { type: 'delete', kind: 'Pod', namespace: 'after', name: 'old' },
    ]);
    const path = `/api/v1/namespaces/after/pods?watch=true&resourceVersion=${from}`;
    const lines = await take(fixture.watch(path), 3);
    assert.deepEqual(lines.map(brief), ['MODIFIED old', 'ADDED young', 'DELETED old']);
    const versions = lines.map(line => Number(at(line, 'object.metadata.resourceVersion')));
    assert.deepEqual(
      versions,
      [...versions].sort((a, b) => a - b),
    );
    assert.ok(versions.every(v => v > Number(from)));
  });

  test('tells who leaves and who enters the selector', async () => {
    const from = await version();
    for (const labels of [{ app: 'web' }, { app: 'db' }, { app: 'web' }]) {
      await fixture.store.commit(HUB, [put(pod('turn', { labels }))]);
    }
    const path = `${ALL}?watch=true&resourceVersion=${from}&labelSelector=app%3Dweb`;
    const lines = await take(fixture.watch(path), 3);
    assert.deepEqual(lines.map(brief), ['ADDED turn', 'DELETED turn', 'ADDED turn']);
  });

  test('gives its headers at once, though nothing is there', async () => {
    const response = await open('/api/v1/namespaces/nothing/pods?watch=true');
    assert.equal(response.statusCode, 200);
    response.destroy();
  });

  test('as a Table has one row in each event, and columns in the first', async () => {
    const from = await version();
    await fixture.store.commit(HUB, [put(node('t1')), put(node('t2'))]);
    const path = `/api/v1/nodes?watch=true&resourceVersion=${from}`;
    const [first, second] = await take(fixture.watch(path, { headers: TABLE }), 2);
    assert.equal(at(first, 'object.kind'), 'Table');
    assert.equal(at(first, 'object.columnDefinitions.0.name'), 'Name');
    assert.equal(at(first, 'object.rows.0.cells.0'), 't1');
    assert.deepEqual(listAt(second, 'object.columnDefinitions'), []);
    assert.equal(at(second, 'object.rows.0.cells.0'), 't2');
  });

  test('from before the kept history is an ERROR event, 410', async () => {
    await fixture.store.commit(HUB, [put(pod('first'))]);
    const many = (round: number) =>
      Array.from({ length: 2600 }, (_, n) =>
        put(pod(`m${n}`, { namespace: 'history', labels: { round: `r${round}` } })),
      );
    const from = await version();
    for (let round = 0; round < 4; round++) await fixture.store.commit(HUB, many(round));
    const lines: unknown[] = [];
    const path = `${ALL}?watch=true&resourceVersion=${from}`;
    for await (const line of fixture.watch(path)) lines.push(line);
    assert.equal(lines.length, 1);
    assert.equal(at(lines[0], 'type'), 'ERROR');
    assert.equal(at(lines[0], 'object.kind'), 'Status');
    assert.equal(at(lines[0], 'object.code'), 410);
    assert.equal(at(lines[0], 'object.reason'), 'Expired');
  });

  test('from a version that is still to come is refused with 410', async () => {
    const reply = await fixture.call(`${ALL}?watch=true&resourceVersion=99999999999`);
    assert.equal(reply.code, 410);
    assert.equal(at(reply.body, 'reason'), 'Expired');
  });

  test('with bad words in its query is refused', async () => {
    for (const query of ['timeoutSeconds=soon', 'resourceVersion=x', 'labelSelector=%3D']) {
      assert.equal((await fixture.call(`${ALL}?watch=true&${query}`)).code, 400, query);
    }
  });

  test('ends after timeoutSeconds', async () => {
    const lines = fixture.watch('/api/v1/namespaces/none/pods?watch=true&timeoutSeconds=7');
    const next = lines.next();
    await until(() => clock.sleeping(7_000) === 1);
    clock.move(7_000);
    assert.equal((await next).done, true);
  });

  test('sends a bookmark each minute to those who allow it', async () => {
    const from = await version();
    const query = `watch=true&allowWatchBookmarks=true&resourceVersion=${from}`;
    const lines = fixture.watch(`/api/v1/namespaces/quiet/pods?${query}`);
    const next = lines.next();
    await until(() => clock.sleeping(60_000) === 1);
    // Not in the selection: no event, but a bookmark may go past it.
    await fixture.store.commit(HUB, [put(pod('loud', { namespace: 'loud' }))]);
    const now = await version();
    clock.move(60_000);
    const line = (await next).value as unknown;
    assert.equal(at(line, 'type'), 'BOOKMARK');
    assert.equal(at(line, 'object.kind'), 'Pod');
    assert.equal(at(line, 'object.metadata.resourceVersion'), now);
    const second = lines.next();
    await until(() => clock.sleeping(60_000) === 1);
    clock.move(60_000);
    assert.equal(at((await second).value, 'type'), 'BOOKMARK');
    await lines.return(undefined);
  });

  test('with sendInitialEvents marks the end of the beginning', async () => {
    await fixture.store.commit(HUB, [put(pod('x', { namespace: 'initial' }))]);
    const query = 'watch=true&sendInitialEvents=true&allowWatchBookmarks=true';
    const lines = fixture.watch(`/api/v1/namespaces/initial/pods?${query}`);
    const [added, bookmark] = await take(lines, 2);
    assert.equal(brief(added), 'ADDED x');
    assert.deepEqual(at(bookmark, 'object.metadata.annotations'), {
      'k8s.io/initial-events-end': 'true',
    });
    await lines.return(undefined);
  });

  test('that is not read is cut off after half a minute, and holds up nobody', async () => {
    const from = await version();
    const path = `/api/v1/namespaces/flood/pods?watch=true&resourceVersion=${from}`;
    const response = await open(path);
    const closed = new Promise<void>(resolve => {
      response.on('error', () => undefined);
      response.on('close', resolve);
    });
    const text = 'x'.repeat(200_000);
    const large = (n: number) => {
      const { metadata, ...rest } = pod(`large${n}`, { namespace: 'flood' });
      return put({ ...rest, metadata: { ...metadata, annotations: { text } } });
    };
    // More than the buffers of two sockets take.
    for (let n = 0; n < 150 && clock.sleeping(30_000) === 0; n++) {
      await fixture.store.commit(HUB, [large(n)]);
    }
    await until(() => clock.sleeping(30_000) === 1);
    const reply = await fixture.call('/api/v1/namespaces/flood/pods/large0');
    assert.equal(reply.code, 200);
    clock.move(30_000);
    response.resume();
    await closed;
    assert.equal(response.complete, false);
  });

  test('ends when the server closes', async () => {
    const own = await startFixture();
    const lines = own.watch('/api/v1/pods?watch=true');
    const next = lines.next();
    await own.store.commit(HUB, [put(pod('last'))]);
    assert.equal(brief((await next).value), 'ADDED last');
    const ended = lines.next();
    await own.close();
    assert.equal((await ended).done, true);
  });
});
