/** `hub init`: what it makes, with which modes and dates, what it refuses, and how it is repeated after a crash. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import type { InitOptions } from '../../../hub/setup/init.js';
import { loadHub } from '../../../hub/setup/load.js';
import { newSerialNumber, peerOf, pinOf } from '../../../hub/setup/pki.js';
import type { SetupErrorCode } from '../../../hub/setup/setup-error.js';
import { openSqliteStore } from '../../../hub/store/sqlite.js';
import { DEFAULT_GRANT } from '../../../protocol/release-scope.js';
import { openPinnedRoot } from '../../../protocol/verify-root.js';
import { clock, dataDir, directory, init, withCode } from './hub-to-be.js';

function everything(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();
}

describe('what init makes', () => {
  test('with umask 000 every file has mode 0600 and every directory 0700', async () => {
    const umask = process.umask(0);
    try {
      await init({ broker: 'mqtts://broker.example' });
    } finally {
      process.umask(umask);
    }
    const modes = everything(dataDir).map(name => {
      const { mode } = statSync(join(dataDir, name));
      return `${name} ${(mode & 0o7777).toString(8)}`;
    });
    const directories = ['broker', 'keys', 'pki'];
    const wrong = modes.filter(line => {
      const [name, mode] = line.split(' ');
      return mode !== (directories.includes(name ?? '') ? '700' : '600');
    });
    assert.deepEqual(wrong, []);
    assert.equal(statSync(dataDir).mode & 0o7777, 0o700);
    assert.ok(modes.length > 20, modes.join('\n'));
  });

  test('root 1 signs itself, pins the authority, says development and lies in the store', async () => {
    const { fleet, fingerprint } = await init();
    const hub = loadHub(dataDir);
    const store = await openSqliteStore({ path: hub.databasePath, clock });
    const record = await store.rootByDigest(fingerprint);
    assert.ok(record);
    const opened = openPinnedRoot(record.envelope, fingerprint);
    assert.ok(opened.ok);
    const { document } = opened.value;
    assert.equal(document.fleet, fleet);
    assert.equal(document.version, 1);
    assert.equal(document.development, true);
    assert.deepEqual(document.tls, [pinOf(hub.authority.certificate)]);
    const years =
      new Date(document.expires).getUTCFullYear() - new Date(document.issued).getUTCFullYear();
    assert.equal(years, 3);
    const published = await store.publications(0, 10);
    assert.deepEqual(
      published.map(({ topic }) => topic.slice(`flotilla/v1/${fleet}/`.length)),
      ['root', 'root/1'],
    );
    await store.close();
  });

  test('bundles may ask of nodes what they grant by themselves, or what the operator says', async () => {
    const granted = () => {
      const { root } = loadHub(dataDir);
      return root.document.roles.release.map(({ scopes }) =>
        scopes.map(({ podSecurity, minHostPort, hostPaths, nodeLabels, maxNodes }) => {
          return { podSecurity, minHostPort, hostPaths, nodeLabels, maxNodes };
        }),
      );
    };
    await init();
    assert.deepEqual(granted(), [[DEFAULT_GRANT]]);
    rmSync(dataDir, { recursive: true });
    const bundleHostPaths = ['/dev/', '//dev', '/'];
    await init({
      ...{ bundlePodSecurity: 'restricted', bundleMinHostPort: 'none', bundleHostPaths },
      ...{ bundleNodeLabels: ['site=harbour'], bundleMaxNodes: '20' },
    });
    assert.deepEqual(granted(), [
      [
        {
          podSecurity: 'restricted',
          minHostPort: null,
          hostPaths: ['/dev', '/'],
          nodeLabels: { site: 'harbour' },
          maxNodes: 20,
        },
      ],
    ]);
  });

  test('three roles have three keys, and the loaded signers are theirs', async () => {
    await init();
    const { root, rootSigner, releaseSigner, hubSigner } = loadHub(dataDir);
    const keys = [rootSigner, releaseSigner, hubSigner].map(signer => signer?.publicKey);
    assert.equal(new Set(keys).size, 3);
    assert.deepEqual(Object.values(root.document.keys).sort(), [...keys].sort());
  });

  test('certificates: 1970 to 9999, chained, each for its one purpose', async () => {
    await init({ hostnames: ['hub.example'], listen: '127.0.0.1:9443' });
    const pem = (name: string) => new X509Certificate(readFileSync(join(dataDir, 'pki', name)));
    const ca = pem('ca.crt');
    assert.equal(ca.ca, true);
    const uses: Record<string, string> = {
      'server.crt': '1.3.6.1.5.5.7.3.1',
      'mqtt.crt': '1.3.6.1.5.5.7.3.2',
      'admin.crt': '1.3.6.1.5.5.7.3.2',
    };
    for (const [name, use] of Object.entries(uses)) {
      const certificate = pem(name);
      assert.equal(certificate.ca, false, name);
      assert.ok(certificate.verify(ca.publicKey), name);
      assert.ok(certificate.checkIssued(ca), name);
      assert.deepEqual(certificate.keyUsage, [use], name);
      assert.equal(Date.parse(certificate.validFrom), 0, name);
      assert.equal(new Date(certificate.validTo).getUTCFullYear(), 9999, name);
    }
    const server = pem('server.crt');
    for (const name of ['flotilla-hub', 'localhost', 'hub.example', 'test-host']) {
      assert.ok(server.checkHost(name), name);
    }
    for (const address of ['127.0.0.1', '::1', '192.0.2.7']) {
      assert.ok(server.checkIP(address), address);
    }
    const subjects = ['admin.crt', 'mqtt.crt'].map(name => peerOf(pem(name)));
    assert.deepEqual(
      subjects.map(peer => `${peer?.organisation} ${peer?.commonName}`),
      ['flotilla:admins admin', 'flotilla:hub flotilla-hub'],
    );
  });

  test('the kubeconfig holds everything itself and names the hub, not its address', async () => {
    const { kubeconfig } = await init({ hostnames: ['hub.example'] });
    const config = parse(readFileSync(kubeconfig, 'utf8')) as {
      clusters: { cluster: Record<string, string> }[];
      users: { user: Record<string, string> }[];
      contexts: { context: Record<string, string> }[];
    };
    const cluster = config.clusters[0]?.cluster ?? {};
    assert.equal(cluster['server'], 'https://hub.example:8443');
    assert.equal(cluster['tls-server-name'], 'flotilla-hub');
    const decoded = (text = '') => Buffer.from(text, 'base64').toString();
    assert.equal(
      decoded(cluster['certificate-authority-data']),
      readFileSync(join(dataDir, 'pki', 'ca.crt'), 'utf8'),
    );
    const user = config.users[0]?.user ?? {};
    assert.match(decoded(user['client-key-data']), /BEGIN PRIVATE KEY/);
    assert.equal(config.contexts[0]?.context['namespace'], 'default');
  });

  test('an external broker gets a certificate of its own and is what nodes are told', async () => {
    const { config } = await init({ broker: 'mqtts://broker.example:18883' });
    assert.deepEqual(config.advertise.brokers, ['mqtts://broker.example:18883']);
    const certificate = new X509Certificate(readFileSync(join(dataDir, 'broker', 'server.crt')));
    assert.ok(certificate.checkHost('broker.example'));
    assert.ok(certificate.checkHost('flotilla-broker'));
    assert.equal(certificate.checkHost('flotilla-hub'), undefined);
  });

  const advertised: [string, Partial<InitOptions>, string, string[]][] = [
    [
      'given names win',
      { hostnames: ['a.example', 'b.example'] },
      'https://a.example:8443',
      ['mqtts://a.example:8883', 'mqtts://b.example:8883'],
    ],
    [
      'a bound address is the only one',
      { listen: '127.0.0.1:1', mqttListen: '[::1]:2' },
      'https://127.0.0.1:1',
      ['mqtts://[::1]:2'],
    ],
    [
      'else what the machine has',
      { listen: '0.0.0.0:8443' },
      'https://192.0.2.7:8443',
      ['mqtts://192.0.2.7:8883', 'mqtts://test-host:8883'],
    ],
    [
      'else loopback',
      { host: { name: null, addresses: [] } },
      'https://127.0.0.1:8443',
      ['mqtts://127.0.0.1:8883'],
    ],
  ];
  for (const [sentence, options, hub, brokers] of advertised) {
    test(`addresses: ${sentence}`, async () => {
      const { config } = await init(options);
      assert.deepEqual(config.advertise, { hub, brokers });
    });
  }

  test('serial numbers have sixteen bytes and never the top bit (S85)', () => {
    for (const fill of [0x00, 0x80, 0xff]) {
      const serial = newSerialNumber(bytes => Buffer.alloc(bytes, fill));
      assert.match(serial, /^[0-7][1-9a-f][0-9a-f]{30}$/);
    }
  });
});

describe('what init refuses', () => {
  test('a directory that holds something is left as it is', async () => {
    mkdirSync(dataDir, { mode: 0o755 });
    writeFileSync(join(dataDir, 'notes.txt'), 'mine');
    await assert.rejects(init(), withCode('NotEmpty', /is not empty/));
    assert.deepEqual(everything(dataDir), ['notes.txt']);
    assert.equal(statSync(dataDir).mode & 0o777, 0o755);
  });

  test('a hub is not made twice, and stays the same', async () => {
    const { fingerprint } = await init();
    await assert.rejects(init(), withCode('AlreadyInitialised', /hub run/));
    assert.equal(loadHub(dataDir).root.digest, fingerprint);
  });

  const settings: [string, Partial<InitOptions>, SetupErrorCode, RegExp][] = [
    ['PostgreSQL', { database: 'postgres://db/x' }, 'Unsupported', /not supported yet/],
    ['another database', { database: 'mysql' }, 'BadSetting', /--database mysql/],
    [
      'dynamic security of the embedded broker',
      { dynamicSecurity: true },
      'BadSetting',
      /--dynamic-security is for a Mosquitto of your own/,
    ],
    ['a broker without TLS', { broker: 'mqtt://b' }, 'BadSetting', /--broker mqtt/],
    [
      'a listen address without a port',
      { listen: 'localhost' },
      'BadSetting',
      /--listen localhost/,
    ],
    ['a port that is none', { mqttListen: ':70000' }, 'BadSetting', /--mqtt-listen :70000/],
    ['a host name that is none', { hostnames: ['a b'] }, 'BadSetting', /--hostname a b/],
    [
      'a level that is none',
      { bundlePodSecurity: 'open' },
      'BadSetting',
      /-pod-security open: use/,
    ],
    ['port 0', { bundleMinHostPort: '0' }, 'BadSetting', /--bundle-min-host-port 0: use/],
    ['a relative host path', { bundleHostPaths: ['dev'] }, 'BadSetting', /--bundle-host-path dev/],
    ['a host path with ..', { bundleHostPaths: ['/a/..'] }, 'BadSetting', /-host-path \/a\/\.\./],
  ];
  for (const [sentence, options, code, text] of settings) {
    test(`${sentence}: nothing is written`, async () => {
      await assert.rejects(init(options), withCode(code, text));
      assert.deepEqual(readdirSync(directory), []);
    });
  }
});

describe('init after a crash', () => {
  test('wherever it was cut off, loading says so and the next init starts over', async () => {
    for (const last of ['keys', 'keys+pki', 'all but hub.yaml']) {
      rmSync(dataDir, { recursive: true, force: true });
      await init();
      writeFileSync(join(dataDir, '.initialising'), '');
      rmSync(join(dataDir, 'hub.yaml'));
      if (last !== 'all but hub.yaml') {
        rmSync(join(dataDir, 'hub.db'));
        rmSync(join(dataDir, 'root.json'));
      }
      if (last === 'keys') rmSync(join(dataDir, 'pki'), { recursive: true });
      assert.throws(() => loadHub(dataDir), withCode('Interrupted', /run again/), last);
      const { fingerprint } = await init();
      assert.equal(loadHub(dataDir).root.digest, fingerprint, last);
      assert.equal(everything(dataDir).includes('.initialising'), false, last);
    }
  });

  test('cut off before its mark was whole, the directory counts as empty', async () => {
    mkdirSync(dataDir);
    writeFileSync(join(dataDir, '.initialising.new'), '');
    await init();
    assert.equal(everything(dataDir).includes('.initialising.new'), false);
  });

  test('cut off after hub.yaml, it is a hub', async () => {
    await init();
    writeFileSync(join(dataDir, '.initialising'), '');
    loadHub(dataDir);
    await assert.rejects(init(), withCode('AlreadyInitialised', /hub run/));
  });
});
