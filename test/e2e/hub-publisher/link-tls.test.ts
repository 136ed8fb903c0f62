/** The hub's link over TLS to the embedded broker, and the brokers that it refuses. */
import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { startBroker } from '../../../hub/broker/broker.js';
import {
  createAuthority,
  HUB_NAME,
  issueCertificate,
  NO_EXPIRY,
  ORGANISATION,
  spkiOf,
} from '../../../hub/setup/pki.js';
import { FLEET } from '../../support/fleet.js';
import { eventually } from '../../support/wait.js';
import { PublisherWorld } from '../../support/publisher-world.js';

let world: PublisherWorld;

beforeEach(async () => {
  world = await PublisherWorld.make();
});
afterEach(() => world.close());

describe("the hub's link over TLS to the embedded broker", () => {
  const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

  async function brokerWithTls() {
    const authority = await createAuthority(newKey(), { fleet: FLEET, random: randomBytes });
    const pair = async (use: 'client' | { serverNames: string[] }) => {
      const key = newKey();
      const subject = { commonName: HUB_NAME, organisation: ORGANISATION.hub, use };
      const leaf = { ...subject, publicKey: spkiOf(key), notAfter: NO_EXPIRY };
      const cert = await issueCertificate(authority, leaf, randomBytes);
      return { key: key.export({ type: 'pkcs8', format: 'pem' }).toString(), cert };
    };
    const client = await pair('client');
    const broker = await startBroker({
      listen: { host: '127.0.0.1', port: 0 },
      tls: { ...(await pair({ serverNames: [HUB_NAME] })), ca: authority.certificate },
      fleet: FLEET,
      hubTlsKey: spkiOf(createPrivateKey(client.key)).toString('base64'),
      isAllowed: () => false,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    });
    return { broker, client, ca: authority.certificate };
  }

  test('publishes, and says goodbye', async () => {
    await world.publishBlobs(3);
    const { broker, client, ca } = await brokerWithTls();
    const url = `mqtts://127.0.0.1:${broker.port}`;
    const tls = { ...client, ca, names: [HUB_NAME] };
    try {
      const first = world.startLink(broker.port, { url, tls, brokerIsFresh: true });
      await eventually('it is connected', () => first.connected());
      await first.close();
      assert.ok(world.log.some(line => line.includes('"why":"FreshBroker"')));
      const second = world.startLink(broker.port, { url, tls });
      await eventually('it is connected again', () => second.connected());
      assert.ok(world.log.some(line => line.includes('"why":"UpToDate"')));
      await second.close();
    } finally {
      await broker.close();
    }
  });

  test('refuses a broker of another name or another authority', async () => {
    const { broker, client, ca } = await brokerWithTls();
    const other = await brokerWithTls();
    const url = `mqtts://127.0.0.1:${broker.port}`;
    try {
      const reasons: string[] = [];
      for (const tls of [
        { ...client, ca, names: ['another-name'] },
        { ...client, ca: other.ca, names: [HUB_NAME] },
      ]) {
        const refusing = world.startLink(broker.port, { url, tls });
        reasons.push(
          await eventually('a reason', () =>
            world.log.find(line => line.includes('no connection')),
          ),
        );
        assert.equal(refusing.connected(), false);
        await refusing.close();
        world.log.splice(0);
      }
      assert.match(reasons[0] ?? '', /another-name|altnames/);
      assert.match(reasons[1] ?? '', /certificate/);
      assert.deepEqual([world.ups, world.downs], [0, 0]);
    } finally {
      await broker.close();
      await other.broker.close();
    }
  });
});
