/** What the URL source says, answer by answer (kubelet behaviour rows 34 to 42). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  applyOutcome,
  firstUrlState,
  shownUrl,
  urlSnapshot,
  withKeptBody,
  type Outcome,
  type UrlState,
} from '../../../agent/sources/url-decide.js';

const URL = 'https://user:hunter2@host.example:8443/pods?token=hunter2';
const SHOWN = 'https://host.example:8443/pods';

const pod = (name: string, image = 'busybox:1') => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'app', image }] },
});
const list = (...items: object[]) => ({ apiVersion: 'v1', kind: 'PodList', items });

function body(
  content: string | object,
  change: { etag?: string; isPrivate?: boolean } = {},
): Outcome {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  const bytes = new TextEncoder().encode(text);
  const { etag = null, isPrivate = true } = change;
  return { is: 'body', body: { bytes, etag, lastModified: null }, isPrivate };
}
const down: Outcome = { is: 'failed', reason: 'Unreachable', message: 'connect ECONNREFUSED' };

function feed(state: UrlState, ...outcomes: Outcome[]) {
  const logs: string[] = [];
  const events: string[] = [];
  let kept = 0;
  for (const outcome of outcomes) {
    const verdict = applyOutcome(state, outcome);
    state = verdict.state;
    if (verdict.log !== null) logs.push(`${verdict.log.level} ${verdict.log.message}`);
    events.push(...verdict.events);
    if (verdict.keep !== null) kept += 1;
  }
  const { pods, objects, conditions, complete, refused } = urlSnapshot(state);
  const names = pods.map(one => one.manifest.metadata.name);
  return { state, logs, events, kept, names, objects, condition: conditions[0], complete, refused };
}
const fresh = firstUrlState(URL);
const running = feed(fresh, body(pod('web'))).state;

const forms: readonly [string, string | object, readonly string[]][] = [
  ['one Pod', pod('a'), ['a']],
  [
    'a PodList, whose items need no kind',
    list({ metadata: { name: 'a' }, spec: pod('a').spec }, pod('b')),
    ['a', 'b'],
  ],
  ['a List (done better)', { apiVersion: 'v1', kind: 'List', items: [pod('a')] }, ['a']],
  [
    'YAML',
    'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: b}]}\n',
    ['a'],
  ],
  [
    'several documents (done better)',
    `${JSON.stringify(pod('a'))}\n---\n${JSON.stringify(pod('b'))}`,
    ['a', 'b'],
  ],
];

describe('row 34: an answer may be', () => {
  for (const [says, content, names] of forms) {
    test(says, () => {
      const seen = feed(fresh, body(content));
      assert.deepEqual([seen.names, seen.complete, seen.kept], [names, true, 1]);
      assert.deepEqual(seen.condition, {
        type: 'StaticPodURL',
        status: 'True',
        reason: 'Answered',
        message: SHOWN,
      });
    });
  }

  test('an immutable ConfigMap is not changed by another answer, which is refused by name', () => {
    const map = (value: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'c' },
      immutable: true,
      data: { a: value },
    });
    const list = (value: string) => ({ apiVersion: 'v1', kind: 'List', items: [map(value)] });
    const first = applyOutcome(fresh, body(list('1'))).state;
    const { state, keep, events } = applyOutcome(first, body(list('2')));
    assert.deepEqual([state.objects, keep], [first.objects, null]);
    assert.match(
      events.join(),
      /the ConfigMap default\/c is immutable: its data cannot be changed/,
    );
    assert.deepEqual(applyOutcome(state, body(list('2'))).events, []);
    assert.equal(applyOutcome(state, body(list('1'))).state.problem, null);
  });

  test('ConfigMaps beside the pods; Secrets where nobody between can read them', () => {
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's' },
      stringData: { a: 'hunter2' },
    };
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data: { a: 'b' } };
    const all = { apiVersion: 'v1', kind: 'List', items: [pod('a'), map, secret] };
    assert.equal(feed(fresh, body(all)).objects.length, 2);
    const open = feed(fresh, body(all, { isPrivate: false }));
    assert.deepEqual([open.condition?.reason, open.names], ['SecretReadable', []]);
    assert.match(open.condition?.message ?? '', /over https/);
    assert.doesNotMatch(JSON.stringify(open), /hunter2/);
  });
});

const bads: readonly [string, Outcome, string][] = [
  ['cannot be reached', down, 'Unreachable'],
  ['is no manifest', body('<html>503</html>'), 'NotAnObject'],
  ['is cut', body(JSON.stringify(pod('web')).slice(0, 60)), 'Syntax'],
  ['has one bad item', body(list(pod('web'), { metadata: { name: 'x' } })), 'Required'],
  ['has an unknown field', body({ ...pod('web'), sepc: {} }), 'UnknownField'],
  ['is empty (row 39 better)', body(''), 'Empty'],
  ['is white space (row 39 better)', body(' \n---\n# nothing\n'), 'Empty'],
  [
    'is an empty list of another kind',
    body({ apiVersion: 'apps/v1', kind: 'DeploymentList', items: [] }),
    'Empty',
  ],
  ['is a list without items', body({ apiVersion: 'v1', kind: 'PodList' }), 'UnsupportedKind'],
];

describe('row 36: the old pods stay when the answer', () => {
  for (const [says, bad, reason] of bads) {
    test(says, () => {
      const seen = feed(running, bad);
      assert.deepEqual([seen.names, seen.kept, seen.complete], [['web'], 0, true]);
      assert.equal(seen.condition?.status, 'False');
      assert.equal(seen.condition.reason, reason);
      assert.match(
        seen.condition.message,
        /^https:\/\/host\.example:8443\/pods.*last good answer stay/,
      );
      assert.doesNotMatch(JSON.stringify(seen), /hunter2/);
    });
  }

  test('row 38 better: a bad answer stays reported, however often it comes, with one event', () => {
    const bad = body(list({ metadata: { name: 'x' } }));
    const seen = feed(running, bad, bad, bad);
    assert.equal(seen.condition?.status, 'False');
    assert.equal(seen.events.length, 1);
    assert.deepEqual(
      seen.refused.map(({ name }) => name),
      ['x'],
    );
    assert.equal(urlSnapshot(seen.state).pods[0]?.refusedEdit?.reason, 'Required');
    assert.equal(urlSnapshot(feed(running, down).state).pods[0]?.refusedEdit, undefined);
    const mended = feed(seen.state, body(pod('web')));
    assert.equal(urlSnapshot(mended.state).pods[0]?.refusedEdit, undefined);
    assert.deepEqual([mended.condition?.status, mended.kept, mended.refused], ['True', 0, []]);
  });

  test('never known, a bad answer is none', () => {
    assert.equal(feed(fresh, body('bad'), down).complete, false);
  });
});

test('row 39: a list that says that it is empty ends all pods', () => {
  for (const items of [[], null]) {
    const seen = feed(running, body({ apiVersion: 'v1', kind: 'PodList', items }));
    assert.deepEqual([seen.names, seen.complete, seen.condition?.status], [[], true, 'True']);
  }
});

test('row 37: the same answer again changes and writes nothing', () => {
  const again = feed(running, body(pod('web')), body(pod('web'), { etag: '"2"' }));
  assert.equal(again.kept, 0);
  assert.equal(again.state.pods, running.pods);
  assert.equal(again.state.validators.etag, '"2"');
});

test('P23: 304 is the last good answer, and clears what was wrong in between', () => {
  const seen = feed(feed(running, body('bad')).state, { is: 'unchanged' });
  assert.deepEqual([seen.names, seen.condition?.status], [['web'], 'True']);
});

test('row 40: three failures are logged, the fourth says that it goes quiet, then nothing until it works', () => {
  const seen = feed(running, down, down, down, down, down, down, body(pod('web')), down);
  assert.equal(seen.logs.length, 6);
  assert.match(seen.logs[3] ?? '', /not said again/);
  assert.deepEqual(
    seen.logs.map(line => line.split(' ')[0]),
    ['warn', 'warn', 'warn', 'warn', 'info', 'warn'],
  );
});

test('row 42: of one name twice the first counts, with an event', () => {
  const seen = feed(fresh, body(list(pod('a', 'one:1'), pod('a', 'two:1'), pod('b'))));
  assert.deepEqual(seen.names, ['a', 'b']);
  assert.equal(seen.state.pods[0]?.manifest.spec.containers[0]?.image, 'one:1');
  assert.equal(seen.events.length, 1);
  assert.match(seen.events[0] ?? '', /default\/a is in the answer twice; the first one counts/);
});

test('row 43 better: a kept answer is known at the start, though its server is away', () => {
  const bytes = new TextEncoder().encode(JSON.stringify(pod('web')));
  const state = withKeptBody(fresh, { bytes, etag: '"1"', lastModified: null });
  const seen = feed(state, down);
  assert.deepEqual([seen.names, seen.complete, seen.condition?.status], [['web'], true, 'False']);
  assert.equal(feed(state, { is: 'unchanged' }).condition?.status, 'True');
});

test('a kept answer that no longer parses is none', () => {
  const kept = { bytes: new TextEncoder().encode('bad'), etag: null, lastModified: null };
  assert.equal(withKeptBody(fresh, kept).complete, false);
});

test('row 33 better: a URL is shown without credentials and query', () => {
  assert.equal(shownUrl(URL), SHOWN);
});
