/** `node bare-broker.js DATA-DIR`: the hub's embedded broker alone, in a process of its own, open to every node of the fleet. Says `ready`. */
import { startBroker } from '../../hub/broker/broker.js';
import { loadHub } from '../../hub/setup/load.js';
import { spkiOf } from '../../hub/setup/pki.js';

const hub = loadHub(process.argv[2] ?? '');
const silent = () => undefined;
await startBroker({
  listen: hub.config.mqttListen,
  tls: { key: hub.server.key, cert: hub.server.certificate, ca: hub.authorities },
  fleet: hub.root.document.fleet,
  hubTlsKey: spkiOf(hub.mqtt.certificate).toString('base64'),
  isAllowed: () => true,
  log: { info: silent, warn: silent, error: silent },
});
process.stdout.write('ready\n');
