/**
 * The URL as a source of pods, as a person at the node sees it: a server that answers, breaks, goes away and comes back.
 * Each test names the row of the kubelet's behaviour that it covers; "better" where the kubelet is weak.
 */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { BlackBox, container, NODE, pod } from '../../support/black-box.js';
import { noEngine } from '../../support/docker.js';
import { freePort } from '../../support/ports.js';
import { eventually } from '../../support/wait.js';

const list = (...items: object[]) => ({ apiVersion: 'v1', kind: 'PodList', items });

describe('the URL, black box', { skip: noEngine() }, () => {
  const box = new BlackBox();
  const requests: IncomingMessage[] = [];
  let answer: { status: number; body: unknown } = { status: 200, body: pod('web') };
  const server = createServer((request, response) => {
    requests.push(request);
    response.writeHead(answer.status);
    const { body } = answer;
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  const listen = (port: number) =>
    new Promise<void>(done => server.listen(port, '127.0.0.1', () => done()));
  const close = () => {
    server.closeAllConnections();
    return new Promise<void>(done => server.close(() => done()));
  };
  let port = 0;
  const serve = (body: unknown, status = 200) => (answer = { status, body });
  const told = (wanted: RegExp) =>
    eventually(`told: ${String(wanted)}`, async () =>
      (await box.conditions('StaticPodURL')).some(one => wanted.test(one)),
    );
  const idOf = (name: string) => box.running(name, 'app').Id;

  before(async () => {
    port = await freePort();
    await listen(port);
    box.configure({
      staticPodURL: `http://127.0.0.1:${port}/pods?token=hunter2`,
      staticPodURLHeader: { 'X-Key': ['hunter2', 'hunter3'] },
      httpCheckFrequency: '1s',
    });
    await box.start();
    await box.ready('web');
  });
  after(async () => {
    await box.close();
    await close();
  });

  test('rows 32, 33, 34: a Pod is polled for with all header values, and runs as one of `http`', async () => {
    assert.deepEqual(requests[0]?.headersDistinct['x-key'], ['hunter2', 'hunter3']);
    const annotations = (await box.pod('web'))?.metadata?.annotations ?? {};
    assert.equal(annotations['kubernetes.io/config.source'], 'http');
  });

  test('rows 35, 36, 38, 39 better: whatever the server says wrong, the pod stays and the cause is told', async () => {
    const id = idOf('web');
    const wrong: [unknown, number, RegExp][] = [
      ['', 500, /status 500/],
      ['', 204, /status 204/],
      ['', 200, /the answer is empty/],
      ['<html>', 200, /pods:1:1: /],
      [list(pod('web'), { metadata: {} }), 200, /metadata\.name/],
    ];
    for (const [body, status, message] of wrong) {
      serve(body, status);
      await told(message);
      const asked = requests.length;
      await eventually('two more polls', () => requests.length >= asked + 2);
      await told(message);
    }
    assert.equal(idOf('web'), id);
    serve(pod('web'));
    await told(/^http:\/\/127\.0\.0\.1:\d+\/pods$/);
    assert.equal(idOf('web'), id);
  });

  test('row 42: of one name twice in a list the first runs, with an event', async () => {
    const other = container('app', undefined, { env: [{ name: 'WHO', value: 'second' }] });
    serve(list(pod('web'), pod('two'), pod('two', [other])));
    await box.ready('two');
    assert.ok(!box.running('two', 'app').Config.Env.includes('WHO=second'));
    const events = await box.events('FailedValidation');
    assert.ok(events.some(({ message = '' }) => /two is in the answer twice/.test(message)));
    serve(list(pod('web')));
    await box.gone('two');
  });

  test('row 45: a pod that the directory has as well: the running one stays', async () => {
    const id = idOf('web');
    box.put('web.yaml', pod('web', [container('app', 'sleep 5000')]));
    await eventually('a conflict', async () => (await box.conditions('PodConflict')).length === 1);
    assert.equal(idOf('web'), id);
    box.remove('web.yaml');
    await eventually('none', async () => (await box.conditions('PodConflict')).length === 0);
    assert.equal(idOf('web'), id);
  });

  test('P12: a ConfigMap of the answer is mounted, and a change of it reaches the file', async () => {
    const map = (text: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'conf' },
      data: { text },
    });
    const volumes = [{ name: 'c', configMap: { name: 'conf' } }];
    const reads = container('app', undefined, {
      volumeMounts: [{ name: 'c', mountPath: '/c' }],
    });
    const all = (text: string) => ({
      apiVersion: 'v1',
      kind: 'List',
      items: [pod('web'), map(text), pod('reader', [reads], { volumes })],
    });
    serve(all('one'));
    await box.ready('reader');
    const id = idOf('reader');
    assert.equal(box.exec('reader', 'app', 'cat', '/c/text'), 'one');
    serve(all('two'));
    await eventually('it follows', () => box.exec('reader', 'app', 'cat', '/c/text') === 'two');
    assert.equal(idOf('reader'), id);
    serve(pod('web'));
    await box.gone('reader');
  });

  test('row 43 better: an agent that starts without the server goes on with its last good answer', async () => {
    const id = idOf('web');
    await close();
    await box.restart();
    await told(/ECONNREFUSED.*the pods of its last good answer stay/);
    assert.equal((await box.ready('web')).metadata?.name, `web-${NODE}`);
    assert.equal(idOf('web'), id);
  });

  test('row 44, P7 better: while the URL has never answered, a file’s pod still ends with its file', async () => {
    const id = idOf('web');
    await box.stop();
    rmSync(box.path('last-body.json'));
    await box.start();
    box.put('file.yaml', pod('file'));
    await box.ready('file');
    box.remove('file.yaml');
    await box.gone('file');
    assert.equal(idOf('web'), id, 'the URL may want it still');
  });

  test('row 39: a list that says that it is empty ends all pods', async () => {
    serve(list());
    await listen(port);
    await box.gone('web');
  });

  test('row 33 better: neither header values nor the query of the URL are said', async () => {
    for (const path of ['/status', '/pods', '/events', '/configz']) {
      assert.doesNotMatch((await box.get(path)).body, /hunter[23]/, path);
    }
    assert.doesNotMatch(box.log(), /hunter[23]/);
  });
});
