/** Validation of namespaces, ports, names and DNS: each rule with the path that it names. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pathsOf, table, type Given } from './rule-table.js';

table('namespaces', [
  ['row 167: all of the host’s', { spec: { hostNetwork: true, hostPID: true, hostIPC: true } }, []],
  [
    'row 167: shared processes with the host’s',
    { spec: { hostPID: true, shareProcessNamespace: true } },
    ['spec.shareProcessNamespace'],
  ],
  [
    'users of its own with the host’s network',
    { spec: { hostUsers: false, hostNetwork: true } },
    ['spec.hostNetwork'],
  ],
  ['users of its own', { spec: { hostUsers: false } }, []],
]);

const port = (change: object) => ({ ports: [{ containerPort: 80, ...change }] });
const PORT = 'spec.containers[0].ports[0]';
const init = (change: object, more: object = {}) => ({
  initContainers: [{ name: 'init', image: 'busybox:1', ...port(change), ...more }],
});
table('ports', [
  [
    'row 57: the host’s network with the same host port',
    { spec: { hostNetwork: true }, container: port({ hostPort: 80 }) },
    [],
  ],
  [
    'row 57: the host’s network with another',
    { spec: { hostNetwork: true }, container: port({ hostPort: 81 }) },
    [`${PORT}.containerPort`],
  ],
  [
    'row 57: one port twice on the host’s network',
    {
      spec: { hostNetwork: true },
      container: { ports: [{ containerPort: 80 }, { containerPort: 80 }] },
    },
    ['spec.containers[0].ports[1].containerPort'],
  ],
  [
    'a host address that is none',
    { container: port({ hostPort: 1, hostIP: '1.2.3' }) },
    [`${PORT}.hostIP`],
  ],
  [
    'a host address with leading zeros',
    { container: port({ hostPort: 1, hostIP: '127.0.0.01' }) },
    [`${PORT}.hostIP`],
  ],
]);

describe('host ports of init containers', () => {
  const clash = (spec: object, container: object) =>
    pathsOf({ spec, container }).filter(path => path.includes('ports'));
  test('row 123: the same binding of an init and an app container passes', () => {
    assert.deepEqual(clash(init({ hostPort: 8080 }), port({ hostPort: 8080 })), []);
  });
  test('row 123: one host port for two ports is refused', () => {
    const second = { ports: [{ containerPort: 81, hostPort: 8080 }] };
    assert.deepEqual(clash(init({ hostPort: 8080 }), second), [`${PORT}.hostPort`]);
  });
});

const LONG = 'a'.repeat(64);
const override = (hostnameOverride: string, spec: object = {}): Given => ({
  spec: { hostnameOverride, ...spec },
});
table('names', [
  ['row 169: a host name with a dot', { spec: { hostname: 'a.b' } }, ['spec.hostname']],
  ['row 170: a subdomain with a dot', { spec: { subdomain: 'a.b' } }, ['spec.subdomain']],
  ['row 169: a host name of 64 characters', { spec: { hostname: LONG } }, ['spec.hostname']],
  ['an override of two labels', override('a.b'), []],
  ['an override of 65 characters', override(`a.${LONG}`), ['spec.hostnameOverride']],
  [
    'an override with setHostnameAsFQDN',
    override('a', { setHostnameAsFQDN: true }),
    ['spec.setHostnameAsFQDN'],
  ],
  [
    'an override with the host’s network',
    override('a', { hostNetwork: true }),
    ['spec.hostnameOverride'],
  ],
  ['row 174: aliases', { spec: { hostAliases: [{ ip: '::1', hostnames: ['a', 'b.c'] }] } }, []],
  [
    'row 174: an alias of no address',
    { spec: { hostAliases: [{ hostnames: ['a'] }] } },
    ['spec.hostAliases[0].ip'],
  ],
  [
    'row 174: an alias of a name',
    { spec: { hostAliases: [{ ip: 'x' }] } },
    ['spec.hostAliases[0].ip'],
  ],
  [
    'row 174: an alias that breaks the line',
    { spec: { hostAliases: [{ ip: '1.1.1.1', hostnames: ['a', 'b\n1.1.1.1 c'] }] } },
    ['spec.hostAliases[0].hostnames[1]'],
  ],
]);

const dns = (dnsConfig: object, dnsPolicy = 'ClusterFirst') => ({ spec: { dnsPolicy, dnsConfig } });
const DNS = 'spec.dnsConfig';
const many = (count: number, of: (n: number) => string) =>
  Array.from({ length: count }, (_, index) => of(index));
table('DNS', [
  ['row 171: an unknown policy', { spec: { dnsPolicy: 'Cluster' } }, ['spec.dnsPolicy']],
  ['row 171: None without dnsConfig', { spec: { dnsPolicy: 'None' } }, [DNS]],
  ['row 171: None without name servers', dns({ searches: ['a'] }, 'None'), [`${DNS}.nameservers`]],
  ['row 171: None with one', dns({ nameservers: ['::1'] }, 'None'), []],
  [
    'row 172: a name server that is a name',
    dns({ nameservers: ['ns.x'] }),
    [`${DNS}.nameservers[0]`],
  ],
  [
    'row 172: four name servers',
    dns({ nameservers: many(4, n => `10.0.0.${n}`) }),
    [`${DNS}.nameservers`],
  ],
  ['row 172: 32 searches', dns({ searches: many(32, n => `s${n}.x.`) }), []],
  ['row 172: 33 searches', dns({ searches: many(33, n => `s${n}`) }), [`${DNS}.searches`]],
  [
    'row 172: over 2048 characters',
    dns({ searches: many(9, n => `${n}${'.abcdefgh'.repeat(27)}`) }),
    [`${DNS}.searches`],
  ],
  ['row 172: a search with an underscore, and a dot alone', dns({ searches: ['_tcp.x', '.'] }), []],
  ['row 172: a search with a blank', dns({ searches: ['a b'] }), [`${DNS}.searches[0]`]],
  ['row 172: options', dns({ options: [{ name: 'ndots', value: '2' }, { name: 'rotate' }] }), []],
  [
    'row 172: an option without a name',
    dns({ options: [{ value: '2' }] }),
    [`${DNS}.options[0].name`],
  ],
  [
    'row 172: an option that breaks the line',
    dns({ options: [{ name: 'a', value: '1\nnameserver 6.6.6.6' }] }),
    [`${DNS}.options[0].value`],
  ],
]);
