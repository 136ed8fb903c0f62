/**
 * Offline, told as a story on real parts: Docker, Mosquitto over TLS, hub and agent as processes. Hub and broker die, the
 * cable is pulled; the node goes on, and afterwards nothing is missing and nothing is there twice.
 */
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { docker, ensureTestImage, noEngine, TEST_IMAGE } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { cableTo, Playground, writeMosquitto, type Cable } from '../support/programs.js';
import { eventually } from '../support/wait.js';

const MOSQUITTO = '/usr/sbin/mosquitto';

function manifest(name: string, word: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'main',
          image: TEST_IMAGE,
          command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done'],
          env: [{ name: 'WORD', value: word }],
        },
      ],
    },
  });
}

interface Container {
  readonly id: string;
  readonly name: string;
  readonly pod: string;
}

interface EventItem {
  readonly reason: string;
  readonly flotilla: { readonly n: number; readonly node: string; readonly journal: string };
}

describe('a node in the dark', { skip: noEngine() }, () => {
  const play = new Playground();
  const node = 'edge-1';
  let cable: Cable;
  const conf = { path: '' };

  const containers = (): Container[] =>
    docker(
      'ps',
      '--filter',
      `label=flotilla.dev/owner=${play.path(node)}`,
      '--format',
      '{{.ID}} {{.Label "io.kubernetes.container.name"}} {{.Label "io.kubernetes.pod.name"}}',
    )
      .split('\n')
      .filter(Boolean)
      .map(line => {
        const [id = '', name = '', pod = ''] = line.split(' ');
        return { id, name, pod };
      });
  const mainOf = (pod: string) =>
    containers().find(c => c.pod === `${pod}-${node}` && c.name === 'main')?.id ?? null;
  const restarted = async (pod: string) => {
    const before = mainOf(pod);
    assert.ok(before, `${pod} runs`);
    docker('kill', before);
    await eventually(`${pod} runs again`, () => {
      const id = mainOf(pod);
      return id !== null && id !== before;
    });
  };
  const agentRestartTouchesNothing = async () => {
    const before = containers();
    await play.kill(node, 'SIGKILL');
    play.startAgent(node);
    await eventually('the agent sees its pods', async () => {
      const { code, stdout } = await play.agent(
        'pods',
        '--data-dir',
        play.path(node),
        '-o',
        'json',
      );
      const pods =
        code === 0 ? (JSON.parse(stdout) as { items: { status: { phase: string } }[] }).items : [];
      return pods.length === before.length / 2 && pods.every(pod => pod.status.phase === 'Running');
    });
    assert.deepEqual(containers(), before);
  };
  const dropped = async (name: string) => {
    writeFileSync(play.path(node, 'manifests', `${name}.json`), manifest(name, 'local'));
    await eventually(`${name} runs`, () => mainOf(name));
  };
  const eventsOfNode = async () => {
    const { items } = await play.json<{ items: EventItem[] }>('get', 'events', '-A');
    return items.filter(item => item.flotilla.node === node && item.flotilla.n > 0);
  };
  const outbox = async () => {
    const { stdout } = await play.agent('status', '--data-dir', play.path(node), '-o', 'json');
    return (JSON.parse(stdout) as { journal: { unconfirmedEvents: number } }).journal
      .unconfirmedEvents;
  };
  const allEventsArrived = async () => {
    await eventually('the outbox is empty', async () => (await outbox()) === 0, {
      withinMs: 120_000,
    });
    const numbers = (await eventsOfNode()).map(item => item.flotilla.n).sort((a, b) => a - b);
    assert.deepEqual(
      numbers,
      numbers.map((_, i) => i + 1),
      'events 1…n without a gap or a double',
    );
    return numbers.length;
  };
  const startBroker = () => play.start('mosquitto', MOSQUITTO, ['-c', conf.path]);

  before(async () => {
    ensureTestImage();
    const [api, mqtt] = [await freePort(), await freePort()];
    cable = await cableTo(mqtt);
    await play.ok(
      'hub',
      'init',
      '--data-dir',
      play.path('hub'),
      '--listen',
      `127.0.0.1:${api}`,
      '--broker',
      `mqtts://127.0.0.1:${cable.port}`,
    );
    conf.path = await writeMosquitto(play, mqtt);
    startBroker();
    play.startHub();
    await play.hubAnswers();
    await play.join(node);
    play.write('web/web.json', manifest('web', 'one'));
    play.write('web/db.json', manifest('db', 'one'));
    await play.ok('apply', '-f', play.path('web'), '--all-nodes', '--min-ready', '1s', '--wait');
  });
  after(async () => {
    await play.close();
    await cable.close();
  });

  test('runs what the hub applied, over Mosquitto', () => {
    assert.ok(mainOf('web') && mainOf('db'));
  });

  test('with the hub killed: containers restart, an agent restart touches nothing, a dropped manifest runs', async () => {
    await play.kill('hub', 'SIGKILL');
    await restarted('web');
    await agentRestartTouchesNothing();
    await dropped('one');
  });

  test('with the broker killed too: the same', async () => {
    await play.kill('mosquitto', 'SIGKILL');
    await restarted('db');
    await agentRestartTouchesNothing();
    await dropped('two');
    assert.ok((await outbox()) > 0, 'events wait in the outbox');
  });

  test('at the device everything is shown meanwhile', async () => {
    await eventually('all pods are shown as running', async () => {
      const { stdout } = await play.agent('pods', '--data-dir', play.path(node));
      for (const name of ['web', 'db', 'one', 'two'])
        assert.match(stdout, new RegExp(`${name}-${node} +1/1 +Running`));
      return true;
    });
    await eventually('that the hub is away is shown', async () => {
      const { stdout } = await play.agent('status', '--data-dir', play.path(node));
      return stdout.includes('not connected');
    });
    assert.match(
      (await play.agent('journal', '--data-dir', play.path(node))).stdout,
      /web revision 1 +healthy/,
    );
  });

  test('when both are back, every event of the dark time is at the hub, and every pod', async () => {
    startBroker();
    play.startHub();
    await play.hubAnswers();
    const count = await allEventsArrived();
    assert.ok(count >= 12, `${count} events`);
    await eventually('four pods at the hub', async () => {
      const { items } = await play.json<{ items: { metadata: { name: string } }[] }>('get', 'pods');
      return (
        items
          .map(pod => pod.metadata.name)
          .sort()
          .join() === ['db', 'one', 'two', 'web'].map(n => `${n}-${node}`).join()
      );
    });
  });

  test('the broker, which had kept nothing, was made whole: another node joins and runs the bundle', async () => {
    await play.join('edge-2');
    await play.ok('rollout', 'status', 'bundle/web', '--timeout', '2m');
  });

  test('with the cable pulled while three revisions are applied, it goes straight to the newest', async () => {
    await play.kill('edge-2', 'SIGKILL');
    cable.pull();
    await eventually('the hub knows that the node is away', async () => {
      const { stdout } = await play.flotilla('get', 'nodes', node);
      return (
        /NotReady|Unknown/.test(stdout) || play.log('hub').includes('no connection to the broker')
      );
    });
    const unchanged = mainOf('db');
    for (const word of ['two', 'three', 'four']) {
      play.write('web/web.json', manifest('web', word));
      await play.ok('apply', '-f', play.path('web'));
    }
    cable.mend();
    await eventually('the newest runs', () => {
      const id = mainOf('web');
      return id !== null && docker('exec', id, 'sh', '-c', 'echo $WORD') === 'four';
    });
    await eventually('it is healthy', async () => {
      const { stdout } = await play.agent('journal', '--data-dir', play.path(node));
      return /web revision 4 +healthy/.test(stdout);
    });
    const { stdout } = await play.agent('journal', '--data-dir', play.path(node));
    assert.doesNotMatch(stdout, /web revision [23] /, 'those between were never worked on');
    assert.equal(mainOf('db'), unchanged, 'what did not change was not touched');
    await allEventsArrived();
  });

  test('its directory holds its own files, and what was dropped there', () => {
    const files = readdirSync(play.path(node, 'manifests')).sort();
    assert.equal(files.filter(file => /^flotilla_web_[0-9a-f]{16}\.json$/.test(file)).length, 2);
    assert.deepEqual(
      files.filter(file => !file.startsWith('flotilla_')),
      ['.flotilla-agent.lock', 'one.json', 'two.json'],
    );
  });
});
