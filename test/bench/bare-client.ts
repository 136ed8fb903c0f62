/** MQTT.js as the hub, with its certificate and nothing else of it: the connection of the yardsticks. */
import { MqttClient } from 'mqtt';
import { connect } from 'node:tls';
import { linkTls } from '../../hub/link/broker-trust.js';
import type { LoadedHub } from '../../hub/setup/load.js';
import { HUB_NAME } from '../../hub/setup/pki.js';

/** Resolves when the broker took it; rejects when it did not. Never connects again by itself. */
export function bareClient(hub: LoadedHub, port: number): Promise<MqttClient> {
  const { key, cert, ca, names } = linkTls(hub);
  const client = new MqttClient(
    () =>
      connect({
        ...{ host: '127.0.0.1', port, key, cert, ca },
        ...{ servername: names[0] ?? '', minVersion: 'TLSv1.3' },
        checkServerIdentity: () => undefined,
      }),
    { clientId: HUB_NAME, protocolVersion: 4, clean: true, reconnectPeriod: 0 },
  );
  return new Promise((done, fail) => {
    client.once('connect', () => done(client));
    client.once('error', fail);
  });
}
