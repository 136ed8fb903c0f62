/**
 * The hub's TLS authority is replaced under a running fleet (security.md 1.7): a connected node gets its certificate before the servers
 * change; one that was away meanwhile comes back by itself; the hub is killed in between. With the embedded broker and with Mosquitto.
 */
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { connect } from 'node:tls';
import { after, describe, test } from 'node:test';
import { ApiClient } from '../../hub/cli/client.js';
import { loadKubeconfig } from '../../hub/cli/kubeconfig.js';
import type { RootStatus } from '../../hub/root/root-status.js';
import { noEngine } from '../support/docker.js';
import { freePort } from '../support/ports.js';
import { Playground, writeMosquitto } from '../support/programs.js';
import { eventually } from '../support/wait.js';

interface RootObject {
  readonly spec: { readonly version: number; readonly tls: readonly string[] };
  readonly status: RootStatus;
}

/** Nodes of a fleet ask at a moment of the next five minutes that chance gives; for these it is the first. */
const AT_ONCE = `import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
const { randomBytes } = crypto;
crypto.randomBytes = size => (size === 4 ? Buffer.alloc(4) : randomBytes(size));
syncBuiltinESMExports();
`;

/** The certificate of a server. */
function shown(port: number): Promise<string> {
  return new Promise((done, fail) => {
    const options = { host: '127.0.0.1', port, rejectUnauthorized: false } as const;
    const socket = connect(options, () => {
      const { raw } = socket.getPeerCertificate();
      socket.destroy();
      done(raw.toString('hex'));
    });
    socket.on('error', fail);
  });
}

class Fleet {
  readonly play = new Playground();
  api = 0;

  async begin(...broker: string[]): Promise<void> {
    this.api = await freePort();
    const listen = ['--listen', `127.0.0.1:${this.api}`];
    await this.play.ok('hub', 'init', '--data-dir', this.play.path('hub'), ...listen, ...broker);
  }

  async start(): Promise<void> {
    this.play.startHub();
    await this.play.hubAnswers();
  }

  async join(node: string): Promise<void> {
    const line = this.play.write(`${node}.token`, await this.play.ok('token', 'create'));
    const flags = ['--token-file', line, '--node-name', node, '--data-dir', this.play.path(node)];
    const joined = await this.play.agent('join', ...flags);
    assert.equal(joined.code, 0, joined.stderr);
  }

  startAgent(node: string): void {
    const NODE_OPTIONS = `--import=${this.play.write('at-once.mjs', AT_ONCE)}`;
    this.play.startAgentIn({ NODE_OPTIONS }, node);
  }

  /** Looked at often: a client of the API costs less than a program. */
  async root(): Promise<RootObject> {
    const path = this.play.path('hub/admin.kubeconfig');
    const client = new ApiClient(loadKubeconfig(path, undefined));
    try {
      return await client.call<RootObject>({ path: '/apis/flotilla.dev/v1/root' });
    } finally {
      client.close();
    }
  }

  rotate = (...flags: string[]) => this.play.flotilla('key', 'rotate', 'tls', '--yes', ...flags);

  behind(...nodes: string[]): Promise<unknown> {
    return eventually(`behind: ${nodes.join()}`, async () => {
      const { tls } = (await this.root()).status;
      return JSON.stringify(tls?.nodes.behind) === JSON.stringify(nodes);
    });
  }

  has(node: string, version: number): Promise<unknown> {
    return eventually(`${node} has root ${version}`, async () => {
      const { spec, status } = await this.root();
      return spec.version === version && !status.nodes.behind.some(({ name }) => name === node);
    });
  }
}

describe('the TLS authority of a running fleet is replaced', { skip: noEngine() }, () => {
  const fleet = new Fleet();
  const { play } = fleet;
  after(() => play.close());

  test('a connected node has its certificate before the servers change', async () => {
    await fleet.begin('--mqtt-listen', `127.0.0.1:${await freePort()}`);
    await fleet.start();
    await fleet.join('here');
    await fleet.join('away');
    fleet.startAgent('here');
    await fleet.has('here', 1);
    const before = await shown(fleet.api);
    const begun = await fleet.rotate();
    assert.equal(begun.code, 0, begun.stderr);
    assert.match(begun.stdout, /published root 2\n[^]*awaited: +away, here/);
    await fleet.behind('away');
    assert.equal(await shown(fleet.api), before);
  });

  test('a hub that is killed knows where it stands, and does not go on without a node', async () => {
    await play.kill('hub', 'SIGKILL');
    await fleet.start();
    const again = await fleet.rotate();
    assert.match(again.stdout, /1 of 2 have a certificate of it\nawaited: +away\n/);
    const early = await fleet.rotate('--finish');
    assert.equal(early.code, 2, early.stdout);
    assert.match(early.stderr, /1 of 2 nodes .*away/);
  });

  test('forced, the servers show the next and the former is trusted no longer', async () => {
    const before = await shown(fleet.api);
    const done = await fleet.rotate('--finish', '--force');
    assert.match(done.stdout, /published root 3\n.*nothing trusts the former/, done.stderr);
    assert.notEqual(await shown(fleet.api), before);
    await fleet.has('here', 3);
    assert.doesNotMatch(
      play.log('here'),
      /new certificate[^]*new certificate/,
      'one renewal was enough',
    );
  });

  test('the node that was away comes back by itself', async () => {
    fleet.startAgent('away');
    await fleet.has('away', 3);
  });
});

describe('the TLS authority is replaced with a broker of its own', { skip: noEngine() }, () => {
  const fleet = new Fleet();
  const { play } = fleet;
  after(() => play.close());

  const install = async (...files: string[]) => {
    for (const file of files) cpSync(play.path('hub/broker', file), play.path('mosquitto', file));
    await play.kill('mosquitto', 'SIGKILL');
    play.start('mosquitto', 'mosquitto', ['-c', play.path('mosquitto/mosquitto.conf')]);
  };

  test('each step waits until the broker was told', async () => {
    const port = await freePort();
    await fleet.begin('--broker', `mqtts://127.0.0.1:${port}`);
    const config = await writeMosquitto(play, port);
    play.start('mosquitto', 'mosquitto', ['-c', config]);
    await fleet.start();
    await fleet.join('here');
    fleet.startAgent('here');
    const early = await fleet.rotate();
    assert.match(early.stderr, /does not take certificates of the next authority yet.*ca\.crt/);
    await install('ca.crt');
    await eventually('the broker is there', async () => (await fleet.rotate()).code === 0);
    await fleet.behind();
    const late = await fleet.rotate('--finish');
    assert.match(late.stderr, /does not show a certificate of the next.*server\.crt/, late.stdout);
    await install('server.crt', 'server.key');
    await eventually('it is finished', async () => (await fleet.rotate('--finish')).code === 0);
    await install('ca.crt');
    await fleet.has('here', 3);
  });
});
