/**
 * A pod that wants to know whether its node is connected, on real parts: Docker, Mosquitto, hub and agent as processes. The hub dies while
 * the broker lives, is stopped, comes back; the cable is pulled; the agent ends and is killed. The pod reads it in its file, and is never
 * touched.
 */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { docker, ensureTestImage, noEngine, TEST_IMAGE, runningOf } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { askAgent, cableTo, Playground, writeMosquitto, type Cable } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const MOSQUITTO = '/usr/sbin/mosquitto';
const NODE = 'edge-1';
/** Killed programs close their connections: the broker tells at once. */
const SOON = { withinMs: 15_000 };
/** A hub that stands still is noticed by its broker after 45 s. */
const STALLED = { withinMs: 75_000 };

function pod(name: string): string {
  const items = ['connected', 'connected-since'].map(path => {
    return { path, fieldRef: { fieldPath: `metadata.annotations['flotilla.dev/${path}']` } };
  });
  const app = {
    ...{ name: 'app', image: TEST_IMAGE },
    command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done'],
    volumeMounts: [{ name: 'hub', mountPath: '/hub' }],
  };
  const spec = {
    terminationGracePeriodSeconds: 1,
    volumes: [{ name: 'hub', downwardAPI: { items } }],
    containers: [app],
  };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec });
}

const isMissing = existsSync(MOSQUITTO) ? false : 'Mosquitto is not installed';

describe('a pod that wants to know', { skip: noEngine() || isMissing }, () => {
  const play = new Playground();
  let cable: Cable;
  let container = '';

  const appOf = (name: string, agent: string) =>
    runningOf(play.path(agent), { container: 'app', pod: name });
  const read = (path: string) => docker('exec', container, 'cat', `/hub/${path}`);
  const reads = (word: string, how = SOON) =>
    eventually(
      `the pod reads ${word}`,
      () => {
        const found = read('connected');
        if (found === word) return true;
        throw new Error(found);
      },
      how,
    );
  const status = async (agent = NODE) =>
    JSON.parse(await askAgent(play.path(agent, 'agent.sock'), '/status')) as {
      connection: { connected: boolean; since: string; reason: string };
      hub: { connected: boolean } | null;
    };
  const isTold = (reason: string, how = SOON) =>
    eventually(
      `the status says ${reason}`,
      async () => {
        const { reason: told } = (await status()).connection;
        if (told === reason) return true;
        throw new Error(told);
      },
      how,
    );
  const startHub = async () => {
    play.startHub();
    await play.hubAnswers();
  };

  before(async () => {
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    cable = await cableTo(mqtt);
    const listen = ['--listen', `127.0.0.1:${api}`, '--broker', `mqtts://127.0.0.1:${cable.port}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    const conf = await writeMosquitto(play, mqtt);
    play.start('mosquitto', MOSQUITTO, ['-c', conf]);
    await startHub();
    await play.join(NODE);
    play.write('web/web.json', pod('web'));
    await play.ok('apply', '-f', play.path('web'), '--all-nodes', '--min-ready', '1s', '--wait');
    container = appOf(`web-${NODE}`, NODE);
    assert.notEqual(container, '');
  });
  after(async () => {
    await play.close();
    await cable.close();
  });

  test('reads true, since when, and the person at the device the same', async () => {
    await reads('true');
    const { connection } = await status();
    assert.equal(read('connected-since'), connection.since);
    const { stdout } = await play.agent('status', '--data-dir', play.path(NODE));
    assert.match(stdout, /^Told to pods: +connected for \d+\w+: the hub is online and answers$/m);
  });

  test('the hub is killed while the broker lives: false, though the link is up; then true again', async () => {
    const before = read('connected-since');
    await play.kill('hub', 'SIGKILL');
    await reads('false');
    const { connection, hub } = await status();
    assert.deepEqual([connection.reason, hub?.connected], ['HubOffline', true]);
    await startHub();
    await reads('true', STALLED);
    assert.ok(read('connected-since') > before);
  });

  test('the hub stands still, which only its broker can notice: false, then true', async () => {
    process.kill(play.pid('hub'), 'SIGSTOP');
    try {
      await reads('false', STALLED);
    } finally {
      process.kill(play.pid('hub'), 'SIGCONT');
    }
    await reads('true', STALLED);
  });

  test('the cable is pulled and mended: false, then true', async () => {
    cable.pull();
    await reads('false');
    await isTold('LinkDown');
    cable.mend();
    await reads('true', STALLED);
  });

  test('the agent ends: false is its last word; killed, it leaves the last one, and begins with false', async () => {
    await play.kill(NODE, 'SIGTERM');
    assert.equal(read('connected'), 'false');
    play.startAgent(NODE);
    await reads('true', STALLED);
    await play.kill(NODE, 'SIGKILL');
    assert.equal(read('connected'), 'true');
    await play.kill('hub', 'SIGKILL');
    play.startAgent(NODE);
    await reads('false');
    await startHub();
    await reads('true', STALLED);
  });

  test('through all of it the container was the same, and its file lies in memory', async () => {
    assert.equal(appOf(`web-${NODE}`, NODE), container);
    assert.match(docker('exec', container, 'sh', '-c', 'grep " /hub " /proc/mounts'), / tmpfs /);
  });

  test('on a node without a hub it reads false', async () => {
    play.startAgent('alone', '--node-name', 'alone');
    await eventually('its directory is there', () => existsSync(play.path('alone/manifests')));
    writeFileSync(play.path('alone/manifests/web.json'), pod('web'));
    container = await eventually('its pod runs', () => appOf('web-alone', 'alone') || null);
    await reads('false');
    assert.equal((await status('alone')).connection.reason, 'NotJoined');
  });
});
